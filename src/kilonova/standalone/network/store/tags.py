"""Writes `tags`: words that users put on resources of any kind."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select

from kilonova.database.database import Transaction
from kilonova.standalone.network.store.chunks import chunks
from kilonova.standalone.network.tables import tags

_OF_RESOURCES = select(tags).where(tags.c.resource_id.in_(bindparam("ids", expanding=True))).order_by(tags.c.tag)


def of_txn(tx: Transaction, ids: Sequence[str]) -> dict[str, list[str]]:
    """By resource, its tags in alphabetic order; resources without any are left out."""
    found: dict[str, list[str]] = {}
    for some in chunks(ids):
        for row in tx.execute(_OF_RESOURCES, {"ids": some}):
            found.setdefault(row.resource_id, []).append(row.tag)
    return found


def add_txn(tx: Transaction, resource_id: str, tag: str) -> bool:
    """Put a tag on a resource; whether it was not there yet."""
    if tag in of_txn(tx, [resource_id]).get(resource_id, []):
        return False
    tx.execute(insert(tags), {"resource_id": resource_id, "tag": tag})
    return True


def replace_txn(tx: Transaction, resource_id: str, wanted: Sequence[str]) -> None:
    """Give a resource these tags and no others."""
    delete_all_txn(tx, resource_id)
    if wanted:
        tx.execute(insert(tags), [{"resource_id": resource_id, "tag": tag} for tag in wanted])


def delete_txn(tx: Transaction, resource_id: str, tag: str) -> bool:
    """Take a tag from a resource; whether it was there."""
    statement = delete(tags).where(tags.c.resource_id == resource_id, tags.c.tag == tag)
    return tx.execute(statement).rowcount == 1


def delete_all_txn(tx: Transaction, resource_id: str) -> None:
    """Take all tags from a resource."""
    tx.execute(delete(tags).where(tags.c.resource_id == resource_id))
