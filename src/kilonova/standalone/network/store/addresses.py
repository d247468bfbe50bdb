"""Writes `allocations`: which port has which address.

The primary key of an allocation is the address itself, so no address is ever given twice. Who takes the next free one
holds the subnet's row until the end of the transaction, so two of them never look at the same gap.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.standalone.network.addresses import AUTO_MODES, eui64, free_address, is_usable, position
from kilonova.standalone.network.errors import (
    InvalidIpForNetwork,
    InvalidIpForSubnet,
    IpAddressAlreadyAllocated,
    IpAddressGenerationFailure,
    SubnetNotFound,
)
from kilonova.standalone.network.store.chunks import chunks
from kilonova.standalone.network.tables import allocations, subnets

Row = Mapping[str, Any]
FixedIp = dict[str, str]
"""`subnet_id`, `ip_address` or both, as the API writes it."""

_OF_PORTS = (
    select(allocations)
    .join(subnets)
    .where(allocations.c.port_id.in_(bindparam("ids", expanding=True)))
    .order_by(subnets.c.ip_version, subnets.c.created_at, allocations.c.position)
)
_SUBNETS = Prepared(
    select(subnets)
    .where(subnets.c.network_id == bindparam("network_id"))
    .order_by(subnets.c.created_at, subnets.c.id)
    .with_for_update()
)
_TAKEN = Prepared(
    select(allocations.c.position)
    .where(allocations.c.subnet_id == bindparam("subnet_id"))
    .where(allocations.c.position.between(bindparam("first"), bindparam("last")))
    .order_by(allocations.c.position)
    .limit(bindparam("at_most"))
)
_INSERT = Prepared(insert(allocations))
_ADVANCE = Prepared(
    update(subnets).where(subnets.c.id == bindparam("subnet_id")).values(next_address=bindparam("following"))
)


def of_ports_txn(tx: Transaction, ids: Sequence[str]) -> dict[str, list[FixedIp]]:
    """By port, its addresses: those of IPv4 first, each in the subnets' order."""
    found: dict[str, list[FixedIp]] = {}
    for some in chunks(ids):
        for row in tx.execute(_OF_PORTS, {"ids": some}):
            found.setdefault(row.port_id, []).append({"subnet_id": row.subnet_id, "ip_address": row.address})
    return found


def holder_txn(tx: Transaction, subnet_id: str, address: str) -> str | None:
    """The port that has an address of a subnet."""
    statement = select(allocations.c.port_id)
    statement = statement.where(allocations.c.subnet_id == subnet_id, allocations.c.address == address)
    return tx.execute(statement).scalar_one_or_none()


def assign_txn(tx: Transaction, port: Row, wanted: Sequence[FixedIp] | None) -> list[FixedIp]:
    """Give a new port its addresses: those wanted, or one of each IP version that its network has subnets of.

    Subnets in which addresses follow from MACs give every port one, unless it wants none at all.
    Raises `IpAddressGenerationFailure`, `IpAddressAlreadyAllocated`, `InvalidIpForNetwork`, `InvalidIpForSubnet`,
    `SubnetNotFound`.
    """
    known = _subnets_of_txn(tx, port["network_id"])
    taken = [_wanted_txn(tx, known, port, one) for one in wanted or ()]
    if wanted is None:
        for version in (4, 6):
            pooled = [one for one in known if one["ip_version"] == version and not _auto(one)]
            if pooled:
                taken.append(_next_txn(tx, pooled, port))
    if wanted is None or wanted:
        taken += _automatic_txn(tx, known, port, taken)
    return taken


def reassign_txn(tx: Transaction, port: Row, wanted: Sequence[FixedIp]) -> None:
    """Change a port's addresses to those wanted; what it has and is wanted, stays. Raises as `assign_txn`."""
    present = of_ports_txn(tx, [port["id"]]).get(port["id"], [])
    kept, new = [], []
    for one in wanted:
        same = [has for has in present if has not in kept and all(has[key] == value for key, value in one.items())]
        kept.extend(same[:1])
        new.extend([] if same else [one])
    for has in present:
        if has not in kept:
            _release_txn(tx, has["subnet_id"], has["ip_address"])
    known = _subnets_of_txn(tx, port["network_id"])
    taken = [*kept, *(_wanted_txn(tx, known, port, one) for one in new)]
    if wanted:
        _automatic_txn(tx, known, port, taken)


def automatic_for_txn(tx: Transaction, subnet: Row, ports: Sequence[Row]) -> None:
    """Give ports that were there before a subnet their addresses in it, when they follow from the MAC."""
    for port in ports:
        _automatic_txn(tx, [subnet], port, ())


def release_automatic_txn(tx: Transaction, subnet: Row) -> None:
    """Take back the addresses that a subnet gave by itself."""
    if _auto(subnet):
        tx.execute(delete(allocations).where(allocations.c.subnet_id == subnet["id"]))


def _auto(subnet: Row) -> bool:
    return subnet["ipv6_address_mode"] in AUTO_MODES


def _subnets_of_txn(tx: Transaction, network_id: str) -> list[dict[str, Any]]:
    """The subnets of a network, held until the end of the transaction."""
    return [row._asdict() for row in tx.execute(_SUBNETS, {"network_id": network_id})]


def _next_txn(tx: Transaction, candidates: Sequence[Row], port: Row) -> FixedIp:
    """Take the next free address of the first subnet that has one."""
    for subnet in candidates:
        address = _free_txn(tx, subnet)
        if address is not None:
            following = position(int(address) + 1, subnet["ip_version"])
            tx.execute(_ADVANCE, {"subnet_id": subnet["id"], "following": following})
            return _take_txn(tx, subnet, str(address), port)
    raise IpAddressGenerationFailure(network=port["network_id"])


def _free_txn(tx: Transaction, subnet: Row) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    version = subnet["ip_version"]

    def taken(first: int, last: int, limit: int) -> list[int]:
        within = {"first": position(first, version), "last": position(last, version)}
        found = tx.execute(_TAKEN, {"subnet_id": subnet["id"], "at_most": limit, **within}).scalars()
        return [int(text, 16) for text in found]

    pools = [
        (int(ipaddress.ip_address(pool["start"])), int(ipaddress.ip_address(pool["end"])))
        for pool in subnet["allocation_pools"]
    ]
    found = free_address(pools, int(subnet["next_address"], 16), taken)
    kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    return None if found is None else kind(found)


def _wanted_txn(tx: Transaction, known: Sequence[Row], port: Row, wanted: FixedIp) -> FixedIp:
    """Take a wanted address, or the next one of a wanted subnet."""
    subnet_id, text = wanted.get("subnet_id"), wanted.get("ip_address")
    candidates = [one for one in known if subnet_id in {None, one["id"]}]
    if subnet_id is not None and not candidates:
        raise SubnetNotFound(id=subnet_id)
    if text is None:
        pooled = [one for one in candidates if not _auto(one)]
        return _next_txn(tx, pooled, port) if pooled else _automatic_txn(tx, candidates, port, ())[0]
    address = ipaddress.ip_address(text)
    for subnet in candidates:
        if is_usable(ipaddress.ip_network(subnet["cidr"]), address):
            return _take_txn(tx, subnet, text, port)
    raise InvalidIpForNetwork(ip=text) if subnet_id is None else InvalidIpForSubnet(ip=text)


def _automatic_txn(tx: Transaction, known: Sequence[Row], port: Row, has: Sequence[FixedIp]) -> list[FixedIp]:
    """Take the addresses that follow from the port's MAC, in subnets where it has none yet."""
    covered = {one["subnet_id"] for one in has}
    return [
        _take_txn(tx, subnet, eui64(ipaddress.ip_network(subnet["cidr"]), port["mac_address"]), port)
        for subnet in known
        if _auto(subnet) and subnet["id"] not in covered
    ]


def _take_txn(tx: Transaction, subnet: Row, address: str, port: Row) -> FixedIp:
    place = position(int(ipaddress.ip_address(address)), subnet["ip_version"])
    row = {"subnet_id": subnet["id"], "position": place, "address": address, "port_id": port["id"]}
    try:
        tx.execute(_INSERT, row)
    except IntegrityError:
        raise IpAddressAlreadyAllocated(ip=address, subnet=subnet["id"]) from None
    return {"subnet_id": subnet["id"], "ip_address": address}


def _release_txn(tx: Transaction, subnet_id: str, address: str) -> None:
    tx.execute(delete(allocations).where(allocations.c.subnet_id == subnet_id, allocations.c.address == address))
