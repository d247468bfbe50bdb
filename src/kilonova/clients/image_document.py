"""Reading an image's document (Image API v2, "Show image") as the compute service needs it."""

from collections.abc import Mapping
from typing import Any

from kilonova.objects.image import Image

_OWN = frozenset(
    (
        *("id", "name", "status", "visibility", "owner", "disk_format", "container_format", "size", "virtual_size"),
        *("checksum", "os_hash_algo", "os_hash_value", "min_disk", "min_ram", "created_at", "updated_at", "protected"),
        *("tags", "self", "file", "schema", "os_hidden", "direct_url", "locations", "stores"),
    )
)
"""Attributes of the API; whatever else stands in a document is a property of that image."""


def image_of(document: Mapping[str, Any]) -> Image:
    """The image that a document tells of."""
    return Image(
        id=document["id"],
        name=document.get("name"),
        status=document["status"],
        visibility=document["visibility"],
        owner=document.get("owner"),
        disk_format=document.get("disk_format"),
        container_format=document.get("container_format"),
        size=document.get("size"),
        sha512=document.get("os_hash_value") if document.get("os_hash_algo") == "sha512" else None,
        min_disk=document.get("min_disk") or 0,
        min_ram=document.get("min_ram") or 0,
        created_at=document["created_at"],
        updated_at=document["updated_at"],
        protected=bool(document.get("protected")),
        tags=tuple(document.get("tags") or ()),
        properties={k: v for k, v in document.items() if k not in _OWN and isinstance(v, str)},
    )
