"""Subnets (Networking API reference, "Subnets")."""

import ipaddress
from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy import or_, select, true
from typing_extensions import override

from kilonova.database.database import Transaction
from kilonova.kernel.errors import NotFound
from kilonova.objects.caller import Caller
from kilonova.standalone.network.addresses import (
    AUTO_MODES,
    check_gateway,
    default_gateway,
    default_pools,
    documents,
    given_pools,
    position,
)
from kilonova.standalone.network.attributes import REQUIRED, Attribute, Attributes, standard
from kilonova.standalone.network.collection import Collection, Document
from kilonova.standalone.network.errors import BadInput, GatewayIpInUse, InvalidInput, SubnetNotFound
from kilonova.standalone.network.listing import Condition, Source, columns_of
from kilonova.standalone.network.store import addresses as address_store
from kilonova.standalone.network.store import quotas
from kilonova.standalone.network.store import subnets as store
from kilonova.standalone.network.surroundings import network_of_txn
from kilonova.standalone.network.tables import networks, subnets
from kilonova.standalone.network.values import (
    Network,
    address,
    boolean,
    cidr,
    one_of,
    or_null,
    record,
    several,
    uuid,
)

DNS_SERVERS_MAX = 5
ROUTES_MAX = 20
POOLS_MAX = 100
_MODE = or_null(one_of("slaac", "dhcpv6-stateful", "dhcpv6-stateless"))

_ATTRIBUTES = Attributes(
    "subnet",
    (
        *standard(),
        Attribute(name="network_id", check=uuid, put=False, default=REQUIRED),
        Attribute(name="ip_version", check=one_of(4, 6), put=False, default=REQUIRED),
        Attribute(name="cidr", check=cidr, put=False, default=REQUIRED),
        Attribute(name="gateway_ip", check=or_null(address)),
        Attribute(name="allocation_pools", check=several(record({"start": address, "end": address}), POOLS_MAX)),
        Attribute(name="enable_dhcp", check=boolean, default=True),
        Attribute(name="dns_nameservers", check=several(address, DNS_SERVERS_MAX), default=()),
        Attribute(
            name="host_routes", check=several(record({"destination": cidr, "nexthop": address}), ROUTES_MAX), default=()
        ),
        Attribute(name="ipv6_ra_mode", check=_MODE, put=False, default=None),
        Attribute(name="ipv6_address_mode", check=_MODE, put=False, default=None),
        Attribute(name="subnetpool_id", check=one_of(None), put=False),
    ),
)
_COLUMNS = (
    "network_id", "ip_version", "cidr", "gateway_ip", "enable_dhcp", "ipv6_ra_mode", "ipv6_address_mode",
)  # fmt: skip
_LISTS = ("allocation_pools", "dns_nameservers", "host_routes")


class Subnets(Collection):
    """Requests about subnets."""

    kind: ClassVar[str] = "subnet"
    plural: ClassVar[str] = "subnets"
    attributes: ClassVar[Attributes] = _ATTRIBUTES
    source: ClassVar[Source] = Source(subnets, columns_of(subnets, *_COLUMNS))
    missing: ClassVar[type[NotFound]] = SubnetNotFound

    @override
    def seen_by_others(self) -> Condition:
        """The subnets of shared networks."""
        return subnets.c.network_id.in_(
            select(networks.c.id).where(or_(networks.c.shared == true(), networks.c.external == true()))
        )

    @override
    def around_txn(self, tx: Transaction, caller: Caller, item: Document) -> Document:
        return network_of_txn(tx, self.policy, caller, item["network_id"])

    @override
    def insert_txn(self, tx: Transaction, item: Document) -> Document:
        quotas.require_txn(tx, self.limits, item["project_id"], self.kind)
        return store.insert_txn(tx, _planned(item))

    @override
    def update_txn(self, tx: Transaction, row: Document, changes: Document) -> None:
        merged = row | changes
        if "gateway_ip" in changes or "allocation_pools" in changes:
            network = ipaddress.ip_network(row["cidr"])
            pools = merged["allocation_pools"]
            changes = changes | {"allocation_pools": _pools(network, merged["gateway_ip"], pools)}
            self._require_free_gateway_txn(tx, row, merged["gateway_ip"])
        _check_versions(merged)
        store.update_txn(tx, row["id"], changes)

    @override
    def delete_txn(self, tx: Transaction, _caller: Caller, row: Document) -> None:
        store.delete_txn(tx, row)

    @override
    def view(self, row: Document, _related: Mapping[str, Any]) -> Document:
        return {name: row[name] for name in (*_COLUMNS, *_LISTS)} | {"subnetpool_id": None}

    def _require_free_gateway_txn(self, tx: Transaction, row: Document, gateway: str | None) -> None:
        if gateway is not None and gateway != row["gateway_ip"]:
            holder = address_store.holder_txn(tx, row["id"], gateway)
            if holder is not None:
                raise GatewayIpInUse(ip=gateway, port=holder)


def _planned(item: Document) -> Document:
    """A new subnet's row: with a gateway and pools where none were named."""
    network = ipaddress.ip_network(item["cidr"])
    if network.version != item["ip_version"]:
        raise InvalidInput(reason=f"cidr '{network}' does not match the ip_version '{item['ip_version']}'")
    gateway = item["gateway_ip"] if "gateway_ip" in item else default_gateway(network)
    row = {name: value for name, value in item.items() if name != "subnetpool_id"}
    row |= {
        "gateway_ip": gateway,
        "allocation_pools": _pools(network, gateway, item.get("allocation_pools")),
        "dns_nameservers": list(item["dns_nameservers"]),
        "host_routes": list(item["host_routes"]),
        "next_address": position(0, network.version),
    }
    _check_versions(row)
    _check_modes(row, network)
    return row


def _pools(network: Network, gateway: str | None, given: list[dict[str, str]] | None) -> list[dict[str, str]]:
    parsed = ipaddress.ip_address(gateway) if gateway is not None else None
    if parsed is not None:
        check_gateway(network, parsed)
    pools = default_pools(network, parsed) if given is None else given_pools(network, parsed, given)
    return documents(network, pools)


def _check_versions(row: Document) -> None:
    """Name servers and routes must be of the subnet's IP version."""
    given = [*row["dns_nameservers"], *(route["nexthop"] for route in row["host_routes"])]
    given += [route["destination"].partition("/")[0] for route in row["host_routes"]]
    for one in given:
        if ipaddress.ip_address(one).version != row["ip_version"]:
            raise InvalidInput(reason=f"'{one}' does not match the ip_version '{row['ip_version']}'")


def _check_modes(row: Document, network: Network) -> None:
    """IPv6 modes: only for IPv6 with DHCP enabled, the same where both are given, and /64 where addresses follow from MACs."""
    modes = [mode for mode in (row["ipv6_ra_mode"], row["ipv6_address_mode"]) if mode is not None]
    if not modes:
        return
    if network.version != 6 or not row["enable_dhcp"]:
        raise InvalidInput(reason="ipv6_ra_mode or ipv6_address_mode need ip_version 6 and enable_dhcp true")
    if len(set(modes)) > 1:
        raise InvalidInput(reason=f"ipv6_ra_mode '{modes[0]}' and ipv6_address_mode '{modes[1]}' must be the same")
    if modes[0] in AUTO_MODES and network.prefixlen != 64:
        raise BadInput(attribute="cidr", reason=f"the prefix length of a '{modes[0]}' subnet must be 64")
