"""Records without guests, and guests without records: what agents see of either, and what becomes of them."""

import asyncio

import msgspec
import pytest

from kilonova.agent.observation import Strays
from kilonova.kernel.ids import CellId
from kilonova.objects.guest import PowerState
from kilonova.objects.server import VmState
from kilonova.simulation.runtime import STARTED_AT
from unit.agent.test_agent import (
    OTHER,
    accept_action,
    gateway_of,
    guest,
    now_of,
    observe,
    put,
)
from unit.operations.rig import CALLER, CELL1, HOST, REQUEST, Rig, play, server_id

V, P = VmState, PowerState


NEEDS = [
    (V.ACTIVE, True),
    (V.STOPPED, True),
    (V.PAUSED, True),
    (V.SUSPENDED, True),
    (V.RESCUED, True),
    (V.RESIZED, False),
    (V.SHELVED, False),
    (V.SOFT_DELETED, False),
    (V.ERROR, False),
]


@pytest.mark.parametrize(("vm_state", "lost"), NEEDS)
def test_guest_is_missing__its_server_is_in_error_after_a_while_and_says_why(vm_state: VmState, lost: bool) -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig, Strays(missing_after_s=60.0))
        put(rig, vm_state=vm_state)
        before = now_of(rig)
        await observe(gateway, seen_after=STARTED_AT)
        await asyncio.sleep(50.0)
        await observe(gateway, seen_after=STARTED_AT)
        assert now_of(rig) == before, "it may come back"
        await asyncio.sleep(11.0)
        await observe(gateway, seen_after=STARTED_AT)
        after = now_of(rig)
        assert (after.vm_state is V.ERROR) is (lost or vm_state is V.ERROR)
        if lost:
            assert after.fault is not None
            assert "no longer on its host" in after.fault.message
            assert (after.task_state, after.power_state) == (None, P.NOSTATE)
        assert rig.cell1.rows("SELECT * FROM missing_guests") == []

    play(work)


@pytest.mark.parametrize("case", ["operation", "looked before it ended", "host of another agent", "came back"])
def test_guest_is_missing__passed_over_while_that_may_be_right(case: str) -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig, Strays(missing_after_s=0.0))
        put(rig, updated_at=STARTED_AT)
        seen_after = STARTED_AT
        if case == "operation":
            accept_action(rig, "reboot")
        elif case == "looked before it ended":
            seen_after = STARTED_AT - 1.0
        before = now_of(rig)
        for number in range(3):
            shown = [guest()] if case == "came back" and number else []
            agent = "other" if case == "host of another agent" else "agent"
            await observe(gateway, *shown, agent=agent, seen_after=seen_after)
        assert now_of(rig) == before
        assert rig.cell1.rows("SELECT * FROM missing_guests") == []

    play(work)


@pytest.mark.parametrize("way", ["rebuild", "delete", "reboot_hard"])
def test_guest_vanished__the_ways_out_of_error(way: str) -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts()
        await rig.start_all()
        await rig.start_agent()
        api = await rig.boot(1)
        await rig.settled()
        rig.hypervisor.vanish(HOST, server_id())
        await asyncio.sleep(100.0)
        assert now_of(rig).status == "ERROR"
        if way == "delete":
            await api.delete(CALLER, REQUEST, server_id())
        else:
            await api.act(CALLER, REQUEST, server_id(), way, {"changes": {}} if way == "rebuild" else {})
        await rig.settled()
        after = now_of(rig)
        assert after.status == {"rebuild": "ACTIVE", "delete": "DELETED", "reboot_hard": "ERROR"}[way]
        if way == "rebuild":
            assert after.fault is None
            assert rig.hypervisor.on(HOST)[server_id()].power_state is P.RUNNING
        elif way == "reboot_hard":
            assert after.fault is not None
            assert "Rebuild the server" in after.fault.message, "there is no disk that it could start from"

    play(work)


STRANGERS = [
    ("report", CELL1, False),
    ("destroy", CELL1, True),
    ("destroy", CellId("another cell"), False),
    ("destroy", CellId(""), False),
]


@pytest.mark.parametrize(("policy", "mark", "goes"), STRANGERS)
def test_guest_that_no_record_knows__noted_once_and_destroyed_only_by_policy_and_with_our_mark(
    policy: str, mark: CellId, goes: bool
) -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig, Strays(destroyed=policy == "destroy"))
        put(rig, 1)
        put(rig, 2, OTHER)
        stranger = msgspec.structs.replace(guest(5, generation=4), cell_id=mark)
        for _ in range(2):
            orders = await observe(gateway, guest(1), stranger)
            assert [(order.server_id, order.generation) for order in orders] == ([(server_id(5), 4)] if goes else [])
            assert rig.cell1.rows("SELECT host, server_id, cell_id FROM unknown_guests") == [(HOST, server_id(5), mark)]
        await observe(gateway, guest(2, OTHER), agent="other")
        assert len(rig.cell1.rows("SELECT * FROM unknown_guests")) == 1
        await observe(gateway, guest(1))
        assert rig.cell1.rows("SELECT * FROM unknown_guests") == []

    play(work)


def test_guest_that_no_record_knew__is_left_alone_once_one_does() -> None:
    async def work(rig: Rig) -> None:
        gateway = await gateway_of(rig, Strays(destroyed=True))
        stranger = msgspec.structs.replace(guest(), cell_id=CELL1)
        assert len(await observe(gateway, stranger)) == 1
        put(rig)
        assert await observe(gateway, stranger) == []
        assert rig.cell1.rows("SELECT * FROM unknown_guests") == []

    play(work)
