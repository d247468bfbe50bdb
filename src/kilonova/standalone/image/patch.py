"""Glance's JSON patch (Image API v2, "Update image"): add, replace and remove of whole attributes."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from kilonova.kernel.errors import Conflict, Forbidden, Invalid
from kilonova.standalone.image.attributes import READ_ONLY, ReadOnly, Settable

MEDIA_TYPES = ("application/openstack-images-v2.1-json-patch", "application/json-patch+json")
OPERATIONS_MAX = 256
"""Most operations of one patch."""


class NotRemovable(Forbidden):
    """Property {name} cannot be removed."""

    code = "attribute-not-removable"


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One operation of a patch."""

    op: Literal["add", "replace", "remove"]
    path: str
    value: Any = None


def patched(document: Mapping[str, Any], patch: object) -> dict[str, Any]:
    """The document after a patch. Raises `Invalid`, `Conflict`, `ReadOnly`, `NotRemovable`."""
    changed = dict(document)
    for operation in _operations(patch):
        name = _name(operation.path)
        if name in READ_ONLY:
            raise ReadOnly(name=name)
        if operation.op != "add" and name not in changed:
            raise Conflict(reason=f"Property {name} does not exist.")
        if operation.op != "remove":
            changed[name] = operation.value
        elif name in Settable.__struct_fields__:
            raise NotRemovable(name=name)
        else:
            del changed[name]
    return changed


def _operations(patch: object) -> list[Operation]:
    try:
        operations = msgspec.convert(patch, list[Operation])
    except msgspec.ValidationError as error:
        raise Invalid(reason=f"The patch can't be read: {error}") from error
    if len(operations) > OPERATIONS_MAX:
        raise Invalid(reason=f"A patch may hold {OPERATIONS_MAX} operations at most.")
    return operations


def _name(path: str) -> str:
    """The attribute that a JSON pointer of one segment names (RFC 6901)."""
    if not path.startswith("/") or "/" in path[1:] or len(path) < 2:
        raise Invalid(reason=f"The path '{path}' must be '/' and the name of one attribute.")
    return path[1:].replace("~1", "/").replace("~0", "~")
