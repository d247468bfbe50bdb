"""Writes `networks`."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, func, select, true
from sqlalchemy.exc import IntegrityError

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.standalone.network.errors import InvalidSharedSetting, NetworkInUse, NetworkNotFound
from kilonova.standalone.network.store import rows
from kilonova.standalone.network.store.chunks import chunks
from kilonova.standalone.network.tables import networks, ports, subnets, tags

_ONE = Prepared(select(networks).where(networks.c.id == bindparam("network_id")))
_SUBNETS = (
    select(subnets.c.network_id, subnets.c.id)
    .where(subnets.c.network_id.in_(bindparam("ids", expanding=True)))
    .order_by(subnets.c.created_at, subnets.c.id)
)


def get_txn(tx: Transaction, network_id: str) -> dict[str, Any]:
    """One network. Raises `NetworkNotFound`."""
    row = tx.execute(_ONE, {"network_id": network_id}).first()
    if row is None:
        raise NetworkNotFound(id=network_id[:80])
    return row._asdict()


def usable_txn(tx: Transaction, project_id: str) -> list[dict[str, Any]]:
    """The networks a project may put ports on: its own and shared ones, ordered by name and id."""
    statement = select(networks).where((networks.c.project_id == project_id) | (networks.c.shared == true()))
    return [row._asdict() for row in tx.execute(statement.order_by(networks.c.name, networks.c.id))]


def subnet_ids_txn(tx: Transaction, ids: Sequence[str]) -> dict[str, list[str]]:
    """By network, its subnets in the order in which they were made."""
    found: dict[str, list[str]] = {}
    for some in chunks(ids):
        for row in tx.execute(_SUBNETS, {"ids": some}):
            found.setdefault(row.network_id, []).append(row.id)
    return found


def insert_txn(tx: Transaction, row: Mapping[str, Any]) -> dict[str, Any]:
    """Make a network."""
    return rows.insert_txn(tx, networks, row)


def update_txn(tx: Transaction, row: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Change a network. Raises `InvalidSharedSetting` when others' ports are on one that shall be shared no more."""
    if row["shared"] and values.get("shared") is False:
        foreign = select(func.count()).select_from(ports)
        foreign = foreign.where(ports.c.network_id == row["id"], ports.c.project_id != row["project_id"])
        if tx.execute(foreign).scalar_one():
            raise InvalidSharedSetting(id=row["id"])
    rows.change_txn(tx, networks, row["id"], values)


def delete_txn(tx: Transaction, network_id: str) -> None:
    """Delete a network with its subnets. Raises `NetworkInUse` while there are ports on it."""
    of_network = select(subnets.c.id).where(subnets.c.network_id == network_id)
    try:
        tx.execute(delete(tags).where(tags.c.resource_id.in_(of_network)))
        tx.execute(delete(subnets).where(subnets.c.network_id == network_id))
        tx.execute(delete(networks).where(networks.c.id == network_id))
    except IntegrityError:
        raise NetworkInUse(id=network_id) from None
