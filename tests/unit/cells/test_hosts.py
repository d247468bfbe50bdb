"""Hosts of cells: registered in bulk, read through a cache that never lies, found and mapped."""

import asyncio
from typing import Any

import msgspec
import pytest

from kilonova.cells.agents import agent_wire_txn
from kilonova.cells.cells import CellRecord, DuplicateCell
from kilonova.cells.hosts import HostBusy, agent_beat_txn, hosts_register_txn, hosts_settle_txn, hosts_up_txn
from kilonova.kernel.errors import NotFound, Unavailable
from kilonova.kernel.ids import CELL0, CellId, HostName
from kilonova.objects.history.wire import WIRE
from kilonova.objects.host import DOWN_AFTER_S, Session
from kilonova.operations import store
from kilonova.operations.discovery import Discovery
from kilonova.operations.work import Parts
from unit.operations.rig import CELL1, HOST, Rig, description, play, server

MANY = 10_000


async def register(parts: Parts, *names: str, agent: str = "agent", **fields: Any) -> None:
    found = [description(name, **fields) for name in names]
    await parts.cells.get(CELL1).database.write(hosts_register_txn, agent, "1.0", found, parts.runtime.uuid)


async def settle(parts: Parts, agent: str, seen_after: float, *unsettled: str, epoch: int = 1) -> bool:
    database = parts.cells.get(CELL1).database
    return await database.write(hosts_settle_txn, agent, epoch, seen_after, [HostName(name) for name in unsettled])


async def take(parts: Parts, agent: str, epoch: int, *names: str, session: str = "") -> tuple[int, bool]:
    found = [description(name) for name in names]
    asked = Session(id=session or f"session of {agent}", epoch=epoch)
    database = parts.cells.get(CELL1).database
    return await database.write(hosts_register_txn, agent, WIRE.newest.label, found, parts.runtime.uuid, asked)


def test_register__new_hosts_with_ids_of_their_own() -> None:
    async def work(rig: Rig) -> None:
        parts = await rig.parts("process")
        await register(parts, "b", "a")
        hosts = await parts.hosts.all()
        assert [host.name for host in hosts] == ["a", "b"]
        assert len({host.uuid for host in hosts} | {host.service_uuid for host in hosts}) == 4
        assert all(host.up(parts.runtime.now()) and host.enabled and host.cell_id == CELL1 for host in hosts)
        assert await parts.hosts.by_uuid(hosts[1].service_uuid) == hosts[1]

    play(work)


def test_register_again__only_what_changed_is_written() -> None:
    async def work(rig: Rig) -> None:
        parts = await rig.parts("process")
        await register(parts, "a", "b")
        before = {host.name: host for host in await parts.hosts.all()}
        await asyncio.sleep(1.0)
        await register(parts, "a")
        await register(parts, "b", vcpus=128)
        after = {host.name: host for host in await parts.hosts.all()}
        same = msgspec.structs.replace(after["a"], heartbeat_at=before["a"].heartbeat_at)
        assert same == before["a"]
        assert after["b"].description.vcpus == 128
        assert after["b"].uuid == before["b"].uuid

    play(work)


def test_ten_thousand_hosts__registered_at_once_and_read_without_being_read_again() -> None:
    async def work(rig: Rig) -> None:
        parts = await rig.parts("process")
        await register(parts, *(f"host-{number}" for number in range(MANY)))
        await Discovery(parts).look()
        hosts = await parts.hosts.all()
        assert len(hosts) == MANY
        assert rig.api.rows("SELECT count(*) FROM host_map") == [(MANY,)]
        assert rig.placement.rows("SELECT count(*) FROM providers") == [(MANY,)]
        assert await parts.hosts.all() is hosts
        _, states = await parts.snapshots.take(server(1))
        assert len(states) == MANY
        assert (await parts.snapshots.take(server(2)))[1] is states, "joined once, for many decisions"

    play(work)


def test_heartbeats__show_in_the_cache_and_silence_makes_hosts_down() -> None:
    async def work(rig: Rig) -> None:
        parts = await rig.parts("process")
        database = parts.cells.get(CELL1).database
        await register(parts, "a", agent="one")
        await register(parts, "b", agent="two")
        await Discovery(parts).look()
        await asyncio.sleep(DOWN_AFTER_S - 5.0)
        await database.write(agent_beat_txn, "one")
        await asyncio.sleep(10.0)
        now = parts.runtime.now()
        assert [host.up(now) for host in await parts.hosts.all()] == [True, False]
        assert await database.read(hosts_up_txn) == {"a"}
        assert [state.up for state in (await parts.snapshots.take(server()))[1]] == [True, False]
        at = await database.write(agent_beat_txn, "two")
        assert [state.name for state in (await parts.snapshots.take(server()))[1]] == ["a"], "b has to settle first"
        await settle(parts, "two", at)
        assert [state.up for state in (await parts.snapshots.take(server()))[1]] == [True, True]

    play(work)


def test_snapshot_that_is_kept__a_host_falls_silent__it_is_down_in_the_next() -> None:
    async def work(rig: Rig) -> None:
        parts = await rig.parts("process")
        await register(parts, "a")
        await Discovery(parts).look()
        assert [state.up for state in (await parts.snapshots.take(server()))[1]] == [True]
        await asyncio.sleep(DOWN_AFTER_S + 10.0)
        assert [state.up for state in (await parts.snapshots.take(server()))[1]] == [False]

    play(work)


def test_beat_before_registering__counts_for_nothing() -> None:
    async def work(rig: Rig) -> None:
        database = (await rig.parts("process")).cells.get(CELL1).database
        await database.write(agent_beat_txn, "stranger")
        assert await database.read(agent_wire_txn, "stranger") == ""
        assert rig.cell1.rows("SELECT * FROM agents") == []

    play(work)


@pytest.mark.parametrize("change", ["disable", "force_down", "owe"])
def test_change_of_a_host__seen_at_once_by_every_process(change: str) -> None:
    async def work(rig: Rig) -> None:
        one, other = await rig.parts("one"), await rig.parts("other")
        await register(one, "a", "b")
        await Discovery(one).look()
        name = HostName("a")
        assert len((await other.snapshots.take(server()))[1]) == 2
        if change == "disable":
            await one.hosts.disable(name, "broken fan")
            assert [state.enabled for state in (await other.snapshots.take(server()))[1]] == [False, True]
            assert (await other.hosts.get(name)).disabled_reason == "broken fan"
            await one.hosts.enable(name)
        elif change == "force_down":
            await one.hosts.force_down(name, down=True)
            assert [state.up for state in (await other.snapshots.take(server()))[1]] == [False, True]
            assert await one.cells.get(CELL1).database.read(hosts_up_txn) == {"b"}
            await one.hosts.force_down(name, down=False)
            assert [state.name for state in (await other.snapshots.take(server()))[1]] == ["b"], (
                "it has to settle first"
            )
            await settle(one, "agent", one.runtime.now() + 60.0)
        else:
            rig.cell1.write(lambda tx: store.tombstone_add_txn(tx, name, server().id, 1))
            assert [state.name for state in (await other.snapshots.take(server()))[1]] == ["b"]
            rig.cell1.write(lambda tx: store.tombstone_clear_txn(tx, name, server().id))
        states = (await other.snapshots.take(server()))[1]
        assert [(state.enabled, state.up) for state in states] == [(True, True)] * 2

    play(work)


def test_get__its_cell_does_not_answer__not_said_to_be_unknown() -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts()
        parts = await rig.parts("process")
        rig.cell1.down_until = rig.loop.time() + 60.0
        with pytest.raises(Unavailable):
            await parts.hosts.get(HOST)

    play(work)


def test_hosts__taken_by_the_session_that_asks_for_a_higher_epoch_and_by_no_other() -> None:
    async def work(rig: Rig) -> None:
        parts = await rig.parts("process")
        await register(parts, "a", "b")
        assert await take(parts, "agent", 1, "a", "b") == (1, False), "a program that knows no epochs has them at 1"
        assert await take(parts, "agent", 2, "a", "b") == (2, True)
        assert await take(parts, "agent", 2, "a", "b") == (2, True), "the same again describes them"
        assert await take(parts, "agent", 2, "a", "b", session="another") == (2, False)
        assert await take(parts, "agent", 3, "a", "b", session="another") == (3, True)
        assert await take(parts, "agent", 2, "a", "b") == (3, False), "a message that was late takes nothing back"
        assert rig.cell1.rows("SELECT name, epoch FROM hosts ORDER BY name") == [("a", 3), ("b", 3)]

    play(work)


def test_host_that_another_agent_takes__keeps_its_ids_and_is_not_taken_back_by_describing_it() -> None:
    async def work(rig: Rig) -> None:
        parts = await rig.parts("process")
        await take(parts, "one", 1, "a", "b")
        before = await parts.hosts.get(HostName("a"))
        assert await take(parts, "two", 2, "a") == (2, True)
        assert await take(parts, "one", 1, "a", "b", "c") == (1, True)
        after = await parts.hosts.get(HostName("a"))
        assert (after.agent, after.uuid, after.service_uuid) == ("two", before.uuid, before.service_uuid)
        served = rig.cell1.rows("SELECT name, agent, epoch FROM hosts ORDER BY name")
        assert served == [("a", "two", 2), ("b", "one", 1), ("c", "one", 1)]

    play(work)


def test_quarantine__of_hosts_that_were_down_until_they_have_shown_their_guests_and_owe_nothing() -> None:
    async def work(rig: Rig) -> None:
        parts = await rig.parts("process")
        await take(parts, "agent", 1, "a", "b", "c")
        await Discovery(parts).look()
        await asyncio.sleep(DOWN_AFTER_S - 1.0)
        await take(parts, "agent", 2, "a", "b", "c")
        assert await parts.hosts.owing() == frozenset(), "an agent that was only started anew"
        await asyncio.sleep(DOWN_AFTER_S + 1.0)
        await take(parts, "agent", 3, "a", "b", "c", session="another")
        assert await parts.hosts.owing() == {"a", "b", "c"}
        ((came_back,),) = rig.cell1.rows("SELECT DISTINCT quarantined_at FROM hosts")
        rig.cell1.write(lambda tx: store.tombstone_add_txn(tx, HostName("a"), server().id, 1))
        assert not await settle(parts, "agent", came_back - 1.0, epoch=3), "seen before it came back"
        assert not await settle(parts, "agent", came_back, epoch=2), "by a session of before"
        assert await settle(parts, "agent", came_back, "b", epoch=3)
        assert await parts.hosts.owing() == {"a", "b"}, "a owes a guest's end, and on b one has to go"
        rig.cell1.write(lambda tx: store.tombstone_clear_txn(tx, HostName("a"), server().id))
        assert await settle(parts, "agent", came_back, epoch=3)
        assert await parts.hosts.owing() == frozenset()

    play(work)


def test_host_that_is_not_mapped_yet__gets_no_servers() -> None:
    async def work(rig: Rig) -> None:
        parts = await rig.parts("process")
        await register(parts, "a")
        assert (await parts.snapshots.take(server()))[1] == []
        await Discovery(parts).look()
        assert [state.name for state in (await parts.snapshots.take(server()))[1]] == ["a"]

    play(work)


def test_delete__refused_while_servers_live_there_then_forgotten_everywhere() -> None:
    async def work(rig: Rig) -> None:
        parts = await rig.parts("process")
        await register(parts, HOST)
        await Discovery(parts).look()
        rig.cell1.write(lambda tx: store.server_insert_txn(tx, server(host=HOST)))
        with pytest.raises(HostBusy) as refused:
            await parts.hosts.delete(HOST)
        assert "1 servers" in refused.value.message
        assert (await parts.hosts.server_counts(), (await parts.hosts.usage())[HOST].vcpus) == ({HOST: 1}, 1)
        rig.cell1.write(lambda tx: store.server_forget_txn(tx, server().id))
        await parts.hosts.delete(HOST)
        assert (await parts.hosts.all(), await parts.hosts.mapped()) == ([], {})
        with pytest.raises(NotFound):
            await parts.hosts.get(HOST)

    play(work)


def test_deleted_host__is_new_once_its_agent_was_heard_of_and_not_by_a_message_that_was_late() -> None:
    async def work(rig: Rig) -> None:
        parts = await rig.parts("process")
        await take(parts, "agent", 1, "a", "b")
        before = await parts.hosts.get(HostName("a"))
        await parts.hosts.delete(HostName("a"))
        await take(parts, "agent", 1, "a", "b")
        assert [host.name for host in await parts.hosts.all()] == ["b"]
        await asyncio.sleep(1.0)
        await parts.cells.get(CELL1).database.write(agent_beat_txn, "agent", 1)
        await take(parts, "agent", 1, "a", "b")
        after = await parts.hosts.get(HostName("a"))
        assert after.uuid != before.uuid

    play(work)


def test_delete__refused_while_a_step_is_to_be_done_there() -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts()
        await rig.start_all()
        await rig.boot(1)
        while ("boot", "spawn") not in rig.live():
            await asyncio.sleep(0.1)
        with pytest.raises(HostBusy):
            await (await rig.parts("operator")).hosts.delete(HOST)

    play(work)


def test_cells__cell0_first_then_by_age_and_no_name_or_database_twice() -> None:
    async def work(rig: Rig) -> None:
        cells = (await rig.parts("process")).cells
        assert [cell.id for cell in cells.all] == [CELL0, CELL1]
        assert [cell.id for cell in cells.with_hosts] == [CELL1]
        taken = CellRecord(id=CellId("new"), name="new", database_url=CELL1, bus_url="", disabled=False, created_at=9e9)
        with pytest.raises(DuplicateCell):
            await cells.add(taken)
        with pytest.raises(NotFound):
            cells.get(CellId("new"))

    play(work)
