"""Simulated databases: what was acknowledged is kept, what wasn't may be."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select, update

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Conflict, Unavailable
from kilonova.simulation.database import DatabaseServer, SimDatabase
from kilonova.simulation.faults import QUIET, Faults, Rates
from kilonova.simulation.loop import SimLoop, simulate
from kilonova.simulation.process import Process
from kilonova.simulation.runtime import STARTED_AT
from kilonova.simulation.sometimes import Sometimes

metadata = MetaData()
counters = Table("counters", metadata, Column("id", String(8), primary_key=True), Column("n", Integer, nullable=False))


def add_txn(tx: Transaction, name: str) -> None:
    tx.execute(insert(counters), {"id": name, "n": 0})


def bump_txn(tx: Transaction) -> int:
    tx.execute(update(counters).values(n=counters.c.n + 1))
    return int(tx.execute(select(func.sum(counters.c.n))).scalar_one())


def count_txn(tx: Transaction) -> int:
    return int(tx.execute(select(func.count()).select_from(counters)).scalar_one())


def _run(work: Callable[[SimLoop, DatabaseServer, SimDatabase, Sometimes], Any], rates: Rates = QUIET, seed: int = 1):
    async def main(loop: SimLoop) -> Any:
        server = DatabaseServer(loop, "db", metadata)
        sometimes = Sometimes()
        database = SimDatabase(loop, server, loop.process("client"), Faults(rates), sometimes)
        try:
            return await work(loop, server, database, sometimes)
        finally:
            server.close()

    return simulate(main, seed)[0]


def test_write__is_there_for_other_processes():
    async def work(loop, server, database, sometimes):
        await database.write(add_txn, "a")
        other = SimDatabase(loop, server, loop.process("other"), Faults(QUIET), sometimes)
        return await other.read(count_txn), await other.scan(count_txn)

    assert _run(work) == (1, 1)


def test_transaction_raises__nothing_is_kept():
    async def work(loop, server, database, sometimes):
        def fail_txn(tx: Transaction) -> None:
            add_txn(tx, "a")
            raise Conflict(reason="no")

        with pytest.raises(Conflict):
            await database.write(fail_txn)
        return await database.read(count_txn)

    assert _run(work) == 0


def test_answer_lost__committed_and_unavailable():
    async def work(loop, server, database, sometimes):
        with pytest.raises(Unavailable):
            await database.write(add_txn, "a")
        return server.read(count_txn), sometimes.counts["commit_ambiguous"]

    assert _run(work, msgspec.structs.replace(QUIET, db_answer_lost=1.0)) == (1, 1)


def test_deadlock__the_function_runs_again_and_its_first_run_leaves_nothing():
    async def work(loop, server, database, sometimes):
        await database.write(add_txn, "a")
        runs = 0

        def counted_txn(tx: Transaction) -> int:
            nonlocal runs
            runs += 1
            return bump_txn(tx)

        sums = [await database.write(counted_txn) for _ in range(20)]
        return sums, runs, sometimes.counts["transaction_repeated"]

    sums, runs, repeated = _run(work, msgspec.structs.replace(QUIET, db_deadlock=0.5))
    assert sums == list(range(1, 21))
    assert runs > 25
    assert repeated >= runs - 20


def test_refused__nothing_ran():
    async def work(loop, server, database, sometimes):
        with pytest.raises(Unavailable):
            await database.write(add_txn, "a")
        return server.read(count_txn)

    assert _run(work, msgspec.structs.replace(QUIET, db_refused=1.0)) == 0


def test_server_down__refused_until_it_is_back():
    async def work(loop, server, database, sometimes):
        server.down_until = 5.0
        with pytest.raises(Unavailable):
            await database.read(count_txn)
        await asyncio.sleep(5.0)
        return await database.read(count_txn)

    assert _run(work) == 0


def test_killed_between_commit_and_answer__committed():
    async def work(loop, server, database, sometimes):
        heard: list[str] = []
        process: Process = loop.process("victim")
        theirs = SimDatabase(loop, server, process, Faults(QUIET), sometimes)

        async def write() -> None:
            await theirs.write(add_txn, "a")
            heard.append("answer")

        process.spawn(write(), name="write")
        while server.commits == 0:
            await asyncio.sleep(0.0001)
        process.kill()
        await asyncio.sleep(1.0)
        return server.read(count_txn), heard

    assert _run(work) == (1, [])


def test_database_time__is_its_own_and_one_value_in_a_transaction():
    async def work(loop, server, database, sometimes):
        await asyncio.sleep(10.0)
        return await database.read(lambda tx: tx.now - STARTED_AT)

    assert 10.0 <= _run(work) < 10.1


def test_reading_transaction_that_writes__is_an_error():
    async def work(loop, server, database, sometimes):
        with pytest.raises(AssertionError, match="reading transaction wrote"):
            await database.read(add_txn, "a")

    _run(work)
