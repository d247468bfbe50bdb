"""Additions: an old database gets what is declared now, keeps what it has, and nothing is done twice."""

import pytest
from sqlalchemy import Column, Connection, Index, Integer, MetaData, String, Table, Text, create_engine, inspect, text

from kilonova.database.additions import add_what_is_missing

OLDER = MetaData()
Table("apples", OLDER, Column("id", Integer, primary_key=True))


def newer(*more: Column[object]) -> MetaData:
    metadata = MetaData()
    colour = Column("colour", String(16))
    weight = Column("weight", Integer, nullable=False, server_default="100")
    Table(
        "apples", metadata, Column("id", Integer, primary_key=True), colour, weight, *more, Index("by_colour", "colour")
    )
    Table("pears", metadata, Column("id", Integer, primary_key=True), Column("name", Text, index=True))
    return metadata


@pytest.fixture
def connection():
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        OLDER.create_all(connection)
        connection.execute(text("INSERT INTO apples VALUES (7)"))
        yield connection
    engine.dispose()


def shape(connection: Connection) -> dict[str, tuple[set[str], set[str | None]]]:
    found = inspect(connection)
    return {
        name: ({c["name"] for c in found.get_columns(name)}, {i["name"] for i in found.get_indexes(name)})
        for name in found.get_table_names()
    }


def test_add__older_tables__completed_and_rows_kept(connection: Connection) -> None:
    for _ in range(2):
        add_what_is_missing(connection, newer())
    assert shape(connection) == {
        "apples": ({"id", "colour", "weight"}, {"by_colour"}),
        "pears": ({"id", "name"}, {"ix_pears_name"}),
    }
    assert connection.execute(text("SELECT id, colour, weight FROM apples")).all() == [(7, None, 100)]


def test_add__killed_half_way__the_rest_is_made_next_time(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE apples ADD COLUMN colour VARCHAR(16)"))
    add_what_is_missing(connection, newer())
    assert shape(connection)["apples"] == ({"id", "colour", "weight"}, {"by_colour"})


def test_add__column_that_old_rows_can_have_no_value_for__refused(connection: Connection) -> None:
    with pytest.raises(AssertionError, match=r"apples\.sort is new: let it be nullable or give it a server_default"):
        add_what_is_missing(connection, newer(Column("sort", Text, nullable=False)))
