"""JSON schemas as documents, and the small edits by which a change of a shape shows in the schema of that shape.

A schema here holds no references: what a field holds stands where the field is. Edits work in place, and find objects by the
names on the way to them, through lists and alternatives, so that one edit fits a shape wherever it is told.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def objects(schema: Schema, *way: str) -> Iterator[Schema]:
    """Every object schema that `way`, a path of field names, leads to."""
    for one in _here(schema):
        if not way:
            yield one
        elif way[0] in one["properties"]:
            yield from objects(one["properties"][way[0]], *way[1:])


def drop(schema: Schema, *path: str) -> None:
    """Take the field at `path` away, where it is."""
    for one in objects(schema, *path[:-1]):
        one["properties"].pop(path[-1], None)
        relax(one, path[-1])


def put(schema: Schema, field: str, value: Schema, *, required: bool = False) -> None:
    """Give every object at the top of `schema` the field, in the place of what it held before."""
    for one in objects(schema):
        one["properties"][field] = value
        relax(one, field)
        if required:
            one["required"] = sorted({*one.get("required", ()), field})


def swap(schema: Schema, value: Schema, *path: str) -> None:
    """Let the field at `path`, where it is, hold `value` instead."""
    for one in objects(schema, *path[:-1]):
        if path[-1] in one["properties"]:
            one["properties"][path[-1]] = value


def rename(schema: Schema, old: str, new: str) -> None:
    """Call a field by another name, where it is."""
    for one in objects(schema):
        if old in one["properties"]:
            required = old in one.get("required", ())
            put(one, new, one["properties"][old], required=required)
            drop(one, old)


def relax(schema: Schema, *fields: str) -> None:
    """Let objects at the top of `schema` do without `fields`."""
    for one in objects(schema):
        kept = [name for name in one.get("required", ()) if name not in fields]
        one.pop("required", None)
        if kept:
            one["required"] = kept


def demand(schema: Schema, *fields: str) -> None:
    """Require `fields` of the objects at the top of `schema`."""
    for one in objects(schema):
        one["required"] = sorted({*one.get("required", ()), *fields})


def become(schema: Schema, other: Schema) -> None:
    """Let `schema` say what `other` says."""
    schema.clear()
    schema.update(other)


def _here(schema: Schema) -> Iterator[Schema]:
    if "properties" in schema:
        yield schema
    for other in schema.get("anyOf", ()):
        yield from _here(other)
    if isinstance(schema.get("items"), dict):
        yield from _here(schema["items"])
