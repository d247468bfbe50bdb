"""The event store: nothing is lost or doubled, whatever the order; facts can be made anew."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

from kilonova.database.sqlite import SqliteDatabase
from kilonova.database.tables import health_database
from kilonova.health.store import Cursor, Event, EventStore, Fact, facts_of_kinds_txn, known_until_txn
from kilonova.runtime.real import RealRuntime

EVENTS = [Event("source", str(n), "test.told", float(n), f"payload {n % 5}".encode()) for n in range(20)]


def derive(event: Event) -> Iterator[Fact]:
    yield Fact("said", "subject", event.at, event.payload)


def run(scenario, path: Path):
    async def with_store():
        database = SqliteDatabase("health", path / "health.sqlite", RealRuntime())
        await database.create(health_database.metadata)
        try:
            return await scenario(EventStore(database, {"test": derive}))
        finally:
            await database.close()

    path.mkdir(parents=True, exist_ok=True)
    return asyncio.run(with_store())


async def said(store: EventStore) -> list[Fact]:
    return await store.database.read(facts_of_kinds_txn, ["said"], 0.0, 1e9)


def test_append__any_order_and_twice__same_facts(tmp_path: Path) -> None:
    async def scenario(store: EventStore, events: list[Event]) -> list[Fact]:
        for event in events:
            await store.append([event])
        return await said(store)

    mixed = [*EVENTS, *EVENTS[3:9]]
    random.Random(7).shuffle(mixed)
    plain = run(lambda store: scenario(store, EVENTS), tmp_path / "plain")
    assert run(lambda store: scenario(store, mixed), tmp_path / "mixed") == plain
    assert [fact.at for fact in plain] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_append__known_events__are_counted_as_known_and_the_cursor_moves(tmp_path: Path) -> None:
    async def scenario(store: EventStore):
        first = await store.append(EVENTS[:5], Cursor("file", "5"), {"source": 5.0})
        second = await store.append(EVENTS[3:8], Cursor("file", "8"), {"source": 4.0})
        return first, second, await store.position("file"), await store.database.read(known_until_txn)

    first, second, position, until = run(scenario, tmp_path)
    assert (first.new, first.known) == (5, 0)
    assert (second.new, second.known) == (3, 2)
    assert (position, until) == ("8", {"source": 5.0})


def test_rebuild__of_events__equals_what_was_derived_on_the_way(tmp_path: Path) -> None:
    async def scenario(store: EventStore):
        await store.append(EVENTS)
        before = await said(store)
        count = await store.rebuild()
        return before, await said(store), count

    before, after, count = run(scenario, tmp_path)
    assert before == after
    assert count == len(after)


def test_append__known_event_with_another_time_and_word__facts_stay(tmp_path: Path) -> None:
    async def scenario(store: EventStore) -> tuple[list[Fact], list[Fact]]:
        await store.append(
            [Event("source", "1", "test.told", 5.0, b"first"), Event("source", "1", "test.told", 4.0, b"x")]
        )
        await store.append(
            [Event("source", "1", "test.told", 2.0, b"first"), Event("source", "1", "test.told", 3.0, b"x")]
        )
        kept = await said(store)
        await store.rebuild()
        return kept, await said(store)

    kept, again = run(scenario, tmp_path)
    assert [(fact.at, fact.body) for fact in kept] == [(5.0, b"first")]
    assert kept == again
