"""Ports (Networking API reference, "Ports")."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from sqlalchemy import select
from typing_extensions import override

from kilonova.database.database import Transaction
from kilonova.kernel.errors import NotFound
from kilonova.objects.caller import Caller
from kilonova.standalone.network.attributes import REQUIRED, Attribute, Attributes, read_only, standard
from kilonova.standalone.network.collection import Collection, Document
from kilonova.standalone.network.errors import (
    AddressPairAndPortSecurityRequired,
    BadRequest,
    MacAddressGenerationFailure,
    MacAddressInUse,
    PortBound,
    PortNotFound,
    PortSecurityAndIPRequiredForSecurityGroups,
    PortSecurityPortHasSecurityGroup,
)
from kilonova.standalone.network.listing import Condition, Source, columns_of
from kilonova.standalone.network.store import addresses as address_store
from kilonova.standalone.network.store import ports as store
from kilonova.standalone.network.store import quotas, security_groups
from kilonova.standalone.network.surroundings import network_of_txn
from kilonova.standalone.network.tables import allocations, port_security_groups, ports
from kilonova.standalone.network.values import (
    address,
    address_or_cidr,
    boolean,
    canonical,
    host_name,
    mac,
    one_of,
    record,
    several,
    small_object,
    text_or_empty,
    uuid,
)

T = TypeVar("T")

ADDRESSES_MAX = 5
PAIRS_MAX = 10
GROUPS_MAX = 100
MAC_ATTEMPTS = 10
MAC_PREFIX = "fa:16:3e"
"""The first half of every MAC that the service makes up: the one OpenStack uses."""

_FIXED_IP = record({}, {"subnet_id": uuid, "ip_address": address})
_PAIR = record({"ip_address": address_or_cidr}, {"mac_address": mac})
_NIC_TYPES = ("normal", "direct", "macvtap", "baremetal", "direct-physical", "virtio-forwarder", "smart-nic", "vdpa")

_ATTRIBUTES = Attributes(
    "port",
    (
        *standard(),
        *read_only("status"),
        Attribute(name="network_id", check=uuid, put=False, default=REQUIRED),
        Attribute(name="admin_state_up", check=boolean, default=True),
        Attribute(name="mac_address", check=mac, guarded=True),
        Attribute(name="fixed_ips", check=several(_FIXED_IP, ADDRESSES_MAX)),
        Attribute(name="device_id", check=text_or_empty, default=""),
        Attribute(name="device_owner", check=text_or_empty, default=""),
        Attribute(name="security_groups", check=several(uuid, GROUPS_MAX)),
        Attribute(name="port_security_enabled", check=boolean, guarded=True),
        Attribute(name="allowed_address_pairs", check=several(_PAIR, PAIRS_MAX), default=(), guarded=True),
        Attribute(name="binding:host_id", check=host_name, default="", guarded=True, secret=True),
        Attribute(name="binding:vnic_type", check=one_of(*_NIC_TYPES), default="normal"),
        Attribute(name="binding:profile", check=small_object, default={}, guarded=True, secret=True),
        Attribute(name="binding:vif_type", post=False, put=False, secret=True),
        Attribute(name="binding:vif_details", post=False, put=False, secret=True),
    ),
)
_COLUMNS = (
    "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner", "port_security_enabled",
)  # fmt: skip
_BINDING = {
    "binding:host_id": "host_id",
    "binding:vnic_type": "vnic_type",
    "binding:vif_type": "vif_type",
    "binding:profile": "profile",
}


def _by_address(values: Sequence[str]) -> Condition:
    """`fixed_ips=ip_address=A` and `fixed_ips=subnet_id=S`: any of the addresses, on any of the subnets."""
    found = select(allocations.c.port_id)
    given: dict[str, list[str]] = {"ip_address": [], "subnet_id": []}
    for value in values:
        key, _, wanted = value.partition("=")
        if key not in given:
            raise BadRequest(reason="Invalid filter: write fixed_ips=ip_address=ADDRESS or fixed_ips=subnet_id=SUBNET")
        given[key].append(wanted)
    if given["ip_address"]:
        found = found.where(allocations.c.address.in_(canonical(address, given["ip_address"])))
    if given["subnet_id"]:
        found = found.where(allocations.c.subnet_id.in_(given["subnet_id"]))
    return ports.c.id.in_(found)


def _by_group(values: Sequence[str]) -> Condition:
    linked = select(port_security_groups.c.port_id).where(port_security_groups.c.security_group_id.in_(values))
    return ports.c.id.in_(linked)


class Ports(Collection):
    """Requests about ports."""

    kind: ClassVar[str] = "port"
    plural: ClassVar[str] = "ports"
    attributes: ClassVar[Attributes] = _ATTRIBUTES
    source: ClassVar[Source] = Source(
        ports,
        columns_of(ports, *_COLUMNS, **{name: _BINDING[name] for name in _BINDING if name != "binding:profile"}),
        {"fixed_ips": _by_address, "security_groups": _by_group},
    )
    missing: ClassVar[type[NotFound]] = PortNotFound

    @override
    def around_txn(self, tx: Transaction, caller: Caller, item: Document) -> Document:
        found = network_of_txn(tx, self.policy, caller, item["network_id"])
        if item.get("security_groups"):
            everywhere = self.policy.allows("context_is_admin", caller)
            security_groups.require_txn(tx, item["security_groups"], None if everywhere else item["project_id"])
        item.setdefault("port_security_enabled", found["network:port_security_enabled"])
        return found

    @override
    def guards(self, given: Mapping[str, Any], action: str) -> Sequence[str]:
        """See `Collection.guards`; addresses and the owners of network devices need more than their name."""
        found = list(super().guards(given, action))
        wanted = given.get("fixed_ips")
        if wanted:
            exact = any("ip_address" in one for one in wanted if isinstance(one, dict))
            found.append(f"{action}_port:fixed_ips" + (":ip_address" if exact else ""))
        if str(given.get("device_owner", "")).startswith("network:"):
            found.append(f"{action}_port:device_owner")
        return found

    @override
    async def write_new(
        self, caller: Caller, given: Sequence[Mapping[str, Any]], items: Sequence[Document]
    ) -> list[Document]:

        async def write(complete: Sequence[Document]) -> list[Document]:
            return await super(Ports, self).write_new(caller, given, complete)

        return await with_macs(items, self.runtime.random, write)

    @override
    def insert_txn(self, tx: Transaction, item: Document) -> Document:
        return create_txn(tx, self.limits, self.runtime.uuid, item).row

    @override
    def update_txn(self, tx: Transaction, row: Document, changes: Document) -> None:
        groups, wanted = changes.get("security_groups"), changes.get("fixed_ips")
        if groups:
            security_groups.require_txn(tx, groups, row["project_id"])
        if changes.get("mac_address", row["mac_address"]) != row["mac_address"] and row["host_id"]:
            raise PortBound(id=row["id"], vif_type=row["vif_type"], mac=row["mac_address"], new=changes["mac_address"])
        values = _columns(changes)
        merged = row | values
        present = store.groups_txn(tx, [row["id"]]).get(row["id"], [])
        _check_security(merged, present if groups is None else groups)
        if "allowed_address_pairs" in values:
            values["allowed_address_pairs"] = _pairs(merged)
        store.update_txn(tx, row, values, groups)
        if wanted is not None:
            address_store.reassign_txn(tx, merged, wanted)

    @override
    def delete_txn(self, tx: Transaction, _caller: Caller, row: Document) -> None:
        store.delete_txn(tx, row["id"])

    @override
    def related_txn(self, tx: Transaction, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        groups, fixed_ips = store.groups_txn(tx, ids), address_store.of_ports_txn(tx, ids)
        return {one: {"security_groups": groups.get(one, []), "fixed_ips": fixed_ips.get(one, [])} for one in ids}

    @override
    def view(self, row: Document, related: Mapping[str, Any]) -> Document:
        return {
            **{name: row[name] for name in _COLUMNS},
            **{name: row[column] for name, column in _BINDING.items()},
            "binding:vif_details": {},
            "allowed_address_pairs": row["allowed_address_pairs"],
            **related,
        }


@dataclass(frozen=True)
class NewPort:
    """A port that was just made."""

    row: Document
    groups: Sequence[str]
    fixed_ips: Sequence[dict[str, str]]


def create_txn(tx: Transaction, limits: quotas.Limits, new_id: Callable[[], str], item: Mapping[str, Any]) -> NewPort:
    """Make a port with its addresses and security groups: those named, or the project's default one.

    `item` has every attribute of a port; `fixed_ips` and `security_groups` may be missing. Raises `OverQuota`, and what
    the stores of addresses and ports raise.
    """
    quotas.require_txn(tx, limits, item["project_id"], "port")
    default = security_groups.default_txn(tx, new_id, item["project_id"])
    groups = item.get("security_groups")
    if groups is None:
        groups = [default] if item["port_security_enabled"] and not _network_device(item) else []
    row = _columns(item)
    _check_security(row, groups)
    row["allowed_address_pairs"] = _pairs(row)
    complete = store.insert_txn(tx, row, groups)
    return NewPort(complete, groups, address_store.assign_txn(tx, complete, item.get("fixed_ips")))


async def with_macs(
    items: Sequence[Document], random: Callable[[], float], write: Callable[[Sequence[Document]], Awaitable[T]]
) -> T:
    """Write new ports, with a made-up MAC where none is named; another one when the store has it already.

    Raises `MacAddressInUse` for a MAC that was named, `MacAddressGenerationFailure` when none is found.
    """
    named = {item["mac_address"] for item in items if "mac_address" in item}
    for _ in range(MAC_ATTEMPTS):
        try:
            return await write([{"mac_address": new_mac(random), **item} for item in items])
        except MacAddressInUse as error:
            if error.details["mac"] in named:
                raise
    raise MacAddressGenerationFailure(network=items[0]["network_id"])


def new_mac(random: Callable[[], float]) -> str:
    """A MAC address made up at random."""
    tail = f"{int(random() * (1 << 24)):06x}"
    return f"{MAC_PREFIX}:{tail[:2]}:{tail[2:4]}:{tail[4:]}"


def _network_device(item: Mapping[str, Any]) -> bool:
    return str(item["device_owner"]).startswith("network:")


def _columns(item: Mapping[str, Any]) -> Document:
    """Attributes by their columns, without those that have tables of their own."""
    elsewhere = {"fixed_ips", "security_groups"}
    return {_BINDING.get(name, name): value for name, value in item.items() if name not in elsewhere}


def _check_security(row: Mapping[str, Any], groups: Sequence[str]) -> None:
    """Groups and address pairs mean something only where port security is enabled."""
    if row["port_security_enabled"]:
        return
    if groups:
        known = "revision_number" in row
        raise PortSecurityPortHasSecurityGroup if known else PortSecurityAndIPRequiredForSecurityGroups
    if row["allowed_address_pairs"]:
        raise AddressPairAndPortSecurityRequired


def _pairs(row: Mapping[str, Any]) -> list[dict[str, str]]:
    """Address pairs as they are stored: one without a MAC has the port's."""
    return [{"mac_address": row["mac_address"], **pair} for pair in row["allowed_address_pairs"]]
