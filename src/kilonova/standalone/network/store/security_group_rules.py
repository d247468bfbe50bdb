"""Writes `security_group_rules`."""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select

from kilonova.database.database import Transaction
from kilonova.standalone.network.errors import SecurityGroupRuleExists
from kilonova.standalone.network.store import rows
from kilonova.standalone.network.store.chunks import chunks
from kilonova.standalone.network.tables import security_group_rules

_MEANING = (
    "direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id",
)  # fmt: skip
_ANYWHERE = {"0.0.0.0/0", "::/0"}


def of_groups_txn(tx: Transaction, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """By group, its rules."""
    found: dict[str, list[dict[str, Any]]] = {}
    for some in chunks(ids):
        statement = select(security_group_rules).where(security_group_rules.c.security_group_id.in_(some))
        for row in tx.execute(statement.order_by(security_group_rules.c.created_at, security_group_rules.c.id)):
            found.setdefault(row.security_group_id, []).append(row._asdict())
    return found


def insert_txn(tx: Transaction, row: Mapping[str, Any]) -> dict[str, Any]:
    """Make a rule. Raises `SecurityGroupRuleExists` when the group has one that allows the same thing."""
    meaning = _meaning(row)
    same = select(security_group_rules.c.id).where(
        security_group_rules.c.security_group_id == row["security_group_id"], security_group_rules.c.meaning == meaning
    )
    if (there := tx.execute(same).scalar()) is not None:
        raise SecurityGroupRuleExists(id=there)
    return rows.insert_txn(tx, security_group_rules, {**row, "meaning": meaning})


def insert_defaults_txn(
    tx: Transaction, new_id: Callable[[], str], group: Mapping[str, Any], *, among_themselves: bool
) -> None:
    """Give a new group its first rules: everything out, and, for a default group, everything in from its own members."""
    directions = ("egress", "ingress") if among_themselves else ("egress",)
    for direction in directions:
        for ethertype in ("IPv4", "IPv6"):
            rule = dict.fromkeys(_MEANING) | {
                "id": new_id(),
                "project_id": group["project_id"],
                "description": "",
                "security_group_id": group["id"],
                "direction": direction,
                "ethertype": ethertype,
                "remote_group_id": group["id"] if direction == "ingress" else None,
            }
            rows.insert_txn(tx, security_group_rules, {**rule, "meaning": _meaning(rule)})


def delete_txn(tx: Transaction, rule_id: str) -> None:
    """Delete a rule."""
    tx.execute(delete(security_group_rules).where(security_group_rules.c.id == rule_id))


def _meaning(row: Mapping[str, Any]) -> str:
    remote = row["remote_ip_prefix"]
    network = None if remote is None else str(ipaddress.ip_interface(remote).network)
    values = [{**row, "remote_ip_prefix": None if network in _ANYWHERE else network}[name] for name in _MEANING]
    return "|".join("" if value is None else str(value) for value in values)
