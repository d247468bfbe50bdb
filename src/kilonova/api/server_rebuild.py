"""Rebuild (API reference, "Servers - run an action", `rebuild`): a server's disk is made anew, and much of the server with it."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType, field

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.fields import Name, Truth
from kilonova.api.keypair_store import KeypairNotFound, keypair_find_txn
from kilonova.api.links import links
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find_to_change
from kilonova.api.server_body import FileItem
from kilonova.api.server_create import NoSuchKey
from kilonova.api.server_fields import (
    Description,
    DiskConfig,
    GuestHostname,
    IPv4,
    IPv6,
    Metadata,
    TrustedCertificates,
    UserData,
    Uuid,
)
from kilonova.api.server_files import files_of
from kilonova.api.server_image import BootImages, content_of
from kilonova.api.server_metadata import check_count
from kilonova.api.server_rescue import PASSWORD_BYTES
from kilonova.api.server_schema import REBUILT
from kilonova.api.server_view import view_for
from kilonova.api.shapes import Takes
from kilonova.kernel.errors import Invalid, NotImplementedHere
from kilonova.objects.server import Server
from kilonova.operations.plans import rebuild
from kilonova.scheduler.numa import numa_of
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_PATH = "/servers/{id}/action"
_SAME_NAME = ("description", "hostname", "access_ip_v4", "access_ip_v6", "disk_config", "metadata", "user_data")
"""Fields of the body that are fields of the server."""


class OtherTopology(Invalid):
    """An instance's NUMA topology cannot be changed as part of a rebuild. The image provided is invalid for this instance."""

    code = "other-numa-topology"


class Rebuild(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `rebuild`."""

    image_ref: Uuid = field(name="imageRef")
    name: Name | UnsetType = UNSET
    admin_password: str | UnsetType = field(name="adminPass", default=UNSET)
    metadata: Metadata | UnsetType = UNSET
    preserve_ephemeral: Truth | UnsetType = UNSET
    """There are no ephemeral disks: nothing of that kind is lost either way."""
    disk_config: DiskConfig | UnsetType = field(name="OS-DCF:diskConfig", default=UNSET)
    access_ip_v4: IPv4 | UnsetType = field(name="accessIPv4", default=UNSET)
    access_ip_v6: IPv6 | UnsetType = field(name="accessIPv6", default=UNSET)
    personality: list[FileItem] = []
    description: Description | UnsetType | None = UNSET
    key_name: Name | UnsetType | None = UNSET
    user_data: UserData | UnsetType | None = UNSET
    trusted_image_certificates: TrustedCertificates | UnsetType | None = UNSET
    hostname: GuestHostname | UnsetType = UNSET


class OtherImageOnVolume(Invalid):
    """Unable to rebuild with a different image for a volume-backed server."""

    code = "other-image-on-volume"


class RootVolumeStays(NotImplementedHere):
    """The volume that server {id} boots from can't be made anew from another image here; rebuild it with its own image."""

    code = "root-volume-stays"


class ServerRebuild:
    """The handler."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def rebuild(self, call: Call) -> Reply:
        """Make a server's disk anew; the answer shows the server as it will be."""
        wish = body.read(call, "rebuild", Rebuild, "server_rebuild")
        compute = self._compute
        server = await find_to_change(call, compute, "os_compute_api:servers:rebuild")
        if wish.trusted_image_certificates is not UNSET and wish.trusted_image_certificates is not None:
            target = {"project_id": server.project_id, "user_id": server.user_id}
            compute.policy.enforce("os_compute_api:servers:rebuild:trusted_certs", call.user, target)
        limits = await compute.quota.limits(server.project_id, server.user_id)
        if wish.metadata is not UNSET:
            check_count(len(wish.metadata), limits)
        files = files_of(wish.personality, limits)
        image = await content_of(call.user, compute, str(wish.image_ref), server.flavor)
        if server.boots_from_volume:
            image = await self._of_volume(call, server, image)
        _check_topology(server, image)
        password = wish.admin_password or compute.runtime.token(PASSWORD_BYTES)
        params: dict[str, Any] = {
            rebuild.CHANGES: await self._changes(wish, server, image),
            "files": files,
            "admin_password": password,
        }
        if image.id != server.image_id:
            params[rebuild.BEFORE] = rebuild.image_of(server)
        await compute.servers.act(call.user, call.request_id, server.id, "rebuild", params)
        return await self._accepted(call, server, password)

    async def _of_volume(self, call: Call, server: Server, image: BootImages) -> BootImages:
        """What a server that boots from a volume keeps. Raises `Invalid`, `NotImplementedHere` when `image` is another one."""
        root = next(volume.guest.volume_id for volume in server.volumes if volume.guest.boot)
        if (await self._compute.volumes.volume_get(call.user, root)).image_id == image.id:
            return BootImages()
        if not call.version.has("rebuild-root-volume"):
            raise OtherImageOnVolume
        raise RootVolumeStays(id=server.id)

    async def _changes(self, wish: Rebuild, server: Server, image: BootImages) -> dict[str, Any]:
        """The fields of the server that are to change, JSON-ready. Raises `NoSuchKey`."""
        changes: dict[str, Any] = {name: getattr(wish, name) for name in ("name", *_SAME_NAME)}
        changes["trusted_certs"] = wish.trusted_image_certificates
        changes |= await self._key(wish, server)
        changes |= {"image_id": image.id, "image_properties": image.properties}
        changes |= {"image": image.disk, "kernel": image.kernel, "ramdisk": image.ramdisk}
        ready: dict[str, Any] = msgspec.to_builtins(
            {name: _plain(value) for name, value in changes.items() if value is not UNSET}
        )
        return ready

    async def _key(self, wish: Rebuild, server: Server) -> dict[str, Any]:
        """The key's part of the changes: another key, none with null, and nothing where none was given."""
        if wish.key_name is UNSET:
            return {}
        if wish.key_name is None:
            return {"key_name": None, "key_type": None, "public_key": None}
        try:
            key = await self._compute.database.read(keypair_find_txn, server.user_id, str(wish.key_name))
        except KeypairNotFound as error:
            raise NoSuchKey from error
        return {"key_name": key.name, "key_type": key.type, "public_key": key.public_key}

    async def _accepted(self, call: Call, before: Server, password: str) -> Reply:
        server = await self._compute.servers.get(before.id)
        view = await view_for(call, self._compute, (server,))
        doc = view.updated(server)
        doc["adminPass"] = password
        if call.version.has("server-rebuild-key"):
            doc["key_name"] = server.key_name
        if call.version.has("server-rebuild-user-data"):
            doc.pop("OS-EXT-SRV-ATTR:user_data", None)  # of an update's answer; a rebuild shows it to everybody, once
            doc["user_data"] = server.user_data
        location = links(call, self._compute).both("servers", server.id)[0]["href"]
        return Reply({"server": doc}, headers={"Location": location})


def _plain(value: Any) -> Any:
    """Texts of a kind of their own as texts, which is what JSON has."""
    return str(value) if isinstance(value, str) else value


def routes(compute: Compute) -> list[ComputeRoute]:
    """The action's route."""
    handler = ServerRebuild(compute).rebuild
    return [
        ComputeRoute(
            method="POST",
            path=_PATH,
            action="rebuild",
            handler=handler,
            body=Body.JSON,
            success=202,
            takes=Takes(kind=Rebuild, under="rebuild", shape="server_rebuild"),
            gives=REBUILT,
            faults=(501,),
        )
    ]


def _check_topology(server: Server, image: BootImages) -> None:
    """The server keeps what it holds, so another image must not ask for other NUMA nodes. Raises `Invalid`."""
    if numa_of(server.flavor, image.properties) != numa_of(server.flavor, server.image_properties):
        raise OtherTopology
