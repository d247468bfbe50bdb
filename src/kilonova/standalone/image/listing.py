"""Listing images (Image API v2, "List images"): who sees which, filters, order, pages; as one SELECT."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

from sqlalchemy import Column, ColumnElement, and_, false, func, or_, select, true

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Invalid
from kilonova.objects.caller import Caller
from kilonova.standalone.image.attributes import VISIBILITIES
from kilonova.standalone.image.store import NoSuchImage, Row, image_txn, tags_txn
from kilonova.standalone.image.tables import images, members, tags

LIMIT_DEFAULT = 25
LIMIT_MAX = 1000
IN_MAX = 500
"""Most values after `in:`."""

Condition = ColumnElement[bool]

_CHOSEN = ("id", "name", "status", "disk_format", "container_format")
"""Filters that take one value or `in:` several."""
_EQUAL = ("owner", "checksum", "os_hash_value")
_SORTABLE = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")
_TIME_OPERATORS: Mapping[str, Callable[[Any, float], Condition]] = {
    "gt": lambda column, moment: column >= moment + 1,
    "gte": lambda column, moment: column >= moment,
    "lt": lambda column, moment: column < moment,
    "lte": lambda column, moment: column < moment + 1,
    "eq": lambda column, moment: and_(column >= moment, column < moment + 1),
    "neq": lambda column, moment: or_(column < moment, column >= moment + 1),
}
"""Times are kept exactly and shown in whole seconds; comparisons are about the seconds shown."""


@dataclass(frozen=True)
class Listing:
    """What a query asks for."""

    conditions: Sequence[Condition]
    order: Sequence[tuple[str, str]]
    limit: int
    marker: str | None


def asked(query: Sequence[tuple[str, str]], caller: Caller, admin: bool) -> Listing:
    """Read a query. Raises `Invalid` for what can't be understood."""
    given = dict(query)
    conditions = [_visible(given.pop("visibility", None), given.pop("member_status", "accepted"), caller, admin)]
    order = _order(query)
    limit = min(_number("limit", given.pop("limit", str(LIMIT_DEFAULT))), LIMIT_MAX)
    marker = given.pop("marker", None)
    conditions.append(images.c.os_hidden == _boolean("os_hidden", given.pop("os_hidden", "false")))
    for name in ("sort", "sort_key", "sort_dir"):
        given.pop(name, None)
    conditions += [_tagged(value) for name, value in query if name == "tag"]
    conditions += [_filter(name, value) for name, value in given.items() if name != "tag"]
    return Listing(conditions, order, limit, marker)


def page_txn(tx: Transaction, /, listing: Listing) -> tuple[Sequence[Row], bool]:
    """The images of one page, and whether there are more. Raises `Invalid` for a marker that is no image."""
    chosen = select(images).where(*listing.conditions)
    if listing.marker is not None:
        try:
            chosen = chosen.where(_after(image_txn(tx, listing.marker), listing.order))
        except NoSuchImage as error:
            raise Invalid(reason=f"The marker {listing.marker} is no image.") from error
    for key, direction in listing.order:
        chosen = chosen.order_by(_sorted(key).desc() if direction == "desc" else _sorted(key).asc())
    rows = tx.execute(chosen.limit(listing.limit + 1)).mappings().all()
    found = tags_txn(tx, [row["id"] for row in rows])
    return [{**row, "tags": found.get(row["id"], [])} for row in rows[: listing.limit]], len(rows) > listing.limit


def links(query: Sequence[tuple[str, str]], last: str | None) -> dict[str, str]:
    """The links of a page: to the first and, when there is more after the image `last`, to the next."""
    kept = [(name, value) for name, value in query if name != "marker"]
    first = {"first": "/v2/images" + (f"?{urlencode(kept)}" if kept else "")}
    if last is None:
        return first
    return {**first, "next": f"/v2/images?{urlencode([*kept, ('marker', last)])}"}


def _visible(visibility: str | None, member_status: str, caller: Caller, admin: bool) -> Condition:
    """Who sees what: own images, public ones, those shared and accepted; community ones when asked for."""
    if visibility not in {None, "all", *VISIBILITIES}:
        raise Invalid(reason=f"visibility must be one of all, {', '.join(VISIBILITIES)}.")
    if member_status not in {"pending", "accepted", "rejected", "all"}:
        raise Invalid(reason="member_status must be one of pending, accepted, rejected, all.")
    asked_for = true() if visibility in {None, "all"} else images.c.visibility == visibility
    if admin:
        return asked_for
    shared = select(members.c.image_id).where(members.c.member == (caller.project_id or ""))
    if member_status != "all":
        shared = shared.where(members.c.status == member_status)
    seen = [
        images.c.owner == (caller.project_id or ""),
        images.c.visibility == "public",
        and_(images.c.visibility == "shared", images.c.id.in_(shared)),
        images.c.visibility == "community" if visibility in {"community", "all"} else false(),
    ]
    return and_(asked_for, or_(*seen))


def _filter(name: str, value: str) -> Condition:
    column: Column[Any] = images.c.get(name, images.c.id)
    if name in _CHOSEN:
        values = _values(value) if value.startswith("in:") else [value]
        return column.in_(values)
    if name in _EQUAL:
        return column == value
    if name in {"min_ram", "min_disk"}:
        return column == _number(name, value)
    if name in {"size_min", "size_max"}:
        bound = _number(name, value)
        return images.c.size >= bound if name == "size_min" else images.c.size <= bound
    if name in {"created_at", "updated_at"}:
        return _moment(name, value)
    if name == "protected":
        return column == _boolean(name, value)
    return cast("Condition", images.c.properties[name].as_string() == value)


def _tagged(tag: str) -> Condition:
    return images.c.id.in_(select(tags.c.image_id).where(tags.c.tag == tag))


def _order(query: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Keys and directions of `sort`, or of `sort_key` and `sort_dir`; by id where they are equal."""
    pairs = [_pair(part) for name, value in query if name == "sort" for part in value.split(",")]
    keys = [value for name, value in query if name == "sort_key"]
    directions = [value for name, value in query if name == "sort_dir"]
    if pairs and (keys or directions):
        raise Invalid(reason="Give either sort, or sort_key and sort_dir.")
    if len(directions) > max(len(keys), 1):
        raise Invalid(reason="There are more sort_dir than sort_key.")
    if not pairs:
        rest = directions[-1] if len(directions) == 1 else "desc"
        keys = keys or ["created_at"]
        pairs = [(key, directions[at] if at < len(directions) else rest) for at, key in enumerate(keys)]
    order: dict[str, str] = {}
    for key, direction in pairs:
        order.setdefault(key, direction or "desc")
    for key, direction in order.items():
        if key not in _SORTABLE or direction not in {"asc", "desc"}:
            raise Invalid(reason=f"Can't sort by {key}:{direction}; keys are {', '.join(_SORTABLE)}; asc or desc.")
    order.setdefault("id", list(order.values())[-1])
    return list(order.items())


def _pair(text: str) -> tuple[str, str]:
    key, _, direction = text.partition(":")
    return key.strip(), direction.strip()


def _sorted(key: str) -> ColumnElement[Any]:
    """The column to sort by, with a value where there is none."""
    if key in {"name", "container_format", "disk_format"}:
        return func.coalesce(images.c[key], "")
    return func.coalesce(images.c[key], -1) if key == "size" else images.c[key]


def _after(marker: Row, order: Sequence[tuple[str, str]]) -> Condition:
    """What comes after the marker: less by some key (more, where ascending) and equal by those before it."""
    cases = []
    equal: list[Condition] = []
    for key, direction in order:
        column = _sorted(key)
        value = marker[key] if marker[key] is not None else (-1 if key == "size" else "")
        cases.append(and_(*equal, column < value if direction == "desc" else column > value))
        equal.append(column == value)
    return or_(*cases)


def _values(text: str) -> list[str]:
    values = next(csv.reader([text.removeprefix("in:").replace("\n", " ").replace("\r", " ")]), [])
    if len(values) > IN_MAX:
        raise Invalid(reason=f"in: takes {IN_MAX} values at most.")
    return values


def _moment(name: str, text: str) -> Condition:
    operator, colon, rest = text.partition(":")
    if not colon or operator not in _TIME_OPERATORS:
        operator, rest = "eq", text
    try:
        moment = datetime.fromisoformat(rest).timestamp()
    except (ValueError, OverflowError) as error:
        raise Invalid(reason=f"{name} must be a time in ISO 8601, after an operator such as gte:") from error
    return _TIME_OPERATORS[operator](images.c[name], moment)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise Invalid(reason=f"{name} must be a whole number, and not less than 0.")
    return int(text)


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise Invalid(reason=f"{name} must be true or false.")
    return text.lower() == "true"
