"""What every resource's rows have in common: times, and a revision that counts changes."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, insert, update

from kilonova.database.database import Transaction


def insert_txn(tx: Transaction, table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Insert a resource's row; the row with its times and first revision. Raises `IntegrityError`."""
    complete = {**row, "revision_number": 1, "created_at": tx.now, "updated_at": tx.now}
    tx.execute(insert(table), complete)
    return complete


def change_txn(tx: Transaction, table: Table, resource_id: str, values: Mapping[str, Any]) -> None:
    """Change a resource's row, and note that it changed (also with no values, for what lies in other tables)."""
    counted = {"revision_number": table.c.revision_number + 1, "updated_at": tx.now}
    tx.execute(update(table).where(table.c.id == resource_id).values(**values, **counted))
