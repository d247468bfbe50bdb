"""A fleet is what the database says, however it came to be so."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

from sqlalchemy import delete, insert

from kilonova.database.database import Transaction
from kilonova.database.sqlite import SqliteDatabase
from kilonova.placement import store, tables
from kilonova.placement.placement import Placement
from kilonova.placement.search.fleet import Facts, Fleet, Stock
from kilonova.placement.search.loader import (
    GAP_MAX,
    TRANSACTION_MAX_S,
    LiveFleet,
    Seen,
    changes_txn,
    load_txn,
    seen_after,
)
from kilonova.placement.shapes import Claimed
from kilonova.runtime.real import RealRuntime
from unit.placement.placing import MemoryDatabase, claim, host, uuid_of

NEW_CHANGES = insert(tables.provider_changes)


def facts_of(fleet: Fleet) -> dict[str, Facts]:
    """What a fleet knows, and that its sets agree with it."""
    facts = {}
    for uuid, row in fleet.row_of.items():
        for trait in fleet.traits_of[row]:
            assert fleet.with_trait(trait) >> row & 1
        for aggregate in fleet.aggregates_of[row]:
            assert fleet.in_aggregate(aggregate) >> row & 1
        stocks = {name: shelf.stocks[row] for name, shelf in sorted(fleet.shelves.items()) if row in shelf.stocks}
        for name, stock in stocks.items():
            for amount in (1, 2, 3):
                assert (fleet.shelves[name].room(amount) >> row & 1) == stock.gives(amount)
        facts[uuid] = Facts(
            uuid=uuid,
            name=fleet.names[row],
            parent_uuid=fleet.parents[row],
            root_uuid=fleet.roots[row],
            stocks=stocks,
            traits=fleet.traits_of[row],
            aggregates=fleet.aggregates_of[row],
        )
    return facts


def changes(*numbers: int) -> Callable[[Transaction], None]:
    """A transaction that writes changes with these numbers."""

    def write(tx: Transaction) -> None:
        rows = [{"seq": n, "provider_uuid": uuid_of(n), "changed_at": tx.now} for n in numbers]
        tx.execute(NEW_CHANGES, rows)

    return write


def in_memory(work: Callable[[MemoryDatabase], Awaitable[None]]) -> None:
    async def run() -> None:
        database = MemoryDatabase()
        try:
            await work(database)
        finally:
            await database.close()

    asyncio.run(run())


def test_fresh__random_changes__is_what_a_new_load_would_be() -> None:
    async def work(database: MemoryDatabase) -> None:
        placement, live, draw = Placement(database), LiveFleet(database), random.Random(4)
        generations: dict[str, int | None] = {}
        for _ in range(300):
            number = draw.randrange(6)
            kind = draw.random()
            if kind < 0.25:
                traits = frozenset(draw.sample(("HW_CPU_X86_AVX", "HW_CPU_X86_AVX2"), draw.randrange(3)))
                await placement.providers_ensure([host(number, vcpus=draw.randint(8, 90), traits=traits)])
            elif kind < 0.35:
                aggregates = {uuid_of(0xA0 + draw.randrange(2))}
                await database.write(store.aggregates_replace_txn, uuid_of(number), aggregates)
            elif kind < 0.8:
                consumer = f"consumer-{draw.randrange(4)}"
                answer = await placement.claim(claim(consumer, number, generations.get(consumer)))
                generations[consumer] = getattr(answer, "generation", generations.get(consumer))
            else:
                consumer = f"consumer-{draw.randrange(4)}"
                generations[consumer] = getattr(await placement.release(consumer), "generation", None)
                if not await placement.consumers():
                    await placement.providers_remove([uuid_of(number)])
            if draw.random() < 0.6:
                anew, _ = await database.read(load_txn)
                assert facts_of(await live.fresh()) == facts_of(anew)

    in_memory(work)


def test_fresh__another_process_writes__is_seen(tmp_path: Path) -> None:
    async def run() -> None:
        one, other = (SqliteDatabase("placement", tmp_path / "placement.sqlite", RealRuntime()) for _ in range(2))
        try:
            await one.create(tables.metadata)
            live = LiveFleet(one)
            assert not (await live.fresh()).row_of
            await Placement(other).providers_ensure([host(1), host(2)])
            assert sorted((await live.fresh()).row_of) == [uuid_of(1), uuid_of(2)]
            await Placement(other).providers_remove([uuid_of(1)])
            assert sorted((await live.fresh()).row_of) == [uuid_of(2)]
        finally:
            await one.close()
            await other.close()

    asyncio.run(run())


def test_changes__committed_out_of_order__the_late_one_is_read() -> None:
    async def work(database: MemoryDatabase) -> None:
        await database.write(changes(1, 2))
        _, seen = await database.read(load_txn)
        await database.write(changes(4, 5))  # 3 is still on its way
        changed, seen = await database.read(changes_txn, seen)
        assert (list(changed), seen.last, list(seen.missing)) == ([uuid_of(4), uuid_of(5)], 5, [3])
        await database.write(changes(3))
        changed, seen = await database.read(changes_txn, seen)
        assert (list(changed), seen.last, list(seen.missing)) == ([uuid_of(3)], 5, [])

    in_memory(work)


def test_load__a_lower_number_is_on_its_way__is_read_when_it_comes() -> None:
    async def work(database: MemoryDatabase) -> None:
        await database.write(changes(7, 9))
        _, seen = await database.read(load_txn)
        await database.write(changes(8))
        changed, _ = await database.read(changes_txn, seen)
        assert list(changed) == [uuid_of(8)]

    in_memory(work)


def test_seen__a_number_that_never_comes__is_given_up_when_no_transaction_can_have_it() -> None:
    seen = seen_after(Seen(1, {}), [3], now=10.0)
    assert dict(seen.missing) == {2: 10.0}
    assert dict(seen_after(seen, [], now=10.0 + TRANSACTION_MAX_S).missing) == {2: 10.0}
    assert not seen_after(seen, [], now=11.0 + TRANSACTION_MAX_S).missing


def test_changes__forgotten_before_they_were_read__all_is_read_anew() -> None:
    async def work(database: MemoryDatabase) -> None:
        await database.write(changes(1, 2))
        _, seen = await database.read(load_txn)
        await database.write(changes(3, 4, 5))
        assert await database.write(store.changes_forget_txn, 1e9) == 4, "the newest stays"
        assert await database.read(changes_txn, seen) is None
        _, seen = await database.read(load_txn)
        assert await database.read(changes_txn, seen) == ({}, seen)

    in_memory(work)


def test_changes__a_gap_wider_than_is_waited_for__all_is_read_anew() -> None:
    async def work(database: MemoryDatabase) -> None:
        await database.write(changes(1))
        _, seen = await database.read(load_txn)
        await database.write(changes(GAP_MAX + 10))
        assert await database.read(changes_txn, seen) is None

    in_memory(work)


def test_fresh__most_rows_are_empty__the_fleet_is_made_anew() -> None:
    async def work(database: MemoryDatabase) -> None:
        placement, live = Placement(database), LiveFleet(database)
        await placement.providers_ensure([host(n) for n in range(1500)])
        await live.fresh()
        await database.write(
            lambda tx: tx.execute(delete(tables.provider_changes).where(tables.provider_changes.c.seq < 1500))
        )
        await placement.providers_remove([uuid_of(n) for n in range(1500)])
        fleet = await live.fresh()
        assert (len(fleet.uuids), len(fleet.row_of)) == (1500, 0)
        assert len((await live.fresh()).uuids) == 0

    in_memory(work)


def test_steady__a_provider_goes_meanwhile__seen_by_who_asks_next() -> None:
    async def work(database: MemoryDatabase) -> None:
        placement = Placement(database)
        await placement.providers_ensure([host(1)])
        async with placement.fleet.steady() as fleet:
            await placement.providers_remove([uuid_of(1)])
            other = asyncio.ensure_future(placement.fleet.fresh())
            await asyncio.sleep(0)
            assert list(fleet.row_of) == [uuid_of(1)], "nobody changes it under the one who works with it"
            assert not other.done()
        assert not (await other).row_of

    in_memory(work)


def test_fresh__only_use_has_changed__is_read_and_the_rest_stays() -> None:
    async def work(database: MemoryDatabase) -> None:
        placement, live = Placement(database), LiveFleet(database)
        await placement.providers_ensure([host(1, traits=frozenset({"HW_CPU_X86_AVX2"}))])
        fleet = await live.fresh()
        before = fleet.changes
        assert isinstance(await placement.claim(claim("one")), Claimed)
        assert await live.fresh() is fleet
        assert fleet.shelves["VCPU"].stocks[0].used == 2
        assert fleet.traits_of[0] == {"HW_CPU_X86_AVX2"}
        assert list(fleet.changed_since(before) or ()) == [0]
        await placement.release("one")
        await placement.providers_ensure([host(1, vcpus=16)])
        assert (await live.fresh()).shelves["VCPU"].stocks[0] == Stock(
            capacity=16, used=0, min_unit=1, max_unit=2**31 - 1, step_size=1
        )

    in_memory(work)
