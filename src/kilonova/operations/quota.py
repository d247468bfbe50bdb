"""Quotas: limits by project and user, and a ledger that is counted in the transaction that inserts.

The only module that writes `limits` and `quota_ledger`. A server's line in the ledger is written with its boot request and
removed when the server is gone; nothing is reserved, so nothing can be left reserved.
"""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import delete, func, insert, select

from kilonova.database.database import Database, Transaction
from kilonova.database.tables.api_database import limits, quota_ledger, server_groups
from kilonova.kernel.errors import OverLimit
from kilonova.kernel.ids import ProjectId, ServerId, UserId
from kilonova.objects.server import Server

DEFAULTS = {
    "instances": 10,
    "cores": 20,
    "ram": 50 * 1024,
    "key_pairs": 100,
    "metadata_items": 128,
    "server_groups": 10,
    "server_group_members": 10,
    "injected_files": 5,
    "injected_file_content_bytes": 10 * 1024,
    "injected_file_path_bytes": 255,
}
"""Nova's resources and defaults (Compute configuration reference, `[quota]`); -1 is unlimited."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a project, or a user in it, has."""

    instances: int
    cores: int
    ram: int
    """MB."""
    server_groups: int


class Quota:
    """Limits and usage."""

    def __init__(self, database: Database, defaults: Mapping[str, int] | None = None) -> None:
        """`database` is the API database; `defaults` replace some of DEFAULTS (`[quota]` of the configuration)."""
        self._database = database
        self.defaults = {**DEFAULTS, **(defaults or {})}

    async def limits(self, project_id: ProjectId, user_id: UserId | None = None) -> dict[str, int]:
        """The limits in force by resource: the user's, else the project's, else the default class's, else the defaults."""
        return await self._database.read(limits_txn, self.defaults, project_id, user_id)

    async def class_limits(self, name: str) -> dict[str, int]:
        """The limits of a quota class; only `default` counts."""
        return await self._database.read(lambda tx: {**self.defaults, **_of_scope_txn(tx, f"class:{name}")})

    async def usage(self, project_id: ProjectId, user_id: UserId | None = None) -> Usage:
        """What is used now."""
        return await self._database.read(usage_txn, project_id, user_id)

    async def set_limits(self, project_id: ProjectId, values: dict[str, int], user_id: UserId | None = None) -> None:
        """Set some limits of a project, or of a user in it."""
        await self._database.write(_set_txn, _scope(project_id, user_id), values)

    async def set_class_limits(self, name: str, values: dict[str, int]) -> None:
        """Set some limits of a quota class."""
        await self._database.write(_set_txn, f"class:{name}", values)

    async def reset(self, project_id: ProjectId, user_id: UserId | None = None) -> None:
        """Forget the limits of a project, or of a user in it, so that the defaults hold."""
        await self._database.write(_forget_txn, _scope(project_id, user_id))


def limits_txn(
    tx: Transaction, defaults: Mapping[str, int], project_id: ProjectId, user_id: UserId | None
) -> dict[str, int]:
    """See `Quota.limits`."""
    found = {**defaults, **_of_scope_txn(tx, "class:default"), **_of_scope_txn(tx, _scope(project_id, None))}
    return found if user_id is None else {**found, **_of_scope_txn(tx, _scope(project_id, user_id))}


def usage_txn(tx: Transaction, project_id: ProjectId, user_id: UserId | None = None) -> Usage:
    """See `Quota.usage`."""
    counted = select(
        func.count(),
        func.coalesce(func.sum(quota_ledger.c.cores), 0),
        func.coalesce(func.sum(quota_ledger.c.memory_mb), 0),
    ).where(quota_ledger.c.project_id == project_id)
    groups = select(func.count()).select_from(server_groups).where(server_groups.c.project_id == project_id)
    if user_id is not None:
        counted = counted.where(quota_ledger.c.user_id == user_id)
        groups = groups.where(server_groups.c.user_id == user_id)
    row = tuple(tx.execute(counted).one())
    return Usage(instances=row[0], cores=int(row[1]), ram=int(row[2]), server_groups=tx.execute(groups).scalar_one())


def ledger_add_txn(tx: Transaction, defaults: Mapping[str, int], servers: Sequence[Server]) -> None:
    """Enter new servers, all of one project and user. Raises `OverLimit` when they don't all fit, for either."""
    project_id, user_id = servers[0].project_id, servers[0].user_id
    wanted = {
        "instances": len(servers),
        "cores": sum(server.flavor.vcpus for server in servers),
        "ram": sum(server.flavor.memory_mb for server in servers),
    }
    _check(wanted, limits_txn(tx, defaults, project_id, None), usage_txn(tx, project_id))
    if _of_scope_txn(tx, _scope(project_id, user_id)):
        _check(wanted, limits_txn(tx, defaults, project_id, user_id), usage_txn(tx, project_id, user_id))
    lines = [
        {
            "server_id": server.id,
            "project_id": project_id,
            "user_id": user_id,
            "cores": server.flavor.vcpus,
            "memory_mb": server.flavor.memory_mb,
        }
        for server in servers
    ]
    tx.execute(insert(quota_ledger), lines)


def ledger_remove_txn(tx: Transaction, server_ids: Sequence[ServerId]) -> None:
    """Strike out servers that are gone."""
    tx.execute(delete(quota_ledger).where(quota_ledger.c.server_id.in_(server_ids)))


def _check(wanted: Mapping[str, int], allowed: Mapping[str, int], used: Usage) -> None:
    for resource, requested in wanted.items():
        limit, has = allowed[resource], getattr(used, resource)
        if limit >= 0 and has + requested > limit:
            raise OverLimit(resource=resource, requested=requested, used=has, limit=limit)


def _scope(project_id: ProjectId, user_id: UserId | None) -> str:
    return f"project:{project_id}" if user_id is None else f"user:{project_id}:{user_id}"


def _of_scope_txn(tx: Transaction, scope: str) -> dict[str, int]:
    rows = tx.execute(select(limits.c.resource, limits.c.value).where(limits.c.scope == scope))
    return {row.resource: row.value for row in rows}


def _set_txn(tx: Transaction, scope: str, values: dict[str, int]) -> None:
    tx.execute(delete(limits).where(limits.c.scope == scope, limits.c.resource.in_(list(values))))
    if values:
        tx.execute(insert(limits), [{"scope": scope, "resource": r, "value": v} for r, v in values.items()])


def _forget_txn(tx: Transaction, scope: str) -> None:
    tx.execute(delete(limits).where(limits.c.scope == scope))
