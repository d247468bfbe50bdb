"""What bodies hold, as data: the words that resources describe their requests and answers with.

A description is a JSON schema of the newest shape, with what older microversions show or take besides. Where it is `shaped`, the
line's changes of that shape say what it is at an older one (`kernel.versions.Level.schema`). A request's schema is that of the
Struct that reads it (`struct_schema.py`), so that there is no second one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kilonova.kernel.schemas import Schema, put
from kilonova.kernel.versions import Level

SHAPES = "x-shapes"
"""Marks a schema that changes of these shapes apply to, in this order. Not in what is told."""

MORE = "x-more"
"""Marks a schema with the fields that are put to it after all changes. Not in what is told."""

ANYTHING: Schema = {}
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TRUTH: Schema = {"type": "boolean"}
NULL: Schema = {"type": "null"}
UUID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "format": "date-time"}
MICRO_TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$"}
"""UTC without saying so."""


def obj(fields: Mapping[str, Schema]) -> Schema:
    """An object with exactly these fields; one whose name ends with `?` may be missing."""
    return {
        "type": "object",
        "properties": {name.removesuffix("?"): schema for name, schema in fields.items()},
        "required": sorted(name for name in fields if not name.endswith("?")),
        "additionalProperties": False,
    }


def listed(items: Schema) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": items}


def by_key(values: Schema) -> Schema:
    """An object of any fields that hold such values."""
    return {"type": "object", "additionalProperties": values}


def either(*schemas: Schema) -> Schema:
    """One of these."""
    return {"anyOf": list(schemas)}


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    kind = schema.get("type")
    if "enum" in schema:
        return words(*schema["enum"], None)
    return {**schema, "type": [kind, "null"]} if isinstance(kind, str) else either(schema, NULL)


def words(*values: object) -> Schema:
    """One of these values."""
    return {"enum": list(dict.fromkeys(values))}


def shaped(schema: Schema, *shapes: str) -> Schema:
    """A schema that the changes of these shapes apply to."""
    return {**schema, SHAPES: list(shapes)}


def whole(low: int, high: int) -> Schema:
    """A whole number within bounds, or its digits as text."""
    sign = "-?" if low < 0 else ""
    return either({"type": "integer", "minimum": low, "maximum": high}, {"type": "string", "pattern": rf"^{sign}\d+$"})


def text(longest: int, *, shortest: int = 1, pattern: str | None = None) -> Schema:
    """A text of so many characters."""
    told = {"type": "string", "minLength": shortest, "maxLength": longest}
    return told if pattern is None else {**told, "pattern": pattern}


def also(schema: Schema, fields: Mapping[str, Schema]) -> Schema:
    """A schema of an object that has these fields too, at every microversion."""
    return {**schema, MORE: dict(fields)}


LINK = obj({"rel": TEXT, "href": TEXT, "type?": TEXT})
LINKS = listed(LINK)


@dataclass(frozen=True, kw_only=True)
class Takes:
    """The body of a request."""

    kind: Any = None
    """What msgspec reads it as; `schema` where a handler reads it by hand."""
    schema: Schema | None = None
    under: str | None = None
    """The body's only key; None when the fields stand at its top."""
    shape: str | None = None
    """Whose changes apply."""
    null: bool = False
    """Whether null may stand under the key as well."""
    beside: tuple[tuple[str, Schema], ...] = ()
    """What may stand beside that key."""
    required: tuple[str, ...] = ()
    """What the newest microversion requires though older ones do without, so that the Struct can't."""
    narrowed: tuple[tuple[str, Schema], ...] = ()
    """Fields that hold less at the newest microversion than the Struct, which reads all of them, takes."""
    empty: bool = False
    """Whether an empty object will do."""


@dataclass(frozen=True, kw_only=True)
class Gives:
    """One answer of success."""

    body: Schema | None = None
    """None for no body."""
    status: int | None = None
    """The route's own when None."""
    since: str | None = None
    until: str | None = None

    def told_at(self, level: Level) -> bool:
        """Whether this is the answer at `level`."""
        return (self.since is None or level.at_least(self.since)) and (
            self.until is None or level.position <= level.line.positions[self.until]
        )


NO_BODY = (Gives(),)


def gives(fields: Mapping[str, Schema]) -> tuple[Gives, ...]:
    """The one answer that is an object with exactly these fields."""
    return (Gives(body=obj(fields)),)


def told(schema: Schema, level: Level) -> Schema:
    """`schema` as it is at `level`, with every change of its shapes undone; a copy."""
    settled: Schema = _settled(_marked(schema, level))
    return settled


def _marked(schema: Any, level: Level) -> Any:
    """`schema` with changes applied where it is marked, from the inside out."""
    if isinstance(schema, list):
        return [_marked(one, level) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _marked(value, level) for key, value in schema.items() if key not in {SHAPES, MORE}}
    for shape in schema.get(SHAPES, ()):
        inner = level.schema(shape, inner)
    for field, value in schema.get(MORE, {}).items():
        put(inner, field, _marked(value, level), required=True)
    return inner


def _settled(schema: Any) -> Any:
    """Without what says nothing: empty lists of what is required."""
    if isinstance(schema, list):
        return [_settled(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _settled(value) for key, value in schema.items() if not (key == "required" and value == [])}
