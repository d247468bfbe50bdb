"""Agents and their gateway: steps of one's own hosts and no others, in turn, once; what hypervisors show is taken with care."""

import asyncio
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from kilonova.agent.gateway import LEASE_S, Gateway
from kilonova.agent.observation import Strays
from kilonova.agent.turns import Turns
from kilonova.cells.hosts import hosts_register_txn
from kilonova.engine import store as operation_store
from kilonova.kernel.ids import HostName, OperationId, ServerId
from kilonova.objects.guest import Guest, HostDescription, PowerState
from kilonova.objects.history import wire
from kilonova.objects.history.wire import WIRE
from kilonova.objects.host_step import HostReport, HostStep, Order
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations import accept, store
from kilonova.operations.accept import Acceptance
from kilonova.operations.catalog import CELL_PLANS
from kilonova.operations.plans.stop import GRACE_S
from kilonova.simulation.hypervisor import SimDriver
from kilonova.simulation.runtime import STARTED_AT
from unit.operations.rig import CALLER, CELL1, HOST, REQUEST, Rig, description, play, server, server_id

V, P = VmState, PowerState
OTHER = HostName("host-2")


async def gateway_of(rig: Rig, strays: Strays | None = None) -> Gateway:
    """A gateway to a cell in which `agent` serves host-1, and `other` host-2."""
    parts = await rig.parts("gateway")
    cell = parts.cells.get(CELL1)
    for agent, host in (("agent", HOST), ("other", OTHER)):
        await cell.database.write(hosts_register_txn, agent, "1.0", [description(host)], parts.runtime.uuid)
    return Gateway(parts, cell, strays)


def put(rig: Rig, number: int = 1, host: HostName | None = HOST, vm_state: VmState = V.ACTIVE, **fields: Any) -> Server:
    power = {V.ACTIVE: P.RUNNING, V.STOPPED: P.SHUTDOWN}.get(vm_state, P.NOSTATE)
    one = server(number, host=host, vm_state=vm_state, **{"power_state": power, **fields})
    rig.cell1.write(lambda tx: store.server_insert_txn(tx, one))
    return one


def accept_action(rig: Rig, kind: str, number: int = 1) -> None:
    asked = Acceptance(
        operation_id=OperationId(f"operation-{kind}-{number}"),
        request_id=REQUEST,
        project_id=server().project_id,
        user_id=CALLER.user_id,
    )
    if kind == "delete":
        rig.cell1.write(lambda tx: accept.delete_txn(tx, server_id(number), asked))
    else:
        rig.cell1.write(lambda tx: accept.act_txn(tx, server_id(number), CELL_PLANS[kind], {}, asked))


async def poll(gateway: Gateway, agent: str = "agent", wait_s: float = 0.1) -> list[HostStep]:
    return wire.read(WIRE, await gateway.poll(agent, wait_s), HostStep)


async def report(gateway: Gateway, step: HostStep, agent: str = "agent", **fields: Any) -> bool:
    said = HostReport(operation_id=step.operation_id, epoch=step.epoch, **fields)
    return await gateway.report(agent, wire.told(WIRE.newest, [said], HostReport))


async def observe(gateway: Gateway, *guests: Guest, agent: str = "agent", seen_after: float = 0.0) -> list[Order]:
    answer = await gateway.observe(agent, wire.told(WIRE.newest, guests, Guest), seen_after)
    return wire.read(WIRE, answer, Order)


def guest(number: int = 1, host: HostName = HOST, power: PowerState = P.RUNNING, generation: int = 1) -> Guest:
    return Guest(server_id=server_id(number), host=host, generation=generation, power_state=power)


def now_of(rig: Rig, number: int = 1) -> Server:
    found = rig.of(number)
    assert found is not None
    return found[1]


def test_poll__an_agent_gets_steps_of_its_own_hosts_only() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        put(rig, 1)
        put(rig, 2, OTHER)
        for number in (1, 2):
            accept_action(rig, "stop", number)
        (mine,) = await poll(gateway)
        assert (mine.server_id, mine.host, mine.kind, mine.step, mine.generation) == (
            *(server_id(1), HOST, "stop", "power_off", 2),
        )
        assert mine.timeout_s == CELL_PLANS["stop"].steps[0].timeout_s
        assert await poll(gateway) == []
        assert await poll(gateway, "stranger") == []
        assert not await report(gateway, mine, "other"), "another agent's report counts for nothing"
        assert await gateway.renew("other", [(mine.operation_id, mine.epoch)]) == {}
        assert await report(gateway, mine, guest=guest(power=P.SHUTDOWN))
        assert (now_of(rig).vm_state, now_of(rig).power_state) == (V.STOPPED, P.SHUTDOWN)

    play(work)


def test_report__counts_once() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        put(rig)
        accept_action(rig, "stop")
        (step,) = await poll(gateway)
        assert await report(gateway, step, error="busy")
        assert not await report(gateway, step, error="busy"), "the answer was lost and the agent said it again"
        await asyncio.sleep(1.0)
        (again,) = await poll(gateway)
        assert again.epoch == step.epoch + 1
        assert not await report(gateway, step), "of the attempt before"
        assert await report(gateway, again)
        assert not await report(gateway, again)

    play(work)


def test_answer_of_a_poll_is_lost__the_step_comes_again_after_its_lease() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        put(rig)
        accept_action(rig, "stop")
        (lost,) = await poll(gateway)
        assert await poll(gateway, wait_s=LEASE_S - 1.0) == []
        (again,) = await poll(gateway, wait_s=2.0)
        assert again.epoch == lost.epoch + 1

    play(work)


def test_poll__waits_for_a_hint() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        await rig.add_hosts()
        waiting = asyncio.ensure_future(poll(gateway, wait_s=60.0))
        put(rig)
        await asyncio.sleep(1.0)
        accept_action(rig, "stop")
        rig.broker.publish(f"cell/{CELL1}/hosts")
        assert len(await asyncio.wait_for(waiting, 1.0)) == 1

    play(work)


def test_superseded_step__renewing_and_reporting_tell_that_it_is_over() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        put(rig)
        accept_action(rig, "reboot")
        (step,) = await poll(gateway)
        held = [(step.operation_id, step.epoch)]
        assert await gateway.renew("agent", held) == {step.operation_id: ""}
        accept_action(rig, "delete")
        assert await gateway.renew("agent", held) == {}
        assert not await report(gateway, step)
        assert now_of(rig).task_state is TaskState.DELETING

    play(work)


# What is seen of a server at rest -> what its record says then.
SEEN = [
    (V.ACTIVE, P.RUNNING, (V.ACTIVE, P.RUNNING)),
    (V.ACTIVE, P.SHUTDOWN, (V.STOPPED, P.SHUTDOWN)),
    (V.ACTIVE, P.CRASHED, (V.STOPPED, P.CRASHED)),
    (V.ACTIVE, P.PAUSED, (V.ACTIVE, P.PAUSED)),
    (V.ACTIVE, P.NOSTATE, (V.ACTIVE, P.RUNNING)),
    (V.STOPPED, P.RUNNING, (V.STOPPED, P.RUNNING)),
    (V.STOPPED, P.SHUTDOWN, (V.STOPPED, P.SHUTDOWN)),
    (V.ERROR, P.RUNNING, (V.ERROR, P.RUNNING)),
    (V.ERROR, P.SHUTDOWN, (V.ERROR, P.SHUTDOWN)),
]


@pytest.mark.parametrize(("vm_state", "power", "then"), SEEN)
def test_observation__taken_over_at_rest(vm_state: VmState, power: PowerState, then: Any) -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        put(rig, vm_state=vm_state)
        assert await observe(gateway, guest(power=power)) == []
        assert (now_of(rig).vm_state, now_of(rig).power_state) == then

    play(work)


@pytest.mark.parametrize("case", ["operation", "older", "other host", "host of another agent"])
def test_observation__passed_over_while_it_may_be_old_or_not_ones_own(case: str) -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        before = put(rig, generation=3)
        seen = guest(power=P.SHUTDOWN, generation=3)
        if case == "operation":
            accept_action(rig, "reboot")
            before = now_of(rig)
            seen = msgspec.structs.replace(seen, generation=4)
        elif case == "older":
            seen = msgspec.structs.replace(seen, generation=2)
        elif case == "other host":
            seen = msgspec.structs.replace(seen, host=HostName("host-9"))
        orders = await observe(gateway, seen, agent="other" if case == "host of another agent" else "agent")
        assert orders == []
        assert now_of(rig) == before

    play(work)


def test_guest_left_at_an_older_generation_by_a_failed_operation__believed_once_it_was_seen_later() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        put(rig, generation=3, updated_at=STARTED_AT + 10.0)
        seen = guest(power=P.SHUTDOWN, generation=2)
        await observe(gateway, seen, seen_after=STARTED_AT + 9.0)
        assert now_of(rig).vm_state is V.ACTIVE
        await observe(gateway, seen, seen_after=STARTED_AT + 10.0)
        assert now_of(rig).vm_state is V.STOPPED

    play(work)


def test_operation_begins_between_comparing_and_taking_over__it_decides() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        put(rig)
        look = rig.cell1.read

        def look_and_accept(work: Any) -> Any:
            seen = look(work)
            if now_of(rig).current_op is None:
                accept_action(rig, "reboot")
            return seen

        rig.cell1.read = look_and_accept  # type: ignore[method-assign]
        await observe(gateway, guest(power=P.SHUTDOWN))
        assert (now_of(rig).vm_state, now_of(rig).power_state) == (V.ACTIVE, P.RUNNING)

    play(work)


def test_guest_of_a_deleted_server_or_of_one_elsewhere__ordered_away() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        put(rig, 1, vm_state=V.DELETED, deleted_at=1.0, generation=5)
        put(rig, 2, OTHER)
        put(rig, 3, None, vm_state=V.ERROR)
        put(rig, 4)
        orders = await observe(gateway, *(guest(number) for number in (1, 2, 3, 4, 5)))
        assert [(order.server_id, order.host) for order in orders] == [(server_id(n), HOST) for n in (1, 2, 3)]
        assert orders[0].generation == 5

    play(work)


def test_guest_on_another_host_while_an_operation_lives__left_alone() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        put(rig, 1, OTHER)
        accept_action(rig, "stop")
        assert await observe(gateway, guest(1)) == []

    play(work)


def test_debt__settled_when_the_guest_is_gone_and_by_its_own_host_only() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        put(rig, vm_state=V.DELETED, deleted_at=1.0)
        rig.cell1.write(lambda tx: store.tombstone_add_txn(tx, HOST, server_id(), 1))
        assert len(await observe(gateway, guest())) == 1
        await observe(gateway, agent="other")
        assert rig.cell1.rows("SELECT host FROM tombstones") == [(HOST,)]
        await observe(gateway)
        assert rig.cell1.rows("SELECT host FROM tombstones") == []

    play(work)


def test_register__the_level_that_both_know_is_agreed_and_kept() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig)
        hosts = wire.told(WIRE.newest, [description()], HostDescription)
        assert (await gateway.register("agent", "9.9", hosts)).level == WIRE.newest.label
        assert ("agent", WIRE.newest.label) in rig.cell1.rows("SELECT name, wire FROM agents")

    play(work)


def test_agent_is_killed_at_its_work__the_next_incarnation_goes_on() -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts()
        await rig.start_all()
        api = await rig.boot(1)
        for _ in range(3):
            agent = await rig.start_agent()
            await asyncio.sleep(0.1)
            agent.kill()
        await rig.start_agent()
        await rig.settled()
        assert now_of(rig).status == "ACTIVE"
        rig.hypervisor.plant(HOST, server_id(7))
        await api.act(CALLER, REQUEST, server_id(), "stop", {})
        await rig.settled()
        assert now_of(rig).status == "SHUTOFF"
        assert server_id(7) in rig.hypervisor.on(HOST), "a guest that nobody knows is left alone"

    play(work)


def test_gateway_is_away__the_agent_waits_and_registers_when_it_is_back() -> None:
    async def work(rig: Rig) -> None:
        rig.hypervisor.add_host(HOST)
        rig.cell1.down_until = rig.loop.time() + 30.0
        await rig.start_agent()
        await asyncio.sleep(29.0)
        assert rig.cell1.rows("SELECT * FROM hosts") == []
        await asyncio.sleep(5.0)
        assert rig.cell1.rows("SELECT name FROM hosts") == [(HOST,)]

    play(work)


def test_turns__one_at_a_time_in_order_and_nothing_is_kept() -> None:
    async def run() -> None:
        turns, order = Turns(), list[tuple[int, bool]]()
        one = ServerId("one")

        async def take(number: int) -> None:
            async with turns.of(one) as waited:
                order.append((number, waited))
                await asyncio.sleep(0)

        async with turns.of(ServerId("other")):
            await asyncio.gather(*(take(number) for number in range(5)))
        assert order == [(0, False), (1, True), (2, True), (3, True), (4, True)]
        assert vars(turns) == {"_locks": {}, "_askers": {}}

    asyncio.run(run())


def test_step_that_waited_for_its_turn_and_was_superseded__is_never_done() -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts()
        await rig.start_agent()
        await rig.start_all()
        api = await rig.boot(1)
        await rig.settled()
        await api.act(CALLER, REQUEST, server_id(), "reboot", {})
        await api.act(CALLER, REQUEST, server_id(), "reboot_hard", {})
        await rig.settled()
        one = now_of(rig)
        assert (one.status, one.task_state) == ("ACTIVE", None)
        states = rig.cell1.read(lambda tx: operation_store.operations_of_server_txn(tx, server_id()))
        assert sorted((operation.kind, str(operation.state)) for operation in states) == [
            ("boot", "done"),
            ("reboot", "superseded"),
            ("reboot_hard", "done"),
        ]

    play(work)


class DeafGuests(SimDriver):
    """Guests that don't answer the power button: a stop lasts as long as its grace."""

    @override
    async def guest_stop(self, host: HostName, server_id: ServerId, generation: int, grace_s: float) -> Guest:
        await asyncio.sleep(grace_s)
        return await super().guest_stop(host, server_id, generation, grace_s)


def test_delete_while_a_stop_waits_for_its_guest__does_not_wait_with_it() -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts()
        await rig.start_agent(driver_class=DeafGuests)
        await rig.start_all()
        api = await rig.boot(1)
        await rig.settled()
        await api.act(CALLER, REQUEST, server_id(), "stop", {})
        await asyncio.sleep(1.0)
        began = rig.loop.time()
        await api.delete(CALLER, REQUEST, server_id())
        while server_id() in rig.hypervisor.on(HOST):
            await asyncio.sleep(0.1)
        assert rig.loop.time() - began < GRACE_S / 4

    play(work)
