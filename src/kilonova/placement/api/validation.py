"""What a document is not, in the words that clients of the Placement API know: those of JSON Schema's validators.

Documents are read by msgspec, which is fast and stops at the first thing that is wrong. Its sentence names the rule and the
path; from both, and the document, this makes the sentence that OpenStack's services have always said.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

_AT = re.compile(r"^(?P<what>.*?)(?: - at (?P<key>`key` in )?`(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "int": ("integer", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": ("number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "str": ("string", lambda value: isinstance(value, str)),
    "object": ("object", lambda value: isinstance(value, dict)),
    "array": ("array", lambda value: isinstance(value, list)),
    "bool": ("boolean", lambda value: isinstance(value, bool)),
    "null": ("null", lambda value: value is None),
}
_Said = tuple[str, str]
"""A sentence and the rule that it is about."""


def worded(error: msgspec.ValidationError, document: object) -> str:
    """The error as a JSON Schema validator says it."""
    found = _AT.match(str(error))
    assert found is not None
    steps = [name or index for name, index in _STEP.findall(found["path"] or "$")]
    values = list(_values(document, steps, keys=found["key"] is not None))
    said, keyword = _said(found["what"], values, keys=found["key"] is not None)
    place = "".join(f"['properties'][{step!r}]" for step in steps if not step[:1].isdigit() and step != "...")
    return f"{said}  Failed validating '{keyword}' in schema{place}"


def _values(document: Any, steps: list[str], *, keys: bool) -> Iterator[Any]:
    """What may be meant by a path in which `[...]` stands for any entry of an object; the keys of an object, for `keys`."""
    if not steps:
        yield from document if keys and isinstance(document, dict) else (document,)
        return
    first, *rest = steps
    if first == "..." and isinstance(document, dict):
        for value in document.values():
            yield from _values(value, rest, keys=keys)
    elif isinstance(document, list) and first.isdecimal():
        yield from _values(document[int(first)], rest, keys=keys)
    elif isinstance(document, dict) and first in document:
        yield from _values(document[first], rest, keys=keys)


def _said(what: str, values: list[Any], *, keys: bool) -> _Said:
    """The sentence for one of msgspec's."""
    for pattern, say in _SAYINGS:
        found = re.match(pattern, what, re.DOTALL)
        if found:
            return say(found, values, keys)
    return what, "type"


def _required(found: re.Match[str], _values: list[Any], _keys: bool) -> _Said:
    return f"'{found[1]}' is a required property", "required"


def _unknown(found: re.Match[str], _values: list[Any], _keys: bool) -> _Said:
    return f"Additional properties are not allowed ('{found[1]}' was unexpected)", "additionalProperties"


def _pattern(found: re.Match[str], values: list[Any], keys: bool) -> _Said:
    bad = _first(values, lambda value: isinstance(value, str) and not re.search(found[1], value))
    if keys:
        return f"{bad!r} does not match any of the regexes: '{found[1]}'", "additionalProperties"
    return f"{bad!r} does not match '{found[1]}'", "pattern"


def _length(found: re.Match[str], values: list[Any], keys: bool) -> _Said:
    kind, sign, bound = found[1], found[2], int(found[3])
    short = sign == ">="
    bad = _first(
        values, lambda value: hasattr(value, "__len__") and (len(value) < bound if short else len(value) > bound)
    )
    if kind == "object":
        return f"{bad!r} does not have enough properties", "minProperties"
    many = "Items" if kind == "array" else "Length"
    return f"{bad!r} is too {'short' if short else 'long'}", f"{'min' if short else 'max'}{many}"


def _bound(found: re.Match[str], values: list[Any], _keys: bool) -> _Said:
    sign, bound = found[1], float(found[2])
    low = sign == ">="
    bad = _first(values, lambda value: isinstance(value, int | float) and (value < bound if low else value > bound))
    if low:
        return f"{bad!r} is less than the minimum of {found[2]}", "minimum"
    return f"{bad!r} is greater than the maximum of {found[2]}", "maximum"


def _type(found: re.Match[str], values: list[Any], _keys: bool) -> _Said:
    kinds = [_TYPES[one] for one in found[1].split(" | ") if one in _TYPES]
    bad = _first(values, lambda value: not any(fits(value) for _, fits in kinds))
    return f"{bad!r} is not of type {', '.join(repr(name) for name, _ in kinds)}", "type"


def _first(values: list[Any], wrong: Callable[[Any], bool]) -> Any:
    return next((value for value in values if wrong(value)), values[0] if values else None)


_SAYINGS: tuple[tuple[str, Callable[[re.Match[str], list[Any], bool], _Said]], ...] = (
    (r"Object missing required field `(.*)`", _required),
    (r"Object contains unknown field `(.*)`", _unknown),
    (r"Expected `str` matching regex '(.*)'", _pattern),
    (r"Expected `(str|array|object)` of length (>=|<=) (\d+)", _length),
    (r"Expected `(?:int|float)` (>=|<=) (\S+)", _bound),
    (r"Expected `([^`]*)`, got", _type),
)


def not_a_uuid(value: str) -> str:
    """What is said of text that must be a UUID and is none."""
    return f"{value!r} is not a 'uuid'  Failed validating 'format' in schema"
