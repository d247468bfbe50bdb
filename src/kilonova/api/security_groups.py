"""Security groups and their rules, until 2.35 (API reference, "Security groups"): told by the network service.

Only rules for what comes in are shown, as these routes have always done.
"""

import ipaddress
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.passed_on import Document, Remote, as_invalid, window
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.server_access import is_admin
from kilonova.api.server_fields import Uuid
from kilonova.api.shapes import NO_BODY, TEXT, UUID, WHOLE, Takes, gives, listed, obj, or_null
from kilonova.kernel.errors import Conflict, Invalid
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_RULE = "os_compute_api:os-security-groups:"
_GROUPS, _RULES = "/security-groups", "/security-group-rules"
KIND, RULE_KIND = "Security group", "Security group rule"
UNTIL = "2.35"
LIST = Query(names=("all_tenants", "limit", "offset"), strict=None)
ANY_QUERY = Query(strict=None)
_WITH_PORTS = frozenset({"tcp", "udp"})
Text = Annotated[str, Meta(max_length=255)]
_SHOWN_RULE = obj(
    {
        "id": UUID,
        "parent_group_id": UUID,
        "ip_protocol": or_null(TEXT),
        "from_port": or_null(WHOLE),
        "to_port": or_null(WHOLE),
        "group": obj({"name?": TEXT, "tenant_id?": TEXT}),
        "ip_range": obj({"cidr?": TEXT}),
    }
)
GROUP = obj({"id": UUID, "name": TEXT, "description": TEXT, "tenant_id": TEXT, "rules": listed(_SHOWN_RULE)})
"""A group, as `told` tells it."""


class BadRule(Invalid):
    """Invalid security group rule: {reason}"""

    code = "bad-security-group-rule"


class GroupWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `security_group`."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    description: Text


class RuleWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `security_group_rule`."""

    parent_group_id: Uuid
    group_id: Uuid | UnsetType | None = UNSET
    ip_protocol: str | int | UnsetType | None = UNSET
    from_port: int | str | UnsetType | None = UNSET
    to_port: int | str | UnsetType | None = UNSET
    cidr: str | UnsetType | None = UNSET


class SecurityGroups:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """The groups of the caller's project; of all projects for administrators who ask for them."""
        self._enforce(call, "get")
        asked = LIST.read(call)
        everything = asked.truth("all_tenants") and is_admin(call.user, self._compute)
        params = {} if everything else {"project_id": str(call.user.project_id)}
        found = await self._network.ask(call, "GET", _GROUPS, kind=KIND, params=params)
        groups = window(call, found["security_groups"], key=lambda group: (group["project_id"], group["name"]))
        names = {group["id"]: group for group in found["security_groups"]}
        return Reply({"security_groups": [told(group, names) for group in groups]})

    async def show(self, call: Call) -> Reply:
        """One group."""
        self._enforce(call, "show")
        group = (await self._network.one(call, _GROUPS, call.params["id"], kind=KIND))["security_group"]
        return Reply({"security_group": told(group, await self._named(call))})

    async def create(self, call: Call) -> Reply:
        """Make a group."""
        wish = body.read(call, "security_group", GroupWish)
        self._enforce(call, "create")
        sent = {"security_group": {"name": wish.name, "description": wish.description}}
        made = await self._changing(call, "POST", _GROUPS, sent)
        return Reply({"security_group": told(made["security_group"], {})})

    async def update(self, call: Call) -> Reply:
        """Give a group another name and description."""
        wish = body.read(call, "security_group", GroupWish)
        self._enforce(call, "update")
        await self._network.one(call, _GROUPS, call.params["id"], kind=KIND)
        sent = {"security_group": {"name": wish.name, "description": wish.description}}
        changed = await self._changing(call, "PUT", f"{_GROUPS}/{call.params['id']}", sent)
        return Reply({"security_group": told(changed["security_group"], await self._named(call))})

    async def delete(self, call: Call) -> Reply:
        """Delete a group that no server has."""
        self._enforce(call, "delete")
        try:
            await self._network.one(call, _GROUPS, call.params["id"], kind=KIND, method="DELETE")
        except Conflict as error:
            raise as_invalid(error) from error
        return Reply()

    async def rule_create(self, call: Call) -> Reply:
        """Let something in."""
        wish = body.read(call, "security_group_rule", RuleWish)
        self._enforce(call, "rule:create")
        sent = {"security_group_rule": _rule_document(wish)}
        await self._network.one(call, _GROUPS, str(wish.parent_group_id), kind=KIND)
        made = await self._changing(call, "POST", _RULES, sent)
        return Reply({"security_group_rule": _rule_told(made["security_group_rule"], await self._named(call))})

    async def rule_delete(self, call: Call) -> Reply:
        """Take a rule back."""
        self._enforce(call, "rule:delete")
        await self._network.one(call, _RULES, call.params["id"], kind=RULE_KIND, method="DELETE")
        return Reply()

    @property
    def _network(self) -> Remote:
        return Remote(self._compute.network_api, "/v2.0")

    async def _changing(self, call: Call, method: str, path: str, sent: Document) -> Document:
        try:
            answer: Document = await self._network.ask(call, method, path, sent, kind=KIND)
        except Conflict as error:
            raise as_invalid(error) from error
        return answer

    async def _named(self, call: Call) -> dict[str, Document]:
        """The groups that rules of others may name, by id."""
        found = await self._network.ask(call, "GET", _GROUPS, kind=KIND)
        return {group["id"]: group for group in found["security_groups"]}

    def _enforce(self, call: Call, action: str) -> None:
        self._compute.policy.enforce(_RULE + action, call.user, {"project_id": call.user.project_id})


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of groups and rules."""
    groups = SecurityGroups(compute)
    every, rules = "/os-security-groups", "/os-security-group-rules"
    one = every + "/{id}"
    takes, told_one = Takes(kind=GroupWish, under="security_group"), gives({"security_group": GROUP})
    return [
        ComputeRoute(
            method="GET",
            path=every,
            handler=groups.index,
            until=UNTIL,
            query=LIST,
            gives=gives({"security_groups": listed(GROUP)}),
        ),
        ComputeRoute(
            method="POST", path=every, handler=groups.create, until=UNTIL, body=Body.JSON, takes=takes, gives=told_one
        ),
        ComputeRoute(method="GET", path=one, handler=groups.show, until=UNTIL, query=ANY_QUERY, gives=told_one),
        ComputeRoute(
            method="PUT", path=one, handler=groups.update, until=UNTIL, body=Body.JSON, takes=takes, gives=told_one
        ),
        ComputeRoute(method="DELETE", path=one, handler=groups.delete, until=UNTIL, success=202, gives=NO_BODY),
        ComputeRoute(
            method="POST",
            path=rules,
            handler=groups.rule_create,
            until=UNTIL,
            body=Body.JSON,
            takes=Takes(kind=RuleWish, under="security_group_rule"),
            gives=gives({"security_group_rule": _SHOWN_RULE}),
        ),
        ComputeRoute(
            method="DELETE", path=rules + "/{id}", handler=groups.rule_delete, until=UNTIL, success=202, gives=NO_BODY
        ),
    ]


def told(group: Document, named: dict[str, Document]) -> Document:
    """A group as the Compute API shows it; `named` has the groups that its rules may name, by id."""
    rules = [rule for rule in group["security_group_rules"] if rule["direction"] == "ingress"]
    return {
        "id": group["id"],
        "name": group["name"],
        "description": group["description"],
        "tenant_id": group["project_id"],
        "rules": [_rule_told(rule, named) for rule in rules],
    }


def _rule_told(rule: Document, named: dict[str, Document]) -> Document:
    low, high = rule["port_range_min"], rule["port_range_max"]
    protocol = rule["protocol"]
    if low is None and high is None and protocol is not None:
        low, high = (1, 65535) if protocol in _WITH_PORTS else (-1, -1)
    remote = named.get(rule["remote_group_id"] or "")
    everywhere = "::/0" if rule["ethertype"] == "IPv6" else "0.0.0.0/0"
    by_group = rule["remote_group_id"] is not None
    return {
        "id": rule["id"],
        "parent_group_id": rule["security_group_id"],
        "ip_protocol": protocol,
        "from_port": low,
        "to_port": high,
        "group": {} if remote is None else {"name": remote["name"], "tenant_id": remote["project_id"]},
        "ip_range": {} if by_group else {"cidr": rule["remote_ip_prefix"] or everywhere},
    }


def _rule_document(wish: RuleWish) -> Document:
    """The rule as the network service takes it. Raises `BadRule`."""
    protocol = None if wish.ip_protocol in {UNSET, None, "", -1, "-1"} else str(wish.ip_protocol).lower()
    low, high = _port(wish.from_port, "from_port"), _port(wish.to_port, "to_port")
    if protocol in _WITH_PORTS and (low is None) != (high is None):
        raise BadRule(reason="from_port and to_port belong together")
    document: Document = {
        "direction": "ingress",
        "security_group_id": str(wish.parent_group_id),
        "protocol": protocol,
        "port_range_min": low,
        "port_range_max": high,
    }
    if wish.group_id:
        return {**document, "remote_group_id": str(wish.group_id), "ethertype": "IPv4"}
    remote = _remote(wish.cidr or "0.0.0.0/0")
    return {**document, "remote_ip_prefix": str(remote), "ethertype": f"IPv{remote.version}"}


def _port(value: Any, name: str) -> int | None:
    """A port, or an ICMP type or code; -1 and nothing stand for any."""
    if value in {UNSET, None, "", -1, "-1"}:
        return None
    text = str(value)
    if not (text.isascii() and text.isdecimal()) or int(text[:6]) > 65535:
        raise BadRule(reason=f"{name} must be a number from 0 to 65535, or -1")
    return int(text)


def _remote(cidr: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    try:
        return ipaddress.ip_interface(cidr)
    except ValueError as error:
        raise BadRule(reason=f"{cidr[:100]} is no CIDR") from error
