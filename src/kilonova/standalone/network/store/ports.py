"""Writes `ports` and `port_security_groups`."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.standalone.network.errors import MacAddressInUse, PortNotFound
from kilonova.standalone.network.store import rows
from kilonova.standalone.network.store.chunks import chunks
from kilonova.standalone.network.tables import port_security_groups, ports, tags

UNBOUND = "unbound"
BOUND = "other"
"""The type of a bound port's interface: none of Neutron's own, for the hypervisor's driver connects it as it can."""

_ONE = Prepared(select(ports).where(ports.c.id == bindparam("port_id")))
_LINK = Prepared(insert(port_security_groups))
_OF_DEVICE = Prepared(select(ports).where(ports.c.device_id == bindparam("device")).order_by(ports.c.id))
_PAGE = Prepared(select(ports).where(ports.c.id > bindparam("after")).order_by(ports.c.id).limit(bindparam("most")))
_GROUPS = (
    select(port_security_groups)
    .where(port_security_groups.c.port_id.in_(bindparam("ids", expanding=True)))
    .order_by(port_security_groups.c.security_group_id)
)


def get_txn(tx: Transaction, port_id: str) -> dict[str, Any]:
    """One port. Raises `PortNotFound`."""
    row = find_txn(tx, port_id)
    if row is None:
        raise PortNotFound(id=port_id[:80])
    return row


def find_txn(tx: Transaction, port_id: str) -> dict[str, Any] | None:
    """One port, if it is there."""
    row = tx.execute(_ONE, {"port_id": port_id}).first()
    return None if row is None else row._asdict()


def of_device_txn(tx: Transaction, device_id: str) -> list[dict[str, Any]]:
    """The ports of a device, ordered by id."""
    return [row._asdict() for row in tx.execute(_OF_DEVICE, {"device": device_id})]


def page_txn(tx: Transaction, after: str, most: int) -> list[dict[str, Any]]:
    """Ports in order of id, after the id `after`."""
    return [row._asdict() for row in tx.execute(_PAGE, {"after": after, "most": most})]


def groups_txn(tx: Transaction, ids: Sequence[str]) -> dict[str, list[str]]:
    """By port, its security groups."""
    found: dict[str, list[str]] = {}
    for some in chunks(ids):
        for row in tx.execute(_GROUPS, {"ids": some}):
            found.setdefault(row.port_id, []).append(row.security_group_id)
    return found


def insert_txn(tx: Transaction, row: Mapping[str, Any], groups: Sequence[str]) -> dict[str, Any]:
    """Make a port without addresses. Raises `MacAddressInUse`."""
    try:
        complete = rows.insert_txn(tx, ports, {**row, **binding(row["host_id"])})
    except IntegrityError:
        raise MacAddressInUse(network=row["network_id"], mac=row["mac_address"]) from None
    _link_txn(tx, row["id"], groups)
    return complete


def update_txn(
    tx: Transaction, row: Mapping[str, Any], values: Mapping[str, Any], groups: Sequence[str] | None = None
) -> None:
    """Change a port, and its security groups when some are named. Raises `MacAddressInUse`."""
    bound = binding(values["host_id"]) if "host_id" in values else {}
    try:
        rows.change_txn(tx, ports, row["id"], {**values, **bound})
    except IntegrityError:
        raise MacAddressInUse(network=row["network_id"], mac=values.get("mac_address", "")) from None
    if groups is not None:
        tx.execute(delete(port_security_groups).where(port_security_groups.c.port_id == row["id"]))
        _link_txn(tx, row["id"], groups)


def delete_txn(tx: Transaction, port_id: str) -> None:
    """Delete a port; its addresses are free at once."""
    tx.execute(delete(tags).where(tags.c.resource_id == port_id))
    tx.execute(delete(ports).where(ports.c.id == port_id))


def binding(host_id: str) -> dict[str, str]:
    """What follows from a port's host: there is no agent that could be late, so a bound port is active."""
    return {"vif_type": BOUND, "status": "ACTIVE"} if host_id else {"vif_type": UNBOUND, "status": "DOWN"}


def _link_txn(tx: Transaction, port_id: str, groups: Sequence[str]) -> None:
    if groups:
        linked = [{"port_id": port_id, "security_group_id": group_id} for group_id in groups]
        tx.execute(_LINK, linked)
