"""Quotas: limits by project and user, and a ledger that is counted in the transaction that inserts.

The only module that writes `limits` and `quota_ledger`. A server's line in the ledger is written with its boot request and
removed when the server is gone; nothing is reserved, so nothing can be left reserved.
"""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import ColumnElement, bindparam, delete, func, insert, select, update

from kilonova.cells.server_map import group_members_txn
from kilonova.database.database import Database, Transaction
from kilonova.database.prepared import Prepared
from kilonova.database.tables.api_database import limits, quota_ledger, server_groups
from kilonova.kernel.errors import OverLimit
from kilonova.kernel.ids import ProjectId, ServerId, UserId
from kilonova.objects.flavor import Flavor
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

NETWORK = dict.fromkeys(("fixed_ips", "floating_ips", "security_groups", "security_group_rules"), -1)
"""Quotas that are the network service's. Older microversions of the API set and show them: they are kept, and limit nothing."""

_DEFAULT_CLASS = "class:default"
_COUNTED = ("instances", "cores", "ram")
"""What the ledger counts."""
_Amounts = tuple[int, int, int]

_limits_of = Prepared(
    select(limits).where(limits.c.scope.in_([bindparam("class_"), bindparam("project"), bindparam("user")]))
)
_counted = select(
    func.count(), func.coalesce(func.sum(quota_ledger.c.cores), 0), func.coalesce(func.sum(quota_ledger.c.memory_mb), 0)
).where(quota_ledger.c.project_id == bindparam("project"))
_of_project = Prepared(_counted)
_of_user = Prepared(_counted.where(quota_ledger.c.user_id == bindparam("user")))
_insert = Prepared(insert(quota_ledger))
_line_of = Prepared(select(quota_ledger).where(quota_ledger.c.server_id == bindparam("key")))
_line_set = Prepared(
    update(quota_ledger)
    .where(quota_ledger.c.server_id == bindparam("key"))
    .values(cores=bindparam("new_cores"), memory_mb=bindparam("new_memory_mb"))
)


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger counts of one server."""

    cores: int
    memory_mb: int


class GroupFull(OverLimit):
    """Quota exceeded, too many servers in group"""

    code = "server-group-full"


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
        self.defaults = {**DEFAULTS, **NETWORK, **(defaults or {})}

    async def limits(self, project_id: ProjectId, user_id: UserId | None = None) -> dict[str, int]:
        """The limits in force by resource: the user's, else the project's, else the default class's, else the defaults."""
        return await self._database.read(limits_txn, self.defaults, project_id, user_id)

    async def class_limits(self, name: str) -> dict[str, int]:
        """The limits of a quota class; only `default` counts."""
        return await self._database.read(lambda tx: {**self.defaults, **_of_class_txn(tx, name)})

    async def usage(self, project_id: ProjectId, user_id: UserId | None = None) -> Usage:
        """What is used now."""
        return await self._database.read(usage_txn, project_id, user_id)

    async def set_limits(self, project_id: ProjectId, values: dict[str, int], user_id: UserId | None = None) -> None:
        """Set some limits of a project, or of a user in it."""
        await self._database.write(_set_txn, _scope(project_id, user_id), values)

    async def set_class_limits(self, name: str, values: dict[str, int]) -> None:
        """Set some limits of a quota class."""
        await self._database.write(_set_txn, f"class:{name}", values)

    async def given_to_users(self, project_id: ProjectId, besides: UserId | None = None) -> dict[str, int]:
        """What the limits of a project's users add up to by resource, without those of one user; without endless ones."""
        return await self._database.read(_given_txn, project_id, besides)

    async def reset(self, project_id: ProjectId, user_id: UserId | None = None) -> None:
        """Forget the limits of a project and of all users in it, or of one user, so that the defaults hold."""
        await self._database.write(_forget_txn, project_id, user_id)


def limits_txn(
    tx: Transaction, defaults: Mapping[str, int], project_id: ProjectId, user_id: UserId | None
) -> dict[str, int]:
    """See `Quota.limits`."""
    by_scope = _of_scopes_txn(tx, _DEFAULT_CLASS, _scope(project_id, None), _scope(project_id, user_id))
    return _in_force(defaults, by_scope, project_id, user_id)


def usage_txn(tx: Transaction, project_id: ProjectId, user_id: UserId | None = None) -> Usage:
    """See `Quota.usage`."""
    instances, cores, ram = _counted_txn(tx, project_id, user_id)
    groups = select(func.count()).select_from(server_groups).where(server_groups.c.project_id == project_id)
    if user_id is not None:
        groups = groups.where(server_groups.c.user_id == user_id)
    return Usage(instances=instances, cores=cores, ram=ram, server_groups=tx.execute(groups).scalar_one())


def ledger_add_txn(tx: Transaction, defaults: Mapping[str, int], servers: Sequence[Server]) -> None:
    """Enter new servers, all of one project and user. Raises `OverLimit` when they don't all fit, for either."""
    project_id, user_id = servers[0].project_id, servers[0].user_id
    wanted = (
        len(servers),
        sum(server.flavor.vcpus for server in servers),
        sum(server.flavor.memory_mb for server in servers),
    )
    _check_all_txn(tx, defaults, project_id, user_id, wanted)
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
    tx.execute(_insert, lines)


def ledger_raise_txn(tx: Transaction, defaults: Mapping[str, int], server_id: ServerId, flavor: Flavor) -> None:
    """Let a server's line cover `flavor` too, before it is resized to that. Raises `OverLimit` when that is too much."""
    row = tx.execute(_line_of, {"key": server_id}).first()
    if row is None:
        return  # it has just been deleted
    wanted = Size(cores=max(row.cores, flavor.vcpus), memory_mb=max(row.memory_mb, flavor.memory_mb))
    more = (0, wanted.cores - row.cores, wanted.memory_mb - row.memory_mb)
    _check_all_txn(tx, defaults, row.project_id, row.user_id, more)
    ledger_set_txn(tx, {server_id: wanted})


def ledger_set_txn(tx: Transaction, sizes: Mapping[ServerId, Size]) -> None:
    """Set the lines of servers that have another size; those without a line get none."""
    for server_id, size in sizes.items():
        tx.execute(_line_set, {"key": server_id, "new_cores": size.cores, "new_memory_mb": size.memory_mb})


def size_of(*flavors: Flavor) -> Size:
    """The size that covers each of `flavors`, of which a server may have any."""
    return Size(cores=max(one.vcpus for one in flavors), memory_mb=max(one.memory_mb for one in flavors))


def group_check_txn(tx: Transaction, defaults: Mapping[str, int], servers: Sequence[Server]) -> None:
    """Raise `GroupFull` unless the group that new servers are to be members of, if any, has room for them all."""
    first = servers[0]
    if first.group_id is None:
        return
    limit = limits_txn(tx, defaults, first.project_id, first.user_id)["server_group_members"]
    if 0 <= limit < len(group_members_txn(tx, first.group_id)) + len(servers):
        raise GroupFull


def ledger_remove_txn(tx: Transaction, server_ids: Sequence[ServerId]) -> None:
    """Strike out servers that are gone."""
    tx.execute(delete(quota_ledger).where(quota_ledger.c.server_id.in_(server_ids)))


def _check_all_txn(
    tx: Transaction, defaults: Mapping[str, int], project_id: ProjectId, user_id: UserId, wanted: _Amounts
) -> None:
    """Raise `OverLimit` unless the project, and the user in it, may have `wanted` more."""
    of_user = _scope(project_id, user_id)
    by_scope = _of_scopes_txn(tx, _DEFAULT_CLASS, _scope(project_id, None), of_user)
    _check(wanted, _in_force(defaults, by_scope, project_id, None), _counted_txn(tx, project_id, None))
    if of_user in by_scope:
        _check(wanted, _in_force(defaults, by_scope, project_id, user_id), _counted_txn(tx, project_id, user_id))


def _check(wanted: _Amounts, allowed: Mapping[str, int], used: _Amounts) -> None:
    for resource, requested, has in zip(_COUNTED, wanted, used, strict=True):
        limit = allowed[resource]
        if requested > 0 and 0 <= limit < has + requested:
            raise OverLimit(resource=resource, requested=requested, used=has, limit=limit)


def _counted_txn(tx: Transaction, project_id: ProjectId, user_id: UserId | None) -> _Amounts:
    """What the ledger says of a project, or of a user in it, in the order of _COUNTED."""
    statement = _of_project if user_id is None else _of_user
    instances, cores, ram = tuple(tx.execute(statement, {"project": project_id, "user": user_id}).one())
    return instances, int(cores), int(ram)


def _in_force(
    defaults: Mapping[str, int], by_scope: Mapping[str, dict[str, int]], project_id: ProjectId, user_id: UserId | None
) -> dict[str, int]:
    """The limits of a project or user; what is narrower comes later and wins."""
    found = {**defaults, **by_scope.get(_DEFAULT_CLASS, {}), **by_scope.get(_scope(project_id, None), {})}
    return found if user_id is None else {**found, **by_scope.get(_scope(project_id, user_id), {})}


def _scope(project_id: ProjectId, user_id: UserId | None) -> str:
    return f"project:{project_id}" if user_id is None else f"user:{project_id}:{user_id}"


def _of_scopes_txn(tx: Transaction, class_: str, project: str = "", user: str = "") -> dict[str, dict[str, int]]:
    """The limits set for each of the scopes that has any."""
    found: dict[str, dict[str, int]] = {}
    for row in tx.execute(_limits_of, {"class_": class_, "project": project, "user": user}):
        found.setdefault(row.scope, {})[row.resource] = row.value
    return found


def _of_class_txn(tx: Transaction, name: str) -> dict[str, int]:
    return _of_scopes_txn(tx, f"class:{name}").get(f"class:{name}", {})


def _set_txn(tx: Transaction, scope: str, values: dict[str, int]) -> None:
    tx.execute(delete(limits).where(limits.c.scope == scope, limits.c.resource.in_(list(values))))
    if values:
        tx.execute(insert(limits), [{"scope": scope, "resource": r, "value": v} for r, v in values.items()])


def _given_txn(tx: Transaction, project_id: ProjectId, besides: UserId | None) -> dict[str, int]:
    others = _of_users(project_id) & (limits.c.value >= 0)
    if besides is not None:
        others &= limits.c.scope != _scope(project_id, besides)
    summed = (
        select(limits.c.resource, func.sum(limits.c.value).label("value")).where(others).group_by(limits.c.resource)
    )
    return {row.resource: int(row.value) for row in tx.execute(summed)}


def _forget_txn(tx: Transaction, project_id: ProjectId, user_id: UserId | None) -> None:
    forgotten = limits.c.scope == _scope(project_id, user_id)
    if user_id is None:
        forgotten |= _of_users(project_id)
    tx.execute(delete(limits).where(forgotten))


def _of_users(project_id: ProjectId) -> ColumnElement[bool]:
    """The limits of the users in a project."""
    return limits.c.scope.startswith(f"user:{project_id}:", autoescape=True)
