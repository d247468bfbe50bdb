"""Whose word on a host counts, and when a host that comes back gets work."""

import asyncio

import pytest

from kilonova.cells.hosts import host_force_down_txn, hosts_up_txn
from kilonova.objects.guest import HostDescription, PowerState
from kilonova.objects.history import wire
from kilonova.objects.history.wire import WIRE
from kilonova.objects.host import DOWN_AFTER_S, Session
from kilonova.objects.server import TaskState, VmState
from kilonova.operations import store
from unit.agent.test_agent import (
    accept_action,
    gateway_of,
    guest,
    now_of,
    observe,
    poll,
    put,
    report,
)
from unit.operations.rig import CALLER, HOST, REQUEST, Rig, description, play, server_id

V, P = VmState, PowerState


def test_second_agent_takes_the_host__the_first_can_do_nothing_any_more() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        put(rig, 1)
        put(rig, 2, vm_state=V.DELETED, deleted_at=1.0)
        put(rig, 3)
        accept_action(rig, "stop", 1)
        (step,) = await poll(gateway)
        held = [(step.operation_id, step.epoch)]
        hosts = wire.told(WIRE.newest, [description()], HostDescription)
        assert (await gateway.register("second", WIRE.newest.label, hosts, Session(id="second", epoch=2))).held
        accept_action(rig, "stop", 3)
        assert await gateway.renew("agent", held) == {}
        assert not await report(gateway, step, guest=guest(power=P.SHUTDOWN))
        assert await poll(gateway) == []
        seen = [guest(2), guest(3, power=P.SHUTDOWN)]
        assert await observe(gateway, *seen) == [], "its late clean-up is nobody's any more"
        assert now_of(rig).task_state is TaskState.POWERING_OFF
        assert ("epochs_rejected", 1) in rig.cell1.rows("SELECT name, value FROM counters")
        assert await gateway.register("agent", WIRE.newest.label, hosts) is not None
        assert rig.cell1.rows("SELECT agent, epoch FROM hosts WHERE name = 'host-1'") == [("second", 2)]

    play(work)


def test_host_that_came_back__no_step_before_it_has_settled() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        put(rig, 1)
        put(rig, 2, vm_state=V.DELETED, deleted_at=1.0)
        rig.cell1.write(lambda tx: store.tombstone_add_txn(tx, HOST, server_id(2), 1))
        await asyncio.sleep(DOWN_AFTER_S + 1.0)
        accept_action(rig, "delete", 1)
        assert await poll(gateway) == [], "it is down as long as it says no more than this"
        before = await gateway.beat("agent")
        assert await poll(gateway) == []
        assert len(await observe(gateway, guest(1), guest(2), seen_after=before)) == 1
        assert await poll(gateway) == [], "the guest that has to go is still there"
        assert await observe(gateway, guest(1), seen_after=before) == []
        assert [step.kind for step in await poll(gateway)] == ["delete"]

    play(work)


@pytest.mark.parametrize("declared", [True, False])
def test_host_that_is_declared_down__no_step_until_that_is_taken_back_and_it_has_settled(declared: bool) -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        put(rig)
        rig.cell1.write(lambda tx: host_force_down_txn(tx, HOST, True))
        accept_action(rig, "delete")
        if declared:
            assert await poll(gateway) == []
            return
        rig.cell1.write(lambda tx: host_force_down_txn(tx, HOST, False))
        assert await poll(gateway) == []
        await observe(gateway, guest(), seen_after=await gateway.beat("agent"))
        assert len(await poll(gateway)) == 1

    play(work)


def test_agent_that_was_replaced__ends_and_takes_nothing_back() -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts()
        first = await rig.start_agent()
        await asyncio.sleep(1.0)
        assert rig.cell1.rows("SELECT epoch FROM hosts") == [(2,)]
        second = await rig.start_agent()
        await asyncio.sleep(20.0)
        assert rig.cell1.rows("SELECT epoch FROM hosts") == [(3,)]
        second.kill()
        await asyncio.sleep(2 * DOWN_AFTER_S)
        assert rig.cell1.rows("SELECT epoch FROM hosts") == [(3,)]
        assert rig.cell1.read(hosts_up_txn) == frozenset()
        assert first.tasks == []

    play(work)


def test_agent_is_frozen_at_its_work_while_another_takes_over__what_it_does_then_counts_for_nothing() -> None:
    """Scenario G4."""

    async def work(rig: Rig) -> None:
        await rig.add_hosts()
        await rig.start_all()
        first = await rig.start_agent()
        api = await rig.boot(1)
        while ("boot", "spawn") not in rig.live():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        first.freeze(rig.loop.time() + 60.0)
        await rig.start_agent()
        await rig.settled()
        assert now_of(rig).status == "ACTIVE"
        await api.act(CALLER, REQUEST, server_id(), "stop", {})
        await rig.settled()
        await asyncio.sleep(60.0)
        assert now_of(rig).status == "SHUTOFF"
        assert rig.hypervisor.on(HOST)[server_id()].power_state is P.SHUTDOWN
        assert rig.complaints == []

    play(work)
