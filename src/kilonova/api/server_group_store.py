"""Server groups in the API database. The only module that writes them; who their members are is in the map of servers."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, select

from kilonova.database.database import Transaction
from kilonova.database.tables.api_database import server_groups, server_map
from kilonova.kernel.errors import NotFound, OverLimit
from kilonova.kernel.ids import ProjectId, ServerId
from kilonova.notifications import payloads
from kilonova.notifications.outbox import API, note_txn
from kilonova.objects.server_group import ServerGroup
from kilonova.operations.quota import limits_txn


class GroupNotFound(NotFound):
    """Instance group {id} could not be found."""

    code = "server-group-not-found"


class TooManyGroups(OverLimit):
    """Quota exceeded, too many server groups."""

    code = "too-many-server-groups"


def group_find_txn(tx: Transaction, group_id: str) -> ServerGroup:
    """One group with its members. Raises `GroupNotFound`."""
    row = tx.execute(select(server_groups).where(server_groups.c.id == group_id)).mappings().first()
    if row is None:
        raise GroupNotFound(id=group_id)
    return _groups(tx, [row])[0]


def groups_txn(tx: Transaction, project_id: ProjectId | None, offset: int, limit: int) -> list[ServerGroup]:
    """Groups with their members, oldest first; None is every project's."""
    query = select(server_groups).order_by(server_groups.c.created_at, server_groups.c.id).offset(offset).limit(limit)
    if project_id is not None:
        query = query.where(server_groups.c.project_id == project_id)
    return _groups(tx, tx.execute(query).mappings().all())


def group_add_txn(tx: Transaction, group: ServerGroup, defaults: Mapping[str, int]) -> None:
    """Add a group. Raises `TooManyGroups` when the project, or the user in it, has as many as it may."""
    of_project = server_groups.c.project_id == group.project_id
    of_user = of_project & (server_groups.c.user_id == group.user_id)
    by_project = limits_txn(tx, defaults, group.project_id, None)["server_groups"]
    by_user = limits_txn(tx, defaults, group.project_id, group.user_id)["server_groups"]
    for limit, condition in ((by_project, of_project), (by_user, of_user)):
        if 0 <= limit <= tx.execute(select(func.count()).where(condition)).scalar_one():
            raise TooManyGroups
    values: dict[str, Any] = {
        "id": group.id,
        "project_id": group.project_id,
        "user_id": group.user_id,
        "name": group.name,
        "policy": group.policy,
        "max_server_per_host": group.max_server_per_host,
        "created_at": group.created_at,
    }
    tx.execute(insert(server_groups), values)
    _tell_txn(tx, "create", group)


def group_remove_txn(tx: Transaction, group_id: str) -> None:
    """Remove a group; its servers stay where they are. Raises `GroupNotFound`."""
    group = group_find_txn(tx, group_id)
    tx.execute(delete(server_groups).where(server_groups.c.id == group_id))
    _tell_txn(tx, "delete", group)


def _tell_txn(tx: Transaction, what: str, group: ServerGroup) -> None:
    """`server_group.create` and `.delete`."""
    if tx.tells:
        note_txn(tx, f"server_group.{what}", API, payloads.server_group(group))


def _groups(tx: Transaction, rows: Sequence[RowMapping]) -> list[ServerGroup]:
    members: dict[str, list[ServerId]] = defaultdict(list)
    living = (
        select(server_map.c.group_id, server_map.c.server_id)
        .where(server_map.c.group_id.in_([row["id"] for row in rows]), server_map.c.deleted_at.is_(None))
        .order_by(server_map.c.created_at, server_map.c.server_id)
    )
    for found in tx.execute(living):
        members[found.group_id].append(ServerId(found.server_id))
    return [ServerGroup(**row, members=tuple(members[row["id"]])) for row in rows]
