"""Writes `subnets`."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.exc import IntegrityError

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.standalone.network.errors import InvalidInput, SubnetInUse
from kilonova.standalone.network.store import addresses, rows
from kilonova.standalone.network.tables import networks, ports, subnets

_OF_NETWORK = Prepared(
    select(subnets).where(subnets.c.network_id == bindparam("network_id")).order_by(subnets.c.created_at, subnets.c.id)
)


def of_network_txn(tx: Transaction, network_id: str) -> list[dict[str, Any]]:
    """The subnets of a network in the order in which they were made."""
    return [row._asdict() for row in tx.execute(_OF_NETWORK, {"network_id": network_id})]


def insert_txn(tx: Transaction, row: Mapping[str, Any]) -> dict[str, Any]:
    """Make a subnet; ports that are there get an address where it follows from their MAC.

    Raises `InvalidInput` when it overlaps another one of its network.
    """
    tx.execute(select(networks.c.id).where(networks.c.id == row["network_id"]).with_for_update())
    cidr = ipaddress.ip_network(row["cidr"])
    for other in of_network_txn(tx, row["network_id"]):
        if cidr.overlaps(ipaddress.ip_network(other["cidr"])):
            reason = f"Requested subnet with cidr: {cidr} for network: {row['network_id']} overlaps with another subnet"
            raise InvalidInput(reason=f"{reason}: {other['id']}, {other['cidr']}")
    complete = rows.insert_txn(tx, subnets, row)
    there = select(ports).where(ports.c.network_id == row["network_id"])
    if row["ipv6_address_mode"] is not None:
        addresses.automatic_for_txn(tx, complete, [port._asdict() for port in tx.execute(there)])
    return complete


def update_txn(tx: Transaction, subnet_id: str, values: Mapping[str, Any]) -> None:
    """Change a subnet."""
    rows.change_txn(tx, subnets, subnet_id, values)


def delete_txn(tx: Transaction, row: Mapping[str, Any]) -> None:
    """Delete a subnet. Raises `SubnetInUse` while ports have addresses of it that they can't do without."""
    addresses.release_automatic_txn(tx, row)
    try:
        tx.execute(delete(subnets).where(subnets.c.id == row["id"]))
    except IntegrityError:
        raise SubnetInUse(id=row["id"]) from None
