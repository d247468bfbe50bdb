"""Transaction functions on SQLite: what one of them does wrong is nobody else's trouble, alone and in a group."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select

from kilonova.database.database import Transaction
from kilonova.database.sqlite import SqliteDatabase
from kilonova.runtime.real import RealRuntime

metadata = MetaData()
numbers = Table("numbers", metadata, Column("value", Integer, primary_key=True))


def add_txn(tx: Transaction, value: int, *, fail: bool = False) -> int:
    tx.execute(insert(numbers), {"value": value})
    if fail:
        raise ValueError(value)
    return value


def all_txn(tx: Transaction) -> list[int]:
    return list(tx.execute(select(numbers.c.value).order_by(numbers.c.value)).scalars())


def run(scenario, path: Path):
    async def with_database():
        database = SqliteDatabase("numbers", path / "numbers.sqlite", RealRuntime())
        await database.create(metadata)
        try:
            return await scenario(database)
        finally:
            await database.close()

    return asyncio.run(with_database())


def test_write__alone_and_fails__nothing_is_kept_and_the_next_one_goes_on(tmp_path):
    async def scenario(database):
        with pytest.raises(ValueError, match="1"):
            await database.write(add_txn, 1, fail=True)
        return await database.write(add_txn, 2), await database.read(all_txn)

    assert run(scenario, tmp_path) == (2, [2])


def test_write__one_of_a_group_fails__the_others_are_kept(tmp_path):
    async def scenario(database):
        asked = [database.write(add_txn, value, fail=value % 3 == 0) for value in range(10)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [str(answer) for answer in answers], await database.read(all_txn)

    answers, kept = run(scenario, tmp_path)
    assert answers == [str(value) for value in range(10)]
    assert kept == [1, 2, 4, 5, 7, 8]
