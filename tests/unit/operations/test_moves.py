"""Servers that move: resize, cold and live migration, evacuation; what failures on the way leave."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from kilonova.cells.hosts import HostBusy
from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import HostName
from kilonova.objects.server import VmState
from kilonova.operations.accept import HostNotDown, HostNotUp, MayRunElsewhere
from kilonova.operations.servers import Servers
from kilonova.operations.timers import Timers, resize_confirmation
from kilonova.scheduler.decide import NO_VALID_HOST
from unit.operations.life import shown
from unit.operations.moves_rig import (
    HOSTS,
    LARGE,
    act,
    check_whole,
    failing,
    host_down,
    ledger,
    lives,
    resize,
    start_watch,
    where,
)
from unit.operations.rig import CALLER, CELL1, FLAVOR, REQUEST, Interruption, Rig, play, server_id


@pytest.mark.parametrize("settles", ["confirm_resize", "revert_resize"])
@pytest.mark.parametrize("stays", [False, True])
def test_resize__confirmed_or_reverted__whole_in_its_new_or_old_size(settles: str, stays: bool) -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig, *(HOSTS[:1] if stays else HOSTS))
        await resize(api, may_stay=True)
        await rig.settled()
        waiting = shown(rig)
        assert (waiting.status, waiting.flavor) == ("VERIFY_RESIZE", LARGE)
        assert waiting.move is not None
        assert (waiting.host == "host-1") is stays
        assert ledger(rig) == (4, 1024)
        assert sum(rig.held().values()) == (4 if stays else 5)
        await asyncio.sleep(60.0)  # agents look, and leave the old guest alone
        assert len(where(rig)) == (1 if stays else 2)
        await act(api, settles)
        await rig.settled()
        reverted = settles == "revert_resize"
        check_whole(rig, flavor=FLAVOR if reverted else LARGE, host="host-1" if reverted else None)

    play(work)


def test_resize__first_destination_refuses__the_next_one_is_tried() -> None:
    """Scenario D3."""

    async def work(rig: Rig) -> None:
        api = await lives(rig, driver=failing(("guest_receive", "host-2")))
        await resize(api)
        await rig.settled(600.0)
        assert (shown(rig).status, shown(rig).host) == ("VERIFY_RESIZE", "host-3")
        await act(api, "revert_resize")
        await rig.settled()
        check_whole(rig, flavor=FLAVOR, host="host-1")

    play(work)


@pytest.mark.parametrize("call", ["guest_receive", "guest_start"])
def test_resize__every_destination_fails__runs_where_it_was(call: str) -> None:
    """Scenario D1."""

    async def work(rig: Rig) -> None:
        refusing = failing((call, "host-2"), (call, "host-3"))
        api = await lives(rig, driver=refusing)
        await resize(api)
        await rig.settled(600.0)
        check_whole(rig, flavor=FLAVOR, host="host-1")
        assert shown(rig).fault is not None

    play(work)


def test_resize__in_place_fails__runs_in_its_old_size() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig, "host-1", driver=failing(("guest_resize", "*")))
        await resize(api, may_stay=True)
        await rig.settled(600.0)
        check_whole(rig, flavor=FLAVOR, host="host-1")

    play(work)


def test_resize__no_room_anywhere__as_it_was_and_told_why() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig, "host-1")
        await resize(api)
        await rig.settled()
        check_whole(rig, flavor=FLAVOR, host="host-1")
        fault = shown(rig).fault
        assert fault is not None
        assert fault.message == f"{NO_VALID_HOST} None is left after IgnoredHosts."
        assert "IgnoredHosts removed 1 (e.g. host-1)" in fault.details

    play(work)


def test_confirm__source_is_down__it_owes_the_old_guest_and_settles_when_it_returns() -> None:
    """Scenario D2."""

    async def work(rig: Rig) -> None:
        refused = [("guest_destroy", "host-1")]
        api = await lives(rig, "host-1", "host-2", driver=failing(refused))
        await resize(api)
        await rig.settled()
        await act(api, "confirm_resize")
        await rig.settled(900.0)
        assert shown(rig).status == "ACTIVE"
        assert rig.held() == {server_id(): 4}
        assert [row[0] for row in rig.cell1.rows("SELECT host FROM tombstones")] == ["host-1"]
        refused.clear()
        await asyncio.sleep(60.0)
        check_whole(rig, flavor=LARGE, host="host-2")

    play(work)


def test_resized__both_hosts_restart__still_waits_and_both_ways_work() -> None:
    """Scenario D7."""

    async def work(rig: Rig) -> None:
        api = await lives(rig, "host-1", "host-2")
        await resize(api)
        await rig.settled()
        for host in ("host-1", "host-2"):
            rig.hypervisor.cut_power(HostName(host))
            rig.hypervisor.restore_power(HostName(host))
        await asyncio.sleep(60.0)
        assert shown(rig).status == "VERIFY_RESIZE"
        await act(api, "revert_resize")
        await rig.settled()
        check_whole(rig, flavor=FLAVOR, host="host-1")

    play(work)


def test_migrate__a_server_that_was_booted_onto_a_host__may_go_anywhere_else() -> None:
    """Scenario D8."""

    async def work(rig: Rig) -> None:
        api = await lives(rig)
        for to in ("host-2", None):
            await act(api, "migration", to=to)
            await rig.settled()
            await act(api, "confirm_resize")
            await rig.settled()
        assert shown(rig).host != "host-2"
        check_whole(rig, flavor=FLAVOR)

    play(work)


def test_moves__source_is_down__refused_at_once() -> None:
    """Scenario D6."""

    async def work(rig: Rig) -> None:
        api = await lives(rig)
        await host_down(rig, "host-1")
        for kind in ("migration", "live_migration"):
            with pytest.raises(HostNotUp):
                await act(api, kind)
        with pytest.raises(HostNotUp):
            await resize(api)
        assert ledger(rig) == (1, 512)

    play(work)


def test_live_migration__runs_elsewhere_without_having_been_started_anew() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig)
        await act(api, "live_migration")
        await rig.settled(300.0)
        assert shown(rig).host != "host-1"
        check_whole(rig, flavor=FLAVOR)
        assert [guest.boots for _, _, guest in rig.hypervisor.everything()] == [1]

    play(work)


def test_live_migration__destination_fails_to_prepare__nothing_at_the_source_is_touched() -> None:
    """Scenarios E2 and E4."""

    async def work(rig: Rig) -> None:
        api = await lives(rig, driver=failing(("guest_incoming", "*")))
        await act(api, "live_migration")
        await rig.settled(600.0)
        check_whole(rig, flavor=FLAVOR, host="host-1")
        assert rig.cell1.rows("SELECT status FROM migrations") == [("failed",)]

    play(work)


def test_live_migration__aborted__stays_and_says_so() -> None:
    async def work(rig: Rig) -> None:
        rig.hypervisor.migration_s = (300.0, 300.0)
        api = await lives(rig)
        await act(api, "live_migration")
        while ("live_migration", "migrate") not in rig.live():
            await asyncio.sleep(1.0)
        (migration,) = await api.migrations_under_way(server_id())
        await api.migration_wish(server_id(), migration.id, "abort", frozenset({"running"}))
        await rig.settled()
        check_whole(rig, flavor=FLAVOR, host="host-1")
        assert rig.cell1.rows("SELECT status FROM migrations") == [("cancelled",)]
        with pytest.raises(Conflict):
            await act(api, "confirm_resize")

    play(work)


def test_live_migration__forced__is_over_soon() -> None:
    async def work(rig: Rig) -> None:
        rig.hypervisor.migration_s = (900.0, 900.0)
        api = await lives(rig)
        await act(api, "live_migration")
        while ("live_migration", "migrate") not in rig.live():
            await asyncio.sleep(1.0)
        (migration,) = await api.migrations_under_way(server_id())
        await api.migration_wish(server_id(), migration.id, "force", frozenset({"running"}))
        await rig.settled()
        assert shown(rig).host != "host-1"
        check_whole(rig, flavor=FLAVOR)

    play(work)


def test_live_migration__to_a_host_without_room__refused_and_nothing_is_held_there() -> None:
    """Scenario E5."""

    async def work(rig: Rig) -> None:
        api = await lives(rig, "host-1", "host-2")
        await rig.boot(2, requested_host=HostName("host-2"), flavor=msgspec.structs.replace(FLAVOR, vcpus=64))
        await rig.boot(3, requested_host=HostName("host-2"), flavor=msgspec.structs.replace(FLAVOR, vcpus=64))
        await rig.settled()
        held = sum(rig.held().values())
        full = rig.placement.rows("SELECT capacity - used FROM inventories WHERE resource_class = 'VCPU'")
        assert full
        await act(api, "live_migration", to="host-9")
        await rig.settled()
        assert shown(rig).host == "host-1"
        assert sum(rig.held().values()) == held

    play(work)


@pytest.mark.parametrize("early", [False, True])
def test_evacuate__source_returns__one_guest_and_it_is_the_new_one(early: bool) -> None:
    """Scenario F1."""

    async def work(rig: Rig) -> None:
        api = await lives(rig)
        with pytest.raises(HostNotDown):
            await act(api, "evacuate")
        rig.hypervisor.cut_power(HostName("host-1"))
        await host_down(rig, "host-1")
        await start_watch(rig)
        await act(api, "evacuate")
        if not early:
            await rig.settled(300.0)
            assert shown(rig).status == "ACTIVE"
        rig.hypervisor.restore_power(HostName("host-1"))
        await host_down(rig, "host-1", down=False)
        await rig.settled(300.0)
        await asyncio.sleep(60.0)
        assert shown(rig).host != "host-1"
        check_whole(rig, flavor=FLAVOR)

    play(work)


def test_guest_that_may_run_on_a_lost_host__is_not_started_elsewhere() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(
            rig, "host-1", "host-2", driver=failing(("guest_start", "host-2"), ("guest_destroy", "host-2"))
        )
        await resize(api)
        while ("resize", "receive") not in rig.live():
            await asyncio.sleep(0.1)
        while ("resize", "start") not in rig.live():
            await asyncio.sleep(0.1)
        await host_down(rig, "host-2")
        await start_watch(rig)
        await rig.settled(2000.0)
        server = shown(rig)
        assert (server.host, server.vm_state, server.move) == ("host-1", VmState.STOPPED, None)
        with pytest.raises(MayRunElsewhere):
            await act(api, "start")

    play(work)


def test_timer__nobody_confirms__confirmed_by_itself() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig)
        parts = await rig.parts("timers")
        timers = Timers(parts, parts.cells.get(CELL1), [resize_confirmation(120.0)])
        parts.runtime.spawn(timers.run(), name="timers")
        await resize(api)
        await rig.settled()
        assert shown(rig).status == "VERIFY_RESIZE"
        await asyncio.sleep(150.0)
        await rig.settled()
        check_whole(rig, flavor=LARGE)

    play(work)


Happening = Callable[[Rig, Servers], Awaitable[None]]


async def delete(rig: Rig, api: Servers) -> None:
    await api.delete(CALLER, REQUEST, server_id())


async def take_over(rig: Rig, api: Servers) -> None:
    """The worker is frozen for longer than its lease, and others go on with its work."""
    await asyncio.sleep(16.0)
    await rig.start_all("other")
    await asyncio.sleep(8.0)


async def _moved_with(rig: Rig, kind: str, moment: int, happens: Happening) -> int:
    """Move a server with something happening before the worker's `moment`-th call; how many calls there were."""
    await rig.add_hosts(*HOSTS)
    await rig.start_agent(*HOSTS)
    api = await rig.boot(1, requested_host=HostName("host-1"))
    first = await rig.parts("first")
    boots = [rig.start_global(first, "first"), rig.start_cell(first, "first")]
    await rig.settled()
    for task in boots:
        task.cancel()
    rig.hypervisor.migration_s = (1.0, 1.0)
    interruption = Interruption(moment, lambda: happens(rig, api))
    if kind == "resize":
        await resize(api)
    else:
        await act(api, kind)
    rig.start_cell(await rig.parts("interrupted", interruption), "interrupted")
    await rig.settled(600.0)
    calls = interruption.passed
    await asyncio.sleep(45.0)
    await rig.start_all("last")
    await rig.settled(600.0)
    await asyncio.sleep(30.0)
    return calls


@pytest.mark.parametrize("kind", ["resize", "live_migration"])
def test_delete__at_every_moment_of_a_move__nothing_is_left(kind: str) -> None:
    async def nothing(rig: Rig, api: Servers) -> None: ...

    moments = play(lambda rig: _moved_with(rig, kind, 0, nothing))
    assert moments > 10
    for moment in range(1, moments + 1, 2):

        async def work(rig: Rig, moment: int = moment) -> None:
            await _moved_with(rig, kind, moment, delete)
            assert shown(rig).vm_state is VmState.DELETED
            assert (where(rig), rig.held(), rig.ports.ports) == ({}, {}, {}), moment
            assert rig.cell1.rows("SELECT * FROM tombstones") == []

        play(work)


@pytest.mark.parametrize("kind", ["resize", "live_migration"])
def test_worker_frozen_at_every_moment_of_a_move__it_ends_whole(kind: str) -> None:
    async def nothing(rig: Rig, api: Servers) -> None: ...

    moments = play(lambda rig: _moved_with(rig, kind, 0, nothing))
    for moment in range(1, moments + 1, 2):

        async def work(rig: Rig, moment: int = moment) -> None:
            await _moved_with(rig, kind, moment, take_over)
            server = shown(rig)
            assert server.task_state is None, moment
            if server.vm_state is VmState.RESIZED:
                api = await rig.servers()
                await act(api, "confirm_resize")
                await rig.settled()
            check_whole(rig, flavor=shown(rig).flavor)

        play(work)


def test_host__that_a_server_may_go_back_to__is_not_forgotten() -> None:
    """Scenarios F4 and G3."""

    async def work(rig: Rig) -> None:
        api = await lives(rig)
        await resize(api)
        await rig.settled()
        hosts = (await rig.parts("operator")).hosts
        with pytest.raises(HostBusy):
            await hosts.delete(HostName("host-1"))
        await act(api, "confirm_resize")
        await rig.settled()
        await hosts.delete(HostName("host-1"))
        await resize_away_and_delete(rig, api)
        await hosts.delete(HostName(str(shown(rig).host)))

    async def resize_away_and_delete(rig: Rig, api: Servers) -> None:
        await act(api, "migration")
        await rig.settled()
        await api.delete(CALLER, REQUEST, server_id())
        await rig.settled()

    play(work)
