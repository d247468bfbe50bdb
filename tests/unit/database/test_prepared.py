"""Prepared statements: the same answers and the same errors as SQLAlchemy's own execution, with less done for each."""

from collections.abc import Iterator

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared

metadata = MetaData()
things = Table(
    "things",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("good", Boolean, nullable=False),
    Column("body", LargeBinary),
    Column("tags", JSON),
)
ADD = Prepared(insert(things))
GOOD = select(things).where(things.c.good == bindparam("wanted"), things.c.id != "hidden").order_by(things.c.id)
ROWS = [
    {"id": "a", "good": True, "body": b"\x00\xff", "tags": ["x"]},
    {"id": "b", "good": False, "body": None, "tags": {}},
    {"id": "c", "good": True, "body": b"", "tags": None},
    {"id": "hidden", "good": True, "body": b"", "tags": None},
]


@pytest.fixture
def tx() -> Iterator[Transaction]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        metadata.create_all(connection)
        yield Transaction(connection, 0.0)
    engine.dispose()


def test_rows__values_of_every_kind__as_a_plain_statement_returns_them(tx):
    assert tx.execute(ADD, ROWS).rowcount == 4
    wanted = {"wanted": True}
    assert tx.execute(Prepared(GOOD), wanted).mappings().all() == tx.execute(GOOD, wanted).mappings().all()
    first = tx.execute(Prepared(GOOD), wanted).first()
    assert (first.id, first.good, first.body, first.tags) == ("a", True, b"\x00\xff", ["x"])


def test_rows__nothing_found__as_a_plain_statement_says_it(tx):
    found = Prepared(GOOD)
    assert tx.execute(found, {"wanted": True}).first() is None
    assert tx.execute(found, {"wanted": True}).scalar() is None
    assert tx.execute(found, {"wanted": True}).all() == []


def test_parameters__the_statement_does_not_have_them__they_are_let_be(tx):
    assert tx.execute(Prepared(GOOD), {"wanted": True, "other": 1}).all() == []


def test_parameters__one_is_missing__key_error(tx):
    with pytest.raises(KeyError):
        tx.execute(Prepared(GOOD), {"other": 1})


def test_insert__other_columns_each_time__the_others_stay_empty(tx):
    tx.execute(ADD, {"id": "a", "good": True})
    tx.execute(ADD, {"good": True, "id": "b", "body": b"b"})
    assert tx.execute(select(things.c.id, things.c.body).order_by(things.c.id)).all() == [("a", None), ("b", b"b")]


def test_update__how_many_rows_it_wrote__told(tx):
    tx.execute(ADD, ROWS)
    spoil = Prepared(update(things).where(things.c.good == bindparam("were")))
    assert tx.execute(spoil, {"were": True, "good": False}).rowcount == 3
    assert tx.execute(spoil, {"were": True, "good": False}).rowcount == 0


def test_errors__those_of_sqlalchemy(tx):
    tx.execute(ADD, ROWS[0])
    with pytest.raises(IntegrityError):
        tx.execute(ADD, ROWS[0])
    with pytest.raises(OperationalError):
        tx.execute(Prepared(select(Table("nowhere", MetaData(), Column("id", String)))))


def test_list_as_one_parameter__refused(tx):
    some = Prepared(select(things).where(things.c.id.in_(bindparam("ids", expanding=True))))
    with pytest.raises(AssertionError, match="a list"):
        tx.execute(some, {"ids": ["a"]})
