"""Server queries as SQL: the conditions of a `ServerQuery`, its order, and the place where a page continues."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Select, and_, case, exists, false, func, or_, select, true

from kilonova.database.functions import check_pattern
from kilonova.kernel.errors import Invalid
from kilonova.objects.server import Server, VmState
from kilonova.objects.server_query import ServerQuery, StateFilter
from kilonova.operations.store import server_metadata, server_tags, servers

SortValues = tuple[Any, ...]

# Sort key of the API -> column, and what stands for NULL, so that every value compares with every other.
_SORTABLE: dict[str, tuple[str, Any]] = {
    "created_at": ("created_at", 0.0),
    "updated_at": ("updated_at", 0.0),
    "launched_at": ("launched_at", 0.0),
    "display_name": ("name", ""),
    "uuid": ("id", ""),
    "host": ("host", ""),
    "vm_state": ("vm_state", ""),
    "task_state": ("task_state", ""),
    "power_state": ("power_state", 0),
    "image_ref": ("image_id", ""),
    "instance_type_id": ("flavor_id", ""),
    "key_name": ("key_name", ""),
    "availability_zone": ("availability_zone", ""),
    "project_id": ("project_id", ""),
    "user_id": ("user_id", ""),
    "hostname": ("hostname", ""),
    "launch_index": ("launch_index", 0),
    "display_description": ("description", ""),
    "root_device_name": ("root_device_name", ""),
    "locked": ("locked", 0),
    "config_drive": ("config_drive", 0),
    "access_ip_v4": ("access_ip_v4", ""),
    "access_ip_v6": ("access_ip_v6", ""),
}

_EQUAL = (
    ("project_id", "project_id"),
    ("user_id", "user_id"),
    ("host", "host"),
    ("flavor_id", "flavor_id"),
    ("image_id", "image_id"),
    ("key_name", "key_name"),
    ("availability_zone", "availability_zone"),
    ("reservation_id", "reservation_id"),
    ("launch_index", "launch_index"),
    ("task_state", "task_state"),
    ("power_state", "power_state"),
    ("locked", "locked"),
    ("config_drive", "config_drive"),
    ("access_ip_v4", "access_ip_v4"),
    ("access_ip_v6", "access_ip_v6"),
    ("progress", "progress"),
    ("root_device_name", "root_device_name"),
    ("locked_by", "locked_by"),
    ("disk_config", "disk_config"),
    ("kernel_id", "kernel_id"),
    ("ramdisk_id", "ramdisk_id"),
)

_AT = (
    ("created_at", "created_at"),
    ("launched_at", "launched_at"),
    ("terminated_at", "deleted_at"),
)
MICROSECOND = 1e-6
"""As exact as times are shown."""

_LIKE = (
    ("name_like", "name"),
    ("hostname_like", "hostname"),
    ("description_like", "description"),
    ("ip_like", "addresses"),
    ("ip6_like", "addresses"),
)


def page_select(query: ServerQuery, after: SortValues | None) -> Select[tuple[bytes]]:
    """The bodies of the servers that `query` asks for, in its order, after the sort values `after`; one more than its limit."""
    wanted = select(servers.c.body).where(*_conditions(query))
    if after is not None:
        wanted = wanted.where(_beyond(query.sort, after))
    ordered = [
        _sort_column(key).desc() if direction == "desc" else _sort_column(key).asc() for key, direction in query.sort
    ]
    return wanted.order_by(*ordered).limit(query.limit + 1)


def sort_values(query: ServerQuery, server: Server) -> SortValues:
    """Where `server` stands in the query's order."""
    return tuple(_sort_value(key, server) for key, _ in query.sort)


def _sort_value(key: str, server: Server) -> Any:
    column, null = _SORTABLE[key]
    value = server.flavor.id if column == "flavor_id" else getattr(server, column)
    if isinstance(value, bool):
        return int(value)
    return null if value is None else value


def _sort_column(key: str) -> ColumnElement[Any]:
    name, null = _SORTABLE[key]
    column = servers.c[name]
    if isinstance(column.type, Boolean):
        return case((column, 1), else_=0)  # truth values have no order in SQL
    return func.coalesce(column, null) if column.nullable else column


def _beyond(sort: Sequence[tuple[str, str]], after: SortValues) -> ColumnElement[bool]:
    """Everything after `after`: further in the first key, or equal there and further in the second, and so on."""
    further: ColumnElement[bool] = false()
    for (key, direction), value in reversed(list(zip(sort, after, strict=True))):
        column = _sort_column(key)
        ahead = column < value if direction == "desc" else column > value
        further = or_(ahead, and_(column == value, further))
    return further


def _conditions(query: ServerQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [*_lifetime(query), *_tags(query)]
    if query.ids is not None:
        conditions.append(servers.c.id.in_(query.ids))
    if query.states is not None:
        conditions.append(or_(false(), *(_state(state) for state in query.states)))
    for field, column in _EQUAL:
        value = getattr(query, field)
        if value is not None:
            conditions.append(servers.c[column] == value)
    for field, column in _AT:
        value = getattr(query, field)
        if value is not None:
            first, last = moment(value)
            conditions.append(servers.c[column].between(first, last))
    for field, column in _LIKE:
        value = getattr(query, field)
        if value is not None:
            conditions.append(func.kn_match(value, func.coalesce(servers.c[column], "")) == 1)
    for key, value in query.metadata:
        mine = server_metadata.c.server_id == servers.c.id
        conditions.append(exists().where(mine, server_metadata.c.key == key, server_metadata.c.value == value))
    return conditions


def moment(asked: float) -> tuple[float, float]:
    """The first and the last time that are shown as `asked`: whole seconds stand for all of the second."""
    return (
        (asked, asked + 1 - MICROSECOND) if asked.is_integer() else (asked - MICROSECOND / 2, asked + MICROSECOND / 2)
    )


def _lifetime(query: ServerQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.changes_since is not None:
        conditions.append(servers.c.updated_at >= query.changes_since)
    else:
        gone = [VmState.DELETED]
        soft_with_gone = query.soft_deleted is not False if query.deleted else not query.soft_deleted
        if soft_with_gone:
            gone.append(VmState.SOFT_DELETED)
        is_gone = servers.c.vm_state.in_(gone)
        conditions.append(is_gone if query.deleted else ~is_gone)
    if query.changes_before is not None:
        conditions.append(servers.c.updated_at <= query.changes_before)
    return conditions


def _state(state: StateFilter) -> ColumnElement[bool]:
    matches = [servers.c.vm_state == state.vm_state]
    if state.tasks is not None:
        matches.append(servers.c.task_state.in_(sorted(state.tasks)))
    if state.not_tasks:
        matches.append(func.coalesce(servers.c.task_state, "").not_in(sorted(state.not_tasks)))
    return and_(true(), *matches)


def _tags(query: ServerQuery) -> list[ColumnElement[bool]]:
    def has(tag: str) -> ColumnElement[bool]:
        return exists().where(server_tags.c.server_id == servers.c.id, server_tags.c.tag == tag)

    conditions: list[ColumnElement[bool]] = [has(tag) for tag in query.tags_all]
    if query.tags_any:
        conditions.append(or_(*(has(tag) for tag in query.tags_any)))
    if query.not_tags_all:
        conditions.append(~and_(*(has(tag) for tag in query.not_tags_all)))
    conditions += [~has(tag) for tag in query.not_tags_any]
    return conditions


def check(query: ServerQuery) -> None:
    """Raise `Invalid` for a sort key that servers don't have, and for a regular expression that can't be used."""
    for key, _ in query.sort:
        if key not in _SORTABLE:
            raise Invalid(reason=f"Invalid sort key: {key}")
    for field, _ in _LIKE:
        pattern = getattr(query, field)
        if pattern is not None:
            check_pattern(pattern)
