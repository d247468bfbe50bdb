"""The JSON schemas of what msgspec reads: Structs, and the kinds of fields that they are made of."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import inspect

from kilonova.api.shapes import ANYTHING, NULL, TEXT, TRUTH, WHOLE, by_key, either, listed, obj, or_null, words
from kilonova.kernel.schemas import Schema


def schema_of(kind: Any) -> Schema:
    """The schema of what msgspec reads as `kind`, with everything in its own place."""
    return _of(inspect.type_info(kind))


def _of(info: inspect.Type) -> Schema:
    match info:
        case inspect.Metadata():
            return _of(info.type)
        case inspect.CustomType():
            return dict(info.cls.schema)  # type: ignore[attr-defined]  # every kind of field has one (`fields.py`)
        case inspect.StructType():
            return obj({field.encode_name + ("" if field.required else "?"): _of(field.type) for field in info.fields})
        case inspect.UnionType():
            return _union([_of(one) for one in info.types])
        case inspect.DictType():
            return {**by_key(_of(info.value_type)), **_names(_of(info.key_type))}
        case inspect.ListType():
            return {**listed(_of(info.item_type)), **_bounds(info, "Items")}
        case _:
            return _of_plain(info)


def _of_plain(info: inspect.Type) -> Schema:
    if isinstance(info, inspect.LiteralType):
        return words(*info.values)
    if isinstance(info, inspect.StrType):
        return {**TEXT, **_bounds(info, "Length"), **_pattern(info.pattern)}
    return dict(_PLAIN[type(info)])


_PLAIN: Mapping[type[inspect.Type], Schema] = MappingProxyType(
    {inspect.IntType: WHOLE, inspect.BoolType: TRUTH, inspect.NoneType: NULL, inspect.AnyType: ANYTHING}
)


def _union(kinds: list[Schema]) -> Schema:
    rest = [kind for kind in kinds if kind != NULL]
    told = rest[0] if len(rest) == 1 else either(*rest)
    return or_null(told) if len(rest) < len(kinds) else told


def _names(key: Schema) -> Schema:
    return {} if key == TEXT else {"propertyNames": key}


def _bounds(info: inspect.StrType | inspect.ListType, of: str) -> Schema:
    told = {"min": info.min_length, "max": info.max_length}
    return {f"{name}{of}": bound for name, bound in told.items() if bound is not None}


def _pattern(pattern: str | None) -> Schema:
    """In the language of JSON schemas, which has other words for the ends."""
    return {} if pattern is None else {"pattern": pattern.replace(r"\A", "^").replace(r"\Z", "$")}
