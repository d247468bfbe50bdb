"""Moves inside lists of a document, for changes of what a list's items may carry."""

from kilonova.kernel.errors import Invalid
from kilonova.kernel.schemas import Schema, objects
from kilonova.kernel.versions import Doc, UnknownField

DEVICE_TAG: Schema = {"type": "string", "pattern": "^[^,/]{1,60}$"}
"""The schema of a tag of a network card or disk."""


class UnknownValue(Invalid):
    """Invalid input for field/attribute {field}. Value: {value}. It is not known at this microversion."""

    code = "unknown-value"


def refuse_in(doc: Doc, key: str, field: str) -> None:
    """Raise `UnknownField` if an item of the list `doc[key]` carries `field`."""
    if any(field in item for item in _items(doc, key)):
        raise UnknownField(field=field)


def rename_in(doc: Doc, key: str, old: str, new: str) -> None:
    """Rename a field of every item of the list `doc[key]` that carries it."""
    for item in _items(doc, key):
        if old in item:
            item[new] = item.pop(old)


def refuse_value_in(doc: Doc, key: str, field: str, value: str) -> None:
    """Raise `UnknownValue` if `field` of an item of the list `doc[key]` is `value`."""
    if any(item.get(field) == value for item in _items(doc, key)):
        raise UnknownValue(field=field, value=value)


def forget_value_in(schema: Schema, key: str, field: str, value: str) -> None:
    """Take `value` from what the schema says `field` of an item of the list `key` may be."""
    for item in objects(schema, key):
        told = item["properties"][field]
        told["enum"] = [one for one in told["enum"] if one != value]


def _items(doc: Doc, key: str) -> list[Doc]:
    """The items that are documents; what else a caller may have sent is for the validation after to refuse."""
    items = doc.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
