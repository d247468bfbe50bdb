"""What an image consists of (Image API v2, "Images"): which attributes there are, what they may hold, how they look."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from kilonova.kernel.errors import Forbidden, Invalid
from kilonova.standalone.image.store import Row

DISK_FORMATS = ("raw", "qcow2", "aki", "ari")
"""`aki` is a kernel, `ari` a ramdisk."""
CONTAINER_FORMATS = ("bare", "aki", "ari")
VISIBILITIES = ("public", "private", "shared", "community")
STATUSES = ("queued", "saving", "active", "deactivated")

PROPERTIES_MAX = 128
"""Most additional properties of an image."""
PROPERTY_MAX = 65_535
"""Longest value of a property, in characters."""

Name = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00]*$")]
Tag = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Amount = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Settable(Struct, frozen=True):
    """The attributes that requests may set, with their defaults."""

    name: Name | None = None
    visibility: Literal["public", "private", "shared", "community"] = "shared"
    protected: bool = False
    disk_format: Literal["raw", "qcow2", "aki", "ari"] | None = None
    container_format: Literal["bare", "aki", "ari"] | None = None
    min_disk: Amount = 0
    min_ram: Amount = 0
    os_hidden: bool = False
    owner: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00]*$")] | None = None
    tags: tuple[Tag, ...] = ()


READ_ONLY = (
    "id",
    "status",
    "size",
    "virtual_size",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "created_at",
    "updated_at",
    "self",
    "file",
    "schema",
    "direct_url",
    "locations",
    "stores",
)


class ReadOnly(Forbidden):
    """Attribute '{name}' is read-only."""

    code = "read-only-attribute"


def parsed(document: object) -> tuple[Settable, dict[str, str]]:
    """The attributes and the additional properties of an image's document.

    Raises `Invalid` for values that are not allowed, `ReadOnly` for attributes that only the service sets.
    """
    if not isinstance(document, dict):
        raise Invalid(reason="The request body must be an object.")
    for name in document:
        if name in READ_ONLY:
            raise ReadOnly(name=name)
    try:
        settable = msgspec.convert(document, Settable)
    except msgspec.ValidationError as error:
        raise Invalid(reason=f"{error}.{_hint(document)}") from error
    return settable, _properties(document)


def document(row: Row) -> dict[str, Any]:
    """An image as the API shows it."""
    path = f"/v2/images/{row['id']}"
    shown = {name: row[name] for name in ("id", "name", "status", "visibility", "owner", "protected", "os_hidden")}
    content = {name: row[name] for name in ("disk_format", "container_format", "size", "virtual_size", "checksum")}
    hashed = row["os_hash_value"] is not None
    return {
        **row["properties"],
        **shown,
        **content,
        "os_hash_algo": "sha512" if hashed else None,
        "os_hash_value": row["os_hash_value"],
        "min_disk": row["min_disk"],
        "min_ram": row["min_ram"],
        "tags": list(row["tags"]),
        "created_at": timestamp(row["created_at"]),
        "updated_at": timestamp(row["updated_at"]),
        "self": path,
        "file": f"{path}/file",
        "schema": "/v2/schemas/image",
    }


def settable_document(row: Row) -> dict[str, Any]:
    """What requests may set of an image, as it is now: what a JSON patch applies to."""
    return {**row["properties"], **{name: row[name] for name in Settable.__struct_fields__}}


def timestamp(seconds: float) -> str:
    """A time as Glance writes it: ISO 8601, UTC, whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _properties(document: Mapping[str, Any]) -> dict[str, str]:
    properties = {name: value for name, value in document.items() if name not in Settable.__struct_fields__}
    if len(properties) > PROPERTIES_MAX:
        raise Invalid(reason=f"An image may have {PROPERTIES_MAX} additional properties at most.")
    for name, value in properties.items():
        if not 0 < len(name) <= 255 or "\x00" in name:
            raise Invalid(reason="The name of a property must have 1 to 255 characters.")
        if not isinstance(value, str) or len(value) > PROPERTY_MAX or "\x00" in value:
            raise Invalid(reason=f"Property '{name}' must be a string of {PROPERTY_MAX} characters at most.")
    return properties


def _hint(document: Mapping[str, Any]) -> str:
    """What this service takes, where the value given is one that others would."""
    for name, allowed in (("disk_format", DISK_FORMATS), ("container_format", CONTAINER_FORMATS)):
        value = document.get(name)
        if value is not None and value not in allowed:
            return f" Image formats supported: {name} {', '.join(allowed)}."
    return ""
