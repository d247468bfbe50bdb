"""What every resource's rows have in common: times, and a revision that counts changes."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Table, bindparam, insert, update

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared


def insert_txn(tx: Transaction, table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Insert a resource's row; the row with its times and first revision. Raises `IntegrityError`."""
    complete = {**row, "revision_number": 1, "created_at": tx.now, "updated_at": tx.now}
    tx.execute(_insert(table), complete)
    return complete


def change_txn(tx: Transaction, table: Table, resource_id: str, values: Mapping[str, Any]) -> None:
    """Change a resource's row, and note that it changed (also with no values, for what lies in other tables)."""
    new = {f"new_{name}": value for name, value in values.items()}
    tx.execute(_change(table, tuple(values)), {**new, "key": resource_id, "now": tx.now})


@cache
def _insert(table: Table) -> Prepared:
    return Prepared(insert(table))


@cache
def _change(table: Table, names: tuple[str, ...]) -> Prepared:
    """Set the columns `names` of a row, and count it; built once each."""
    new = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    counted = {"revision_number": table.c.revision_number + 1, "updated_at": bindparam("now")}
    return Prepared(update(table).where(table.c.id == bindparam("key")).values(**new, **counted))
