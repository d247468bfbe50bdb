"""What a list request asks for (filters, fields, sort keys, a page), and the SQL that answers it.

Source: Networking API reference, "Filtering and Column Selection", "Sorting", "Pagination".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Boolean, Column, ColumnElement, Integer, Row, Table, and_, func, or_, select

from kilonova.database.database import Transaction
from kilonova.standalone.network.errors import BadRequest, InvalidInput
from kilonova.standalone.network.tables import tags
from kilonova.standalone.network.values import INTEGER_MAX, BadValue, boolean

Condition = ColumnElement[bool]

FILTER_VALUES_MAX = 500
"""Most values of one filter."""
_CONTROLS = frozenset({"fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"})


@dataclass(frozen=True)
class Source:
    """How one kind of resource is listed."""

    table: Table
    columns: Mapping[str, Column[Any]]
    """Attributes that can be filtered by and sorted by."""
    filters: Mapping[str, Callable[[Sequence[str]], Condition]] = field(default_factory=dict)
    """Further filters, which are no comparison with a column."""


@dataclass(frozen=True)
class Query:
    """One list request."""

    conditions: tuple[Condition, ...] = ()
    fields: frozenset[str] = frozenset()
    """Attributes wanted; empty for all."""
    sort: tuple[tuple[str, bool], ...] = (("id", True),)
    """Attributes to sort by, and whether ascending; ends with the id, so that the order is total."""
    limit: int | None = None
    marker: str | None = None
    reverse: bool = False


@dataclass(frozen=True)
class Page:
    """What a list request finds."""

    rows: list[dict[str, Any]]
    more: bool
    """Whether there is more in the direction of paging."""


def columns_of(table: Table, *names: str, **renamed: str) -> dict[str, Column[Any]]:
    """The columns that every kind has, those named, and those whose attribute has another name than the column."""
    standard = ("id", "name", "description", "project_id", "revision_number", "created_at", "updated_at")
    found = {name: table.c[name] for name in (*standard, *names) if name in table.c}
    return found | {"tenant_id": table.c.project_id} | {name: table.c[column] for name, column in renamed.items()}


def parse(parameters: Sequence[tuple[str, str]], source: Source) -> Query:
    """Read the parameters of a list request. Raises `BadRequest`, `InvalidInput`."""
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        given.setdefault(name, []).append(value)
    for name, values in given.items():
        if len(values) > FILTER_VALUES_MAX:
            raise BadRequest(reason=f"At most {FILTER_VALUES_MAX} values of '{name[:60]}' are allowed")
    return Query(
        conditions=tuple(_condition(source, name, values) for name, values in given.items() if name not in _CONTROLS),
        fields=frozenset(given.get("fields", ())),
        sort=_sort(given, source),
        limit=_limit(given),
        marker=given["marker"][-1] if "marker" in given else None,
        reverse=given.get("page_reverse", ["false"])[-1].lower() in {"true", "1"},
    )


def page_txn(tx: Transaction, source: Source, query: Query, visible: Condition) -> Page:
    """One page of what is visible. Raises `InvalidInput` for a marker that is not."""
    order = [(source.columns[name], ascending != query.reverse) for name, ascending in query.sort]
    statement = select(source.table).where(visible, *query.conditions)
    if query.marker is not None:
        statement = statement.where(_after(order, _marker_txn(tx, source, query.marker, visible)))
    statement = statement.order_by(*(_key(column).asc() if up else _key(column).desc() for column, up in order))
    if query.limit is not None:
        statement = statement.limit(query.limit + 1)
    rows = [row._asdict() for row in tx.execute(statement)]
    more = query.limit is not None and len(rows) > query.limit
    rows = rows[: query.limit]
    return Page(rows[::-1] if query.reverse else rows, more)


def links(url: str, parameters: Sequence[tuple[str, str]], query: Query, page: Page) -> list[dict[str, str]]:
    """Where the next and the previous page are; nothing when no limit was given."""
    if query.limit is None or not page.rows:
        return []
    kept = [(name, value) for name, value in parameters if name not in {"marker", "page_reverse"}]

    def link(rel: str, row: dict[str, Any], reverse: bool) -> dict[str, str]:
        turned = [("page_reverse", "True")] if reverse else []
        return {"rel": rel, "href": f"{url}?{urlencode([*kept, ('marker', row['id']), *turned])}"}

    found = []
    if page.more if not query.reverse else query.marker is not None:
        found.append(link("next", page.rows[-1], False))
    if page.more if query.reverse else query.marker is not None:
        found.append(link("previous", page.rows[0], True))
    return found


def _condition(source: Source, name: str, values: Sequence[str]) -> Condition:
    if name in source.filters:
        return source.filters[name](values)
    if name in _TAGS:
        return _TAGS[name](source.table.c.id, [tag for value in values for tag in value.split(",")])
    if name not in source.columns:
        raise BadRequest(
            reason=f"Invalid filter: '{name[:80]}' is no attribute that {source.table.name} can be listed by"
        )
    column = source.columns[name]
    found = [_typed(column, name, value) for value in values]
    return or_(column.in_([one for one in found if one is not None]), *([column.is_(None)] if None in found else []))


def _typed(column: Column[Any], name: str, value: str) -> Any:
    """The value of a filter as the column has it; an empty one finds null where there may be one."""
    if value == "" and column.nullable:
        return None
    try:
        if isinstance(column.type, Boolean):
            return boolean(value)
        if isinstance(column.type, Integer):
            return int(value) if abs(int(value)) <= INTEGER_MAX else -INTEGER_MAX
    except (BadValue, ValueError):
        raise BadRequest(reason=f"Invalid filter value '{value[:80]}' of '{name}'") from None
    return value


def _all_of(resource: Column[str], wanted: Sequence[str]) -> Condition:
    having = select(tags.c.resource_id).where(tags.c.tag.in_(wanted)).group_by(tags.c.resource_id)
    return resource.in_(having.having(func.count() == len(set(wanted))))


def _any_of(resource: Column[str], wanted: Sequence[str]) -> Condition:
    return resource.in_(select(tags.c.resource_id).where(tags.c.tag.in_(wanted)))


_TAGS: Mapping[str, Callable[[Column[str], Sequence[str]], Condition]] = {
    "tags": _all_of,
    "tags-any": _any_of,
    "not-tags": lambda resource, wanted: ~_all_of(resource, wanted),
    "not-tags-any": lambda resource, wanted: ~_any_of(resource, wanted),
}


def _sort(given: Mapping[str, Sequence[str]], source: Source) -> tuple[tuple[str, bool], ...]:
    keys, directions = given.get("sort_key", []), given.get("sort_dir", [])
    if len(keys) < len(directions):
        raise BadRequest(reason="The number of sort_keys and sort_dirs must be same")
    found = []
    for at, key in enumerate(keys):
        direction = directions[at] if at < len(directions) else "asc"
        if key not in source.columns or direction not in {"asc", "desc"}:
            raise BadRequest(reason=f"'{key[:80]}' with direction '{direction[:20]}' is nothing to sort by")
        found.append((key, direction == "asc"))
    return tuple(found) if any(key == "id" for key, _ in found) else (*found, ("id", True))


def _limit(given: Mapping[str, Sequence[str]]) -> int | None:
    """The page's size; null for everything, which is also what 0 and a negative number ask for."""
    if "limit" not in given:
        return None
    text = given["limit"][-1]
    try:
        limit = int(text)
    except ValueError:
        raise BadRequest(reason=f"Limit must be an integer 0 or greater and not '{text[:40]}'") from None
    if limit < 0:
        raise BadRequest(reason=f"Limit must be an integer 0 or greater and not '{limit}'")
    return min(limit, INTEGER_MAX - 1) or None


def _marker_txn(tx: Transaction, source: Source, marker: str, visible: Condition) -> Row[Any]:
    row = tx.execute(select(source.table).where(source.table.c.id == marker, visible)).first()
    if row is None:
        raise InvalidInput(reason=f"the marker '{marker[:80]}' names nothing that is there")
    return row


def _key(column: Column[Any]) -> ColumnElement[Any]:
    """A column as a sort key: null before everything, on every database."""
    if not column.nullable:
        return column
    return func.coalesce(column, -1 if isinstance(column.type, Integer) else "")


def _after(order: Sequence[tuple[Column[Any], bool]], marker: Row[Any]) -> Condition:
    """What comes after the marker's row in this order."""
    alternatives = []
    for at, (column, ascending) in enumerate(order):
        before = [_key(one) == _value(one, marker) for one, _ in order[:at]]
        key, value = _key(column), _value(column, marker)
        alternatives.append(and_(*before, key > value if ascending else key < value))
    return or_(*alternatives)


def _value(column: Column[Any], row: Row[Any]) -> Any:
    value = row._asdict()[column.name]
    if value is None:
        return -1 if isinstance(column.type, Integer) else ""
    return value
