"""Rules of security groups (Networking API reference, "Security group rules")."""

import ipaddress
from collections.abc import Mapping
from typing import Any, ClassVar

from typing_extensions import override

from kilonova.database.database import Transaction
from kilonova.kernel.errors import NotFound
from kilonova.objects.caller import Caller
from kilonova.standalone.network.attributes import REQUIRED, Attribute, Attributes, read_only, standard
from kilonova.standalone.network.collection import Collection, Document, standard_view
from kilonova.standalone.network.errors import (
    SecurityGroupEthertypeConflictWithProtocol,
    SecurityGroupInvalidIcmpValue,
    SecurityGroupInvalidPortRange,
    SecurityGroupInvalidProtocolForPort,
    SecurityGroupMissingIcmpType,
    SecurityGroupRemoteGroupAndRemoteIpPrefix,
    SecurityGroupRuleNotFound,
    SecurityGroupRuleParameterConflict,
)
from kilonova.standalone.network.listing import Source, columns_of
from kilonova.standalone.network.store import quotas, security_groups
from kilonova.standalone.network.store import security_group_rules as store
from kilonova.standalone.network.tables import security_group_rules
from kilonova.standalone.network.values import BadValue, integer, one_of, or_null, prefix, uuid

PROTOCOLS = frozenset({
    "ah", "dccp", "egp", "esp", "gre", "icmp", "icmpv6", "igmp", "ipip", "ipv6-encap", "ipv6-frag", "ipv6-icmp",
    "ipv6-nonxt", "ipv6-opts", "ipv6-route", "ospf", "pgm", "rsvp", "sctp", "tcp", "udp", "udplite", "vrrp",
})  # fmt: skip
_WITH_PORTS = frozenset({"tcp", "udp", "udplite", "sctp", "dccp", "6", "17", "33", "132", "136"})
_ICMP = frozenset({"icmp", "icmpv6", "ipv6-icmp", "1", "58"})
_ONLY_IPV6 = frozenset({"icmpv6", "ipv6-encap", "ipv6-frag", "ipv6-icmp", "ipv6-nonxt", "ipv6-opts", "ipv6-route"})


def _protocol(value: Any) -> str | None:
    """A protocol's name or number; null, `any` and an empty string stand for all."""
    if value is None or value == "":
        return None
    word = str(value).lower() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if word == "any":
        return None
    if word in PROTOCOLS:
        return word
    if word.isascii() and word.isdigit() and int(word[:9]) <= 255:
        return str(int(word)) if int(word) else None
    raise BadValue(f"'{str(value)[:60]}' is no IP protocol: give a number from 0 to 255 or one of {sorted(PROTOCOLS)}")


def _ethertype(value: Any) -> str:
    known = {"ipv4": "IPv4", "ipv6": "IPv6"}
    if not isinstance(value, str) or value.lower() not in known:
        raise BadValue(f"'{value}' is not in ['IPv4', 'IPv6']")
    return known[value.lower()]


_PORT = or_null(integer(0, 65535))
_WITHOUT_NAME = tuple(attribute for attribute in standard() if attribute.name != "name")
_ATTRIBUTES = Attributes(
    "security_group_rule",
    (
        *_WITHOUT_NAME,
        *read_only("normalized_cidr"),
        Attribute(name="security_group_id", check=uuid, default=REQUIRED),
        Attribute(name="direction", check=one_of("ingress", "egress"), default=REQUIRED),
        Attribute(name="ethertype", check=_ethertype, default="IPv4"),
        Attribute(name="protocol", check=_protocol, default=None),
        Attribute(name="port_range_min", check=_PORT, default=None),
        Attribute(name="port_range_max", check=_PORT, default=None),
        Attribute(name="remote_ip_prefix", check=prefix, default=None),
        Attribute(name="remote_group_id", check=or_null(uuid), default=None),
    ),
)
_COLUMNS = (
    "security_group_id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix",
    "remote_group_id",
)  # fmt: skip


def rule_view(row: Document) -> Document:
    """A rule as clients see it, alone or within its group."""
    remote = row["remote_ip_prefix"]
    normalized = None if remote is None else str(ipaddress.ip_interface(remote).network)
    return standard_view(row, []) | {name: row[name] for name in _COLUMNS} | {"normalized_cidr": normalized}


class SecurityGroupRules(Collection):
    """Requests about security group rules."""

    kind: ClassVar[str] = "security_group_rule"
    plural: ClassVar[str] = "security_group_rules"
    attributes: ClassVar[Attributes] = _ATTRIBUTES
    source: ClassVar[Source] = Source(security_group_rules, columns_of(security_group_rules, *_COLUMNS))
    missing: ClassVar[type[NotFound]] = SecurityGroupRuleNotFound
    can_update: ClassVar[bool] = False

    @override
    def around_txn(self, tx: Transaction, caller: Caller, item: Document) -> Document:
        """See `Collection.around_txn`: both groups must be the caller's to name."""
        named = [item[name] for name in ("security_group_id", "remote_group_id") if item[name] is not None]
        everywhere = self.policy.allows("context_is_admin", caller)
        security_groups.require_txn(tx, named, None if everywhere else caller.project_id or "")
        return {}

    @override
    def insert_txn(self, tx: Transaction, item: Document) -> Document:
        _check(item)
        quotas.require_txn(tx, self.limits, item["project_id"], self.kind)
        return store.insert_txn(tx, item)

    @override
    def delete_txn(self, tx: Transaction, _caller: Caller, row: Document) -> None:
        store.delete_txn(tx, row["id"])

    @override
    def view(self, row: Document, _related: Mapping[str, Any]) -> Document:
        return rule_view(row)


def _check(rule: Document) -> None:
    """What the attributes must be to each other."""
    remote = rule["remote_ip_prefix"]
    if remote is not None and rule["remote_group_id"] is not None:
        raise SecurityGroupRemoteGroupAndRemoteIpPrefix
    if remote is not None and f"IPv{ipaddress.ip_interface(remote).version}" != rule["ethertype"]:
        raise SecurityGroupRuleParameterConflict(ethertype=rule["ethertype"], cidr=remote)
    if rule["protocol"] in _ONLY_IPV6 and rule["ethertype"] == "IPv4":
        raise SecurityGroupEthertypeConflictWithProtocol(ethertype="IPv4", protocol=rule["protocol"])
    _check_range(rule["protocol"], rule["port_range_min"], rule["port_range_max"])


def _check_range(protocol: str | None, low: int | None, high: int | None) -> None:
    """Ports for protocols that have them; for ICMP the type and the code."""
    if low is None and high is None:
        return
    if protocol in _ICMP:
        for field, attribute, value in (("type", "port-range-min", low), ("code", "port-range-max", high)):
            if value is not None and value > 255:
                raise SecurityGroupInvalidIcmpValue(field=field, attribute=attribute, value=value)
        if low is None:
            raise SecurityGroupMissingIcmpType(value=high)
    elif protocol not in _WITH_PORTS:
        raise SecurityGroupInvalidProtocolForPort(protocol=protocol)
    elif low is None or high is None or not 1 <= low <= high:
        raise SecurityGroupInvalidPortRange
