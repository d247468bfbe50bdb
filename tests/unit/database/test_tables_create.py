"""Making tables: what is missing is made, what is there stays as it is."""

import asyncio
from pathlib import Path

from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, inspect, select

from kilonova.database.database import tables_create_txn
from kilonova.database.sqlite import SqliteDatabase
from kilonova.runtime.real import RealRuntime

OLDER = MetaData()
apples = Table("apples", OLDER, Column("id", Integer, primary_key=True))
NEWER = MetaData()
Table("apples", NEWER, Column("id", Integer, primary_key=True))
Table("pears", NEWER, Column("id", Integer, primary_key=True), Column("name", Text, index=True))


def test_tables_create__some_are_there__the_others_are_made_with_their_indexes(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[int], list[str], list[str | None]]:
        database = SqliteDatabase("fruit", tmp_path / "fruit.sqlite", RealRuntime())
        await database.create(OLDER)
        await database.write(lambda tx: tx.execute(insert(apples), {"id": 7}))
        for _ in range(2):
            await database.write(tables_create_txn, NEWER)
        kept = await database.read(lambda tx: list(tx.execute(select(apples.c.id)).scalars()))
        names = await database.read(lambda tx: inspect(tx.connection).get_table_names())
        indexes = await database.read(lambda tx: [one["name"] for one in inspect(tx.connection).get_indexes("pears")])
        await database.close()
        return kept, sorted(names), indexes

    assert asyncio.run(scenario()) == ([7], ["apples", "pears"], ["ix_pears_name"])
