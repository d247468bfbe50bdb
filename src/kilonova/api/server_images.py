"""Images of servers: snapshots and backups (API reference, "Servers - run an action"), and the image that shelving makes."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.fields import Name, Whole
from kilonova.api.links import links
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find_to_change
from kilonova.api.server_fields import Metadata
from kilonova.api.server_metadata import check_count
from kilonova.api.shapes import UUID, Gives, Takes, obj
from kilonova.objects.caller import Caller
from kilonova.objects.image import NewImage
from kilonova.objects.server import Server
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Handler

_PATH = "/servers/{id}/action"
NAME_MAX = 255
_ATTRIBUTES = frozenset({"container_format", "disk_format", "min_disk", "min_ram"})
"""Of the properties that a server keeps of its image, those that are an image's own attributes."""
_NOT_INHERITED = frozenset(
    (
        *("cache_in_nova", "bittorrent", "img_signature_hash_method", "img_signature", "img_signature_key_type"),
        *("img_signature_certificate_uuid", "os_glance_import_task", "os_glance_importing_to_stores"),
    )
)
"""Properties that say something of the old content only (Nova, `[DEFAULT] non_inheritable_image_properties`)."""


class CreateImage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `createImage`."""

    name: Name
    metadata: Metadata = {}


class CreateBackup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `createBackup`."""

    name: Name
    backup_type: Annotated[str, msgspec.Meta(max_length=255)]
    rotation: Whole
    metadata: Metadata = {}


class ServerImages:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def create_image(self, call: Call) -> Reply:
        """Make an image of a server's disk."""
        wish = body.read(call, "createImage", CreateImage)
        server = await find_to_change(call, self._compute, "os_compute_api:servers:create_image")
        await self._check(call.user, wish.metadata)
        image = image_of_server(server, call.user, self._compute.runtime.uuid(), wish.name, "snapshot", wish.metadata)
        await self._make(call, server, "snapshot", image, {})
        return self._made(call, image)

    async def create_backup(self, call: Call) -> Reply:
        """Make an image of a server's disk, and keep only the newest of its series; with rotation 0 none at all."""
        wish = body.read(call, "createBackup", CreateBackup)
        server = await find_to_change(call, self._compute, "os_compute_api:os-create-backup")
        await self._check(call.user, wish.metadata)
        extra = {**wish.metadata, "backup_type": wish.backup_type}
        image = image_of_server(server, call.user, self._compute.runtime.uuid(), wish.name, "backup", extra)
        await self._make(call, server, "backup", image, {"rotation": int(wish.rotation)})
        return self._made(call, image) if wish.rotation > 0 else Reply()

    async def _check(self, caller: Caller, metadata: Mapping[str, str]) -> None:
        assert caller.project_id is not None
        check_count(len(metadata), await self._compute.quota.limits(caller.project_id, caller.user_id))

    async def _make(self, call: Call, server: Server, kind: str, image: NewImage, params: Mapping[str, Any]) -> None:
        await self._compute.servers.make_image(call.user, call.request_id, server.id, kind, image, params)

    def _made(self, call: Call, image: NewImage) -> Reply:
        if call.version.has("server-image-id-in-body"):
            return Reply({"image_id": image.id})
        return Reply(headers={"Location": f"{links(call, self._compute).lasting}/images/{image.id}"})


def image_of_server(
    server: Server,
    caller: Caller,
    image_id: str,
    name: str,
    kind: Literal["snapshot", "backup"],
    extra: Mapping[str, str],
) -> NewImage:
    """The image that a server becomes: it inherits what its own image says, and tells whose disk it was (Nova's properties)."""
    assert caller.project_id is not None
    kept = server.image_properties
    inherited = {key: value for key, value in kept.items() if key not in _ATTRIBUTES | _NOT_INHERITED}
    own = {
        "image_type": kind,
        "instance_uuid": str(server.id),
        "user_id": str(caller.user_id),
        "owner_user_name": caller.user_name,
        "owner_project_name": caller.project_name or "",
        "boot_roles": ",".join(caller.roles),
    }
    return NewImage(
        id=image_id,
        name=name[:NAME_MAX],
        owner=caller.project_id,
        disk_format="qcow2",
        min_disk=max(_number(kept.get("min_disk")), server.flavor.disk_gb),
        min_ram=_number(kept.get("min_ram")),
        properties={**inherited, **own, **extra},
    )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


def routes(compute: Compute) -> list[ComputeRoute]:
    """A route for each action."""
    images = ServerImages(compute)
    made = (Gives(until="2.44"), Gives(body=obj({"image_id": UUID}), since="2.45"))
    table: tuple[tuple[str, Handler, type[msgspec.Struct], tuple[Gives, ...]], ...] = (
        ("createImage", images.create_image, CreateImage, made),
        ("createBackup", images.create_backup, CreateBackup, (*made, Gives(since="2.45"))),
    )
    return [
        ComputeRoute(
            method="POST",
            path=_PATH,
            action=action,
            handler=handler,
            body=Body.JSON,
            success=202,
            takes=Takes(kind=kind, under=action),
            gives=gives,
        )
        for action, handler, kind, gives in table
    ]
