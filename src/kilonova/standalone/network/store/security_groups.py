"""Writes `security_groups`. Every project has one called `default`, made when it is first needed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, select, true
from sqlalchemy.exc import IntegrityError

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.standalone.network.errors import (
    SecurityGroupDefaultAlreadyExists,
    SecurityGroupInUse,
    SecurityGroupNotFound,
)
from kilonova.standalone.network.store import rows
from kilonova.standalone.network.store import security_group_rules as rules
from kilonova.standalone.network.store.chunks import chunks
from kilonova.standalone.network.tables import security_groups

DEFAULT = "default"
NewId = Callable[[], str]
"""Makes a new random id."""
_DEFAULT_OF = Prepared(
    select(security_groups.c.id).where(
        security_groups.c.project_id == bindparam("project_id"), security_groups.c.is_default == true()
    )
)

_OF_PROJECT = Prepared(
    select(security_groups)
    .where(security_groups.c.project_id == bindparam("project_id"))
    .order_by(security_groups.c.name, security_groups.c.id)
)

_OWNERS = select(security_groups.c.id, security_groups.c.project_id).where(
    security_groups.c.id.in_(bindparam("ids", expanding=True))
)


def default_txn(tx: Transaction, new_id: NewId, project_id: str) -> str:
    """The id of a project's default group, which is made when it is not there yet."""
    found = find_default_txn(tx, project_id)
    if found is not None:
        return found
    group = {"id": new_id(), "project_id": project_id, "name": DEFAULT, "description": "Default security group"}
    complete = rows.insert_txn(tx, security_groups, {**group, "is_default": True})
    rules.insert_defaults_txn(tx, new_id, complete, among_themselves=True)
    return str(group["id"])


def find_default_txn(tx: Transaction, project_id: str) -> str | None:
    """The id of a project's default group, if it is there."""
    return tx.execute(_DEFAULT_OF, {"project_id": project_id}).scalar_one_or_none()


def require_txn(tx: Transaction, ids: Sequence[str], project_id: str | None) -> None:
    """Raise `SecurityGroupNotFound` for the first that is not there, or belongs to another project than this one."""
    known: set[str] = set()
    for some in chunks(ids):
        found = tx.execute(_OWNERS, {"ids": some})
        known.update(row.id for row in found if project_id is None or row.project_id == project_id)
    for group_id in ids:
        if group_id not in known:
            raise SecurityGroupNotFound(id=group_id[:80])


def of_project_txn(tx: Transaction, project_id: str) -> list[dict[str, Any]]:
    """A project's groups, ordered by name and id."""
    return [row._asdict() for row in tx.execute(_OF_PROJECT, {"project_id": project_id})]


def insert_txn(tx: Transaction, new_id: NewId, row: Mapping[str, Any]) -> dict[str, Any]:
    """Make a group that lets everything out. Raises `SecurityGroupDefaultAlreadyExists` for the name `default`."""
    if row["name"] == DEFAULT:
        raise SecurityGroupDefaultAlreadyExists
    complete = rows.insert_txn(tx, security_groups, {**row, "is_default": None})
    rules.insert_defaults_txn(tx, new_id, complete, among_themselves=False)
    return complete


def update_txn(tx: Transaction, group_id: str, values: Mapping[str, Any]) -> None:
    """Change a group."""
    rows.change_txn(tx, security_groups, group_id, values)


def delete_txn(tx: Transaction, group_id: str) -> None:
    """Delete a group, its rules, and the rules of others that name it. Raises `SecurityGroupInUse` while ports have it."""
    try:
        tx.execute(delete(security_groups).where(security_groups.c.id == group_id))
    except IntegrityError:
        raise SecurityGroupInUse(id=group_id) from None
