"""Writes `quotas`, and counts what projects use where they are about to use more."""

from collections.abc import Mapping

from sqlalchemy import Table, bindparam, delete, func, insert, select

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.standalone.network.errors import OverQuota
from kilonova.standalone.network.tables import networks, ports, quotas, security_group_rules, security_groups, subnets

Limits = Mapping[str, int]
"""How many of each kind a project may have; -1 for any number."""

UNLIMITED = -1
DEFAULTS: Limits = {"network": 100, "subnet": 100, "port": 500, "security_group": 10, "security_group_rule": 100}
"""Neutron's defaults, by the names of its quotas."""

_TABLES: Mapping[str, Table] = {
    "network": networks,
    "subnet": subnets,
    "port": ports,
    "security_group": security_groups,
    "security_group_rule": security_group_rules,
}

_OWN = Prepared(
    select(quotas.c.limit).where(quotas.c.project_id == bindparam("project_id"), quotas.c.resource == bindparam("kind"))
)
_USED = {
    kind: select(func.count()).select_from(table).where(table.c.project_id == bindparam("project_id"))
    for kind, table in _TABLES.items()
}


def require_txn(tx: Transaction, limits: Limits, project_id: str, kind: str) -> None:
    """Raise `OverQuota` when a project may have no further resource of a kind. Call it before inserting one."""
    own = tx.execute(_OWN, {"project_id": project_id, "kind": kind}).scalar_one_or_none()
    limit = limits[kind] if own is None else own
    if limit != UNLIMITED and (used := used_txn(tx, project_id, kind)) >= limit:
        raise OverQuota(resource=kind, requested=1, used=used, limit=limit)


def used_txn(tx: Transaction, project_id: str, kind: str) -> int:
    """How many resources of a kind a project has."""
    return int(tx.execute(_USED[kind], {"project_id": project_id}).scalar_one())


def of_txn(tx: Transaction, limits: Limits, project_id: str) -> dict[str, int]:
    """A project's limits, in the order of `limits`."""
    own = {row.resource: row.limit for row in tx.execute(select(quotas).where(quotas.c.project_id == project_id))}
    return {kind: own.get(kind, limit) for kind, limit in limits.items()}


def projects_txn(tx: Transaction) -> list[str]:
    """The projects that have limits of their own."""
    return list(tx.execute(select(quotas.c.project_id).distinct().order_by(quotas.c.project_id)).scalars())


def replace_txn(tx: Transaction, project_id: str, wanted: Limits) -> None:
    """Give a project limits of its own; those not named stay."""
    for kind, limit in wanted.items():
        tx.execute(delete(quotas).where(quotas.c.project_id == project_id, quotas.c.resource == kind))
        tx.execute(insert(quotas), {"project_id": project_id, "resource": kind, "limit": limit})


def delete_txn(tx: Transaction, project_id: str) -> None:
    """Take a project's own limits away; the defaults hold again."""
    tx.execute(delete(quotas).where(quotas.c.project_id == project_id))
