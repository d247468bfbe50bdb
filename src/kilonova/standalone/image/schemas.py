"""Schemas (Image API v2, "Image schemas"): what documents look like, as JSON Schema, for clients that ask."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.standalone.image.attributes import CONTAINER_FORMATS, DISK_FORMATS, READ_ONLY, STATUSES, VISIBILITIES
from kilonova.standalone.image.members import STATUSES as MEMBER_STATUSES
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

_TEXT = {"type": "string"}
_MAYBE_TEXT = {"type": ["null", "string"], "maxLength": 255}
_MAYBE_COUNT = {"type": ["null", "integer"]}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_FLAG = {"type": "boolean"}

_ATTRIBUTES: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "id": (_TEXT, "An identifier for the image"),
    "name": (_MAYBE_TEXT, "Descriptive name for the image"),
    "status": ({"type": "string", "enum": list(STATUSES)}, "Status of the image"),
    "visibility": ({"type": "string", "enum": list(VISIBILITIES)}, "Who may see the image"),
    "protected": (_FLAG, "If true, the image can't be deleted"),
    "os_hidden": (_FLAG, "If true, the image is not in the default list"),
    "checksum": (_MAYBE_TEXT, "MD5 of the content"),
    "os_hash_algo": (_MAYBE_TEXT, "Algorithm of os_hash_value"),
    "os_hash_value": (_MAYBE_TEXT, "Hexadecimal hash of the content"),
    "owner": (_MAYBE_TEXT, "The project that the image belongs to"),
    "size": (_MAYBE_COUNT, "Size of the content in bytes"),
    "virtual_size": (_MAYBE_COUNT, "Size of the disk in bytes"),
    "container_format": ({"type": ["null", "string"], "enum": [None, *CONTAINER_FORMATS]}, "Format of the container"),
    "disk_format": ({"type": ["null", "string"], "enum": [None, *DISK_FORMATS]}, "Format of the disk"),
    "created_at": (_TEXT, "When the image was registered"),
    "updated_at": (_TEXT, "When the image was last changed"),
    "tags": ({"type": "array", "items": {"type": "string", "maxLength": 255}}, "Strings to find the image by"),
    "min_ram": (_COUNT, "Memory needed to boot the image, in MB"),
    "min_disk": (_COUNT, "Disk space needed to boot the image, in GB"),
    "self": (_TEXT, "Path of the image"),
    "file": (_TEXT, "Path of the content"),
    "schema": (_TEXT, "Path of this schema"),
}

IMAGE: Mapping[str, Any] = {
    "name": "image",
    "properties": {
        name: {**shape, "description": about, **({"readOnly": True} if name in READ_ONLY and name != "id" else {})}
        for name, (shape, about) in _ATTRIBUTES.items()
    },
    "additionalProperties": {"type": "string"},
    "links": [{"href": "{self}", "rel": "self"}, {"href": "{file}", "rel": "enclosure"}],
}
MEMBER: Mapping[str, Any] = {
    "name": "member",
    "properties": {
        "image_id": _TEXT,
        "member_id": _TEXT,
        "status": {"type": "string", "enum": list(MEMBER_STATUSES)},
        "created_at": _TEXT,
        "updated_at": _TEXT,
        "schema": _TEXT,
    },
}


class Schemas:
    """The paths under `/v2/schemas` and `/v2/info`."""

    def routes(self) -> Sequence[Route]:
        """Four schemas, and the ways of import there are: none."""
        documents = {
            "schemas/image": IMAGE,
            "schemas/images": _list_of(IMAGE, "images"),
            "schemas/member": MEMBER,
            "schemas/members": _list_of(MEMBER, "members"),
            "info/import": {
                "import-methods": {"description": "Import methods available.", "type": "array", "value": []},
            },
        }
        return [Route(method="GET", path=f"/v2/{path}", handler=_fixed(body)) for path, body in documents.items()]


def _list_of(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    links = [{"href": "{first}", "rel": "first"}, {"href": "{next}", "rel": "next"}]
    properties = {name: {"type": "array", "items": schema}, "schema": _TEXT, "first": _TEXT, "next": _TEXT}
    return {"name": name, "properties": properties, "links": links}


def _fixed(body: Mapping[str, Any]) -> Any:
    async def handler(_call: Call) -> Reply:
        return Reply(body)

    return handler
