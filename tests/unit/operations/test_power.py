"""Switching guests on their hosts: what is shown on the way, what failures leave, and what interrupts what."""

import asyncio
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from kilonova.drivers.driver import NoGuestAgent
from kilonova.kernel.errors import Conflict
from kilonova.objects.guest import PowerState
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.accept import NotReady
from kilonova.operations.catalog import ACTIONS
from kilonova.operations.conductor import CellConductor
from kilonova.operations.plans.set_password import AGENT_PROPERTY, REFUSED_S, AgentSilent, NoAgent
from kilonova.operations.servers import Servers
from kilonova.operations.timers import reclaim
from kilonova.simulation.doubles.images import IMAGE
from kilonova.simulation.hypervisor import SimDriver
from unit.operations import life
from unit.operations.life import shown
from unit.operations.rig import CALLER, CELL1, HOST, REQUEST, Rig, play, server_id

RESCUE = {"image": msgspec.to_builtins(IMAGE)}
WALKS: list[tuple[tuple[tuple[str, dict[str, Any]], ...], VmState, PowerState]] = [
    ((("pause", {}),), VmState.PAUSED, PowerState.PAUSED),
    ((("pause", {}), ("unpause", {})), VmState.ACTIVE, PowerState.RUNNING),
    ((("suspend", {}),), VmState.SUSPENDED, PowerState.SUSPENDED),
    ((("suspend", {}), ("resume", {})), VmState.ACTIVE, PowerState.RUNNING),
    ((("rescue", RESCUE),), VmState.RESCUED, PowerState.RUNNING),
    ((("rescue", RESCUE), ("unrescue", {})), VmState.ACTIVE, PowerState.RUNNING),
    ((("set_password", {"admin_password": "top-secret"}),), VmState.ACTIVE, PowerState.RUNNING),
    ((("crash_dump", {}),), VmState.ACTIVE, PowerState.RUNNING),
    ((("soft_delete", {}),), VmState.SOFT_DELETED, PowerState.SHUTDOWN),
    ((("soft_delete", {}), ("restore", {})), VmState.ACTIVE, PowerState.RUNNING),
    ((("reset_state", {"state": "error"}),), VmState.ERROR, PowerState.RUNNING),
    ((("reset_state", {"state": "error"}), ("reset_state", {"state": "active"})), VmState.ACTIVE, PowerState.RUNNING),
]


class Deaf(SimDriver):
    """A hypervisor that never answers, once a guest is there."""

    async def guest_pause(self, *_: Any, **__: Any) -> Any:
        await asyncio.sleep(1e6)

    guest_suspend = guest_rescue = guest_stop = guest_reboot = guest_pause


async def booted(rig: Rig, driver_class: type[SimDriver] = SimDriver, **fields: Any) -> Servers:
    """A cloud with one active server, whose guest has an agent; the API."""
    return await life.booted(
        rig, driver_class, **{"image": IMAGE, "image_properties": {AGENT_PROPERTY: "yes"}, **fields}
    )


@pytest.mark.parametrize(("actions", "ends", "power"), WALKS, ids=lambda value: str(value)[:60])
def test_walk__task_states_of_the_table_and_none_at_rest(
    actions: tuple[tuple[str, dict[str, Any]], ...], ends: VmState, power: PowerState
) -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        seen: set[TaskState | None] = set()
        rig.cell1.on_commit = lambda _: seen.add(shown(rig).task_state)
        for kind, params in actions:
            await api.act(CALLER, REQUEST, server_id(), kind, params)
            await rig.settled()
        one = shown(rig)
        assert [operation.state for operation in await api.operations(server_id())] == ["done"] * (len(actions) + 1)
        assert (one.vm_state, one.task_state, one.power_state) == (ends, None, power)
        assert seen - {None} == {task for kind, _ in actions for task in ACTIONS[kind].walk.values()} - {None}

    play(work)


@pytest.mark.parametrize("kind", ["pause", "suspend", "rescue", "crash_dump", "soft_delete", "stop", "reboot_hard"])
def test_delete__comes_during_it__wins(kind: str) -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await api.act(CALLER, REQUEST, server_id(), kind, RESCUE if kind == "rescue" else {})
        await api.delete(CALLER, REQUEST, server_id())
        await rig.settled()
        assert (shown(rig).vm_state, rig.held()) == (VmState.DELETED, {})

    play(work)


@pytest.mark.parametrize("kind", ["pause", "suspend", "rescue", "stop", "reboot_hard"])
def test_c1_c3_host_never_answers__task_state_clears_by_the_deadline(kind: str) -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig, Deaf)
        await api.act(CALLER, REQUEST, server_id(), kind, RESCUE if kind == "rescue" else {})
        await rig.settled(4000.0)
        one = shown(rig)
        assert (one.vm_state, one.task_state, one.current_op) == (ACTIONS[kind].fails_in or VmState.ACTIVE, None, None)
        assert one.fault is not None

    play(work)


def test_b6_task_under_way_and_nobody_works__reset_ends_it() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig, Deaf)
        await api.act(CALLER, REQUEST, server_id(), "stop", {})
        await asyncio.sleep(1.0)
        assert shown(rig).task_state is TaskState.POWERING_OFF
        await api.act(CALLER, REQUEST, server_id(), "reset_state", {"state": "active"})
        await rig.settled(60.0)
        assert (shown(rig).vm_state, shown(rig).task_state) == (VmState.ACTIVE, None)
        assert [one.state for one in await api.operations(server_id())][1].value == "superseded"

    play(work)


def test_soft_delete__interrupts_a_stop_and_is_taken_back() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await api.act(CALLER, REQUEST, server_id(), "stop", {})
        await api.delete(CALLER, REQUEST, server_id(), softly=True)
        await api.delete(CALLER, REQUEST, server_id(), softly=True)
        await rig.settled()
        assert shown(rig).vm_state is VmState.SOFT_DELETED
        await api.act(CALLER, REQUEST, server_id(), "restore", {})
        with pytest.raises(Conflict):
            await api.delete(CALLER, REQUEST, server_id(), softly=True)
        await rig.settled()
        assert (shown(rig).vm_state, shown(rig).soft_deleted_at) == (VmState.ACTIVE, None)

    play(work)


def test_reclamation__window_is_over__gone() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        parts = await rig.parts("conductor")
        timers = [reclaim(600.0)]
        parts.runtime.spawn(CellConductor(parts, parts.cells.get(CELL1), "conductor", timers=timers).run(), name="cell")
        await api.delete(CALLER, REQUEST, server_id(), softly=True)
        await rig.settled()
        assert shown(rig).vm_state is VmState.SOFT_DELETED
        await asyncio.sleep(620.0)
        await rig.settled()
        assert (shown(rig).vm_state, rig.held()) == (VmState.DELETED, {})

    play(work)


def test_set_password__image_says_nothing_of_an_agent__refused_at_once() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig, image_properties={"hw_qemu_guest_agent": "no"})
        with pytest.raises(NoAgent):
            await api.act(CALLER, REQUEST, server_id(), "set_password", {"admin_password": "top-secret"})
        assert rig.live() == []

    play(work)


def test_set_password__no_agent_answers__says_so_and_refuses_the_next_for_a_while() -> None:
    class Agentless(SimDriver):
        @override
        async def guest_password_set(self, *_: Any, **__: Any) -> Any:
            raise NoGuestAgent(server_id=server_id(), host=HOST, action="set the password")

    async def work(rig: Rig) -> None:
        api = await booted(rig, Agentless)
        wish = {"admin_password": "top-secret"}
        await api.act(CALLER, REQUEST, server_id(), "set_password", wish)
        await rig.settled(600.0)
        one = shown(rig)
        assert (one.vm_state, one.task_state) == (VmState.ACTIVE, None)
        assert one.fault is not None
        stored = rig.cell1.rows("SELECT params, outputs FROM operations")
        assert "top-secret" not in str(stored)
        with pytest.raises(AgentSilent, match="runs no guest agent"):
            await api.act(CALLER, REQUEST, server_id(), "set_password", wish)
        await asyncio.sleep(REFUSED_S)
        await api.act(CALLER, REQUEST, server_id(), "set_password", wish)

    play(work)


def test_reset__server_is_in_no_cell_yet__refused() -> None:
    async def work(rig: Rig) -> None:
        api = await rig.boot(1)
        with pytest.raises(NotReady):
            await api.act(CALLER, REQUEST, server_id(), "reset_state", {"state": "error"})

    play(work)
