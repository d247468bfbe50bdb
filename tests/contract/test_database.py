"""What every database promises, asked of SQLite and of PostgreSQL: alone, in groups, and with several processes at once.

A process is played by a `Database` of its own on the same place; `tests/interop/test_race.py` has real ones.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, func, insert, select, update

from kilonova.database.database import Transaction, conditional
from kilonova.database.postgres import PostgresDatabase
from kilonova.database.sqlite import SqliteDatabase
from kilonova.kernel.errors import Invalid, KilonovaError
from kilonova.runtime.real import RealRuntime
from needs_postgres import NEEDS_POSTGRES
from tools.postgres_server import fresh_database

metadata = MetaData()
numbers = Table("numbers", metadata, Column("value", Integer, primary_key=True))
tallies = Table("tallies", metadata, Column("name", String(36), primary_key=True), Column("count", BigInteger))

Made = Callable[[], SqliteDatabase | PostgresDatabase]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=NEEDS_POSTGRES)])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """Opens the database, as one more process each time."""
    if request.param == "sqlite":
        return lambda: SqliteDatabase("numbers", tmp_path / "numbers.sqlite", RealRuntime())
    url = fresh_database(request.getfixturevalue("postgres_url"))
    return lambda: PostgresDatabase("numbers", url, RealRuntime())


def run(scenario, *opened: Made):
    async def with_databases():
        databases = [one() for one in opened]
        await databases[0].create(metadata)
        try:
            return await scenario(*databases)
        finally:
            for database in databases:
                await database.close()

    return asyncio.run(with_databases())


def add_txn(tx: Transaction, value: int, *, fail: bool = False) -> int:
    tx.execute(insert(numbers), {"value": value})
    if fail:
        raise ValueError(value)
    return value


def all_txn(tx: Transaction) -> list[int]:
    return list(tx.execute(select(numbers.c.value).order_by(numbers.c.value)).scalars())


def add_below_txn(tx: Transaction, value: int, limit: int) -> bool:
    """A quota as one writes it down: count, and add if there is room."""
    if tx.execute(select(func.count()).select_from(numbers)).scalar_one() >= limit:
        return False
    tx.execute(insert(numbers), {"value": value})
    return True


def either_txn(tx: Transaction, mine: int, other: int) -> bool:
    """Write skew: each looks for the other one's row and, where there is none, adds its own."""
    if tx.execute(select(numbers.c.value).where(numbers.c.value == other)).first() is not None:
        return False
    tx.execute(insert(numbers), {"value": mine})
    return True


def tally_txn(tx: Transaction, name: str) -> None:
    """Raise a count, or begin it: two may begin it at once."""
    raised = update(tallies).where(tallies.c.name == name).values(count=tallies.c["count"] + 1)
    if tx.execute(raised).rowcount == 0:
        tx.execute(insert(tallies), {"name": name, "count": 1})


@conditional
def tally_conditionally_txn(tx: Transaction, name: str) -> None:
    tally_txn(tx, name)


def reread_tally_txn(tx: Transaction, name: str) -> None:
    """A lost update waiting to happen: read, and write what was read plus one."""
    count = tx.execute(select(tallies.c["count"]).where(tallies.c.name == name)).scalar_one()
    tx.execute(update(tallies).where(tallies.c.name == name).values(count=count + 1))


def tallied_txn(tx: Transaction, name: str) -> int:
    return tx.execute(select(tallies.c["count"]).where(tallies.c.name == name)).scalar_one()


def test_write__alone_and_fails__nothing_is_kept_and_the_next_one_goes_on(made):
    async def scenario(database):
        with pytest.raises(ValueError, match="1"):
            await database.write(add_txn, 1, fail=True)
        return await database.write(add_txn, 2), await database.read(all_txn)

    assert run(scenario, made) == (2, [2])


def test_write__one_of_a_group_fails__the_others_are_kept(made):
    async def scenario(database):
        asked = [database.write(add_txn, value, fail=value % 3 == 0) for value in range(10)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [str(answer) for answer in answers], await database.read(all_txn)

    answers, kept = run(scenario, made)
    assert answers == [str(value) for value in range(10)]
    assert kept == [1, 2, 4, 5, 7, 8]


def test_write__limit_is_counted_by_many_at_once__it_is_exact(made):
    async def scenario(one, other):
        asked = [(one, other)[value % 2].write(add_below_txn, value, 7) for value in range(40)]
        granted = await asyncio.gather(*asked)
        return sum(granted), len(await one.read(all_txn))

    assert run(scenario, made, made) == (7, 7)


def test_write__two_that_exclude_each_other__never_both(made):
    async def scenario(one, other):
        pairs = [(2 * n, 2 * n + 1) for n in range(30)]
        both = [
            asyncio.gather(one.write(either_txn, left, right), other.write(either_txn, right, left))
            for left, right in pairs
        ]
        return [sorted(granted) for granted in await asyncio.gather(*both)]

    assert run(scenario, made, made) == [[False, True]] * 30


@pytest.mark.parametrize("work", [tally_txn, tally_conditionally_txn])
def test_write__first_rows_and_raises_at_once__none_is_lost(made, work):
    async def scenario(one, other):
        await asyncio.gather(*((one, other)[n % 2].write(work, "t") for n in range(60)))
        return await other.read(tallied_txn, "t")

    assert run(scenario, made, made) == 60


def test_write__what_was_read_is_written_back__no_update_is_lost(made):
    async def scenario(one, other):
        await one.write(tally_txn, "t")
        await asyncio.gather(*((one, other)[n % 2].write(reread_tally_txn, "t") for n in range(40)))
        return await other.read(tallied_txn, "t")

    assert run(scenario, made, made) == 41


def test_read__strings_and_sums__are_the_same_on_every_database(made):
    def words_txn(tx: Transaction) -> tuple[list[str], object]:
        rows = [{"name": name, "count": 2**40} for name in ("b", "B", "a-c", "ab", "é", "_")]
        tx.execute(insert(tallies), rows)
        names = list(tx.execute(select(tallies.c.name).order_by(tallies.c.name)).scalars())
        return names, tx.execute(select(func.sum(tallies.c["count"]))).scalar_one()

    async def scenario(database):
        return await database.write(words_txn)

    names, total = run(scenario, made)
    assert names == sorted(names)
    assert (total, type(total)) == (6 * 2**40, int)


def test_read__a_regular_expression__is_searched_whatever_the_case(made):
    def match_txn(tx: Transaction, pattern: str, text: str) -> bool:
        return tx.execute(select(func.kn_match(pattern, text))).scalar_one() == 1

    async def scenario(database):
        asked = (("WEB-[0-9]+$", "a-web-12"), ("^web", "a-web"), ("a|b", "xb"))
        return [await database.read(match_txn, pattern, text) for pattern, text in asked]

    assert run(scenario, made) == [True, False, True]


def test_now__one_transaction_after_another__goes_on(made):
    async def scenario(database):
        return [await database.write(lambda tx: tx.now) for _ in range(5)]

    times = run(scenario, made)
    assert times == sorted(times)


@NEEDS_POSTGRES
def test_postgres__connections_are_ended__the_work_is_done_again(postgres_url):
    url = fresh_database(postgres_url)

    def add_and_end_others_txn(tx: Transaction, value: int, ended: list[int]) -> None:
        add_txn(tx, value)
        if not ended:
            ended.append(value)
            tx.execute(select(func.pg_terminate_backend(func.pg_backend_pid())))

    async def scenario(database):
        await database.write(add_and_end_others_txn, 1, [])
        return await database.read(all_txn)

    assert run(scenario, lambda: PostgresDatabase("numbers", url, RealRuntime(), connections=1)) == [1]


@NEEDS_POSTGRES
def test_postgres__text_that_it_can_not_keep__is_refused_as_the_users_fault(postgres_url):
    url = fresh_database(postgres_url)

    async def scenario(database):
        with pytest.raises(Invalid, match="can't be kept"):
            await database.write(tally_txn, "a\0b")

    run(scenario, lambda: PostgresDatabase("numbers", url, RealRuntime()))


@NEEDS_POSTGRES
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (lambda url: url.replace("/postgres?", "/nowhere?"), "createdb"),
        (lambda url: url.replace("kilonova@", "nobody-here@"), "createuser"),
        (lambda url: url + "-elsewhere", "Start the server"),
    ],
)
def test_postgres__nobody_lets_us_in__is_told_what_to_do(postgres_url, changed, told):
    async def scenario():
        database = PostgresDatabase("numbers", changed(postgres_url), RealRuntime())
        try:
            await database.create(metadata)
        finally:
            await database.close()

    with pytest.raises(KilonovaError, match=told) as refused:
        asyncio.run(scenario())
    assert refused.value.code == "database-unusable"
