"""Volumes of servers: list, show, attach, update, swap, detach (API reference, "Servers with volume attachments").

Whether a volume may be had is asked here with the caller's own token; the rest is done in the service's name.
"""

from msgspec import UNSET, Struct, UnsetType, field, structs

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.fields import Truth
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.server_access import find, find_to_change
from kilonova.api.server_fields import DeviceTag, Uuid
from kilonova.api.server_schema import ATTACHED, ATTACHMENT
from kilonova.api.shapes import NO_BODY, Gives, Takes, gives, listed, obj
from kilonova.kernel.errors import Invalid, NotFound
from kilonova.kernel.versions import Doc
from kilonova.objects.caller import Caller
from kilonova.objects.server import Server, VmState, Volume
from kilonova.objects.volume import StoredVolume
from kilonova.operations.attaching import volume_find, with_volume
from kilonova.operations.states import WrongState
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_PATH = "/servers/{id}/os-volume_attachments"
_RULE = "os_compute_api:os-volumes-attachments:"
_SHELVED = frozenset({VmState.SHELVED, VmState.SHELVED_OFFLOADED})


class NotAttachedHere(NotFound):
    """Volume {volume_id} is not attached to instance {server_id}."""

    code = "volume-not-attached"


class VolumeNotAvailable(Invalid):
    """Invalid volume: volume {volume_id} is {status}; it must be available."""

    code = "volume-not-available"


class VolumeHereAlready(Invalid):
    """Invalid volume: volume {volume_id} is attached to instance {server_id} already."""

    code = "volume-here-already"


class RootVolume(Invalid):
    """Cannot detach a root device volume"""

    code = "root-volume"


class SmallerVolume(Invalid):
    """Invalid volume: the new volume has {new} GB, the old one {old} GB; it must not be smaller."""

    code = "smaller-volume"


class FieldFixed(Invalid):
    """The {field} of an attached volume can't be changed; only delete_on_termination can."""

    code = "field-fixed"


class VolumeAttach(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `volumeAttachment` in a POST."""

    volume_id: Uuid = field(name="volumeId")
    device: str | None = None
    """Taken and not followed: the service names devices."""
    tag: DeviceTag | UnsetType = UNSET
    delete_on_termination: Truth = Truth(False)


class VolumeUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `volumeAttachment` in a PUT."""

    volume_id: Uuid = field(name="volumeId")
    device: str | UnsetType | None = UNSET
    tag: DeviceTag | UnsetType = UNSET
    delete_on_termination: Truth | UnsetType = UNSET
    server_id: Uuid | UnsetType = field(name="serverId", default=UNSET)
    id: Uuid | UnsetType = UNSET


class ServerVolumes:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """The volumes of a server, in the order in which they came."""
        server = await find(call, self._compute, _RULE + "index")
        asked = _PAGES.read(call)
        start, limit = asked.whole("offset") or 0, asked.whole("limit")
        most = self._compute.page_max if limit is None else min(limit, self._compute.page_max)
        volumes = server.volumes[start : start + most]
        return Reply({"volumeAttachments": [_shown(call, server, volume) for volume in volumes]})

    async def show(self, call: Call) -> Reply:
        """One volume of a server."""
        server = await find(call, self._compute, _RULE + "show")
        return Reply({"volumeAttachment": _shown(call, server, _volume(call, server))})

    async def attach(self, call: Call) -> Reply:
        """Give a server a volume; it is shown at once, and in use when its guest has it."""
        wish = body.read(call, "volumeAttachment", VolumeAttach, "volume_attach")
        server = await find_to_change(call, self._compute, _RULE + "create")
        _check_shelved(call, server, "attach_volume")
        volume = await self._free_volume(call.user, server, str(wish.volume_id))
        params = {
            "volume_id": volume.id,
            "tag": None if wish.tag is UNSET else wish.tag,
            "delete_on_termination": bool(wish.delete_on_termination),
        }
        servers = self._compute.servers
        await servers.give_volume(call.user, call.request_id, server.id, "attach_volume", volume.id, params)
        if call.version.has("volume-attach-accepted"):
            return Reply(status=202)
        now = await self._compute.servers.get(server.id)
        known = volume_find(now, volume.id)
        if known is None:
            raise VolumeNotAvailable(volume_id=volume.id, status="taken from the server again")
        return Reply({"volumeAttachment": call.version.down("volume_attached", _attached(now, known))})

    async def update(self, call: Call) -> Reply:
        """Say whether a volume goes with its server; or let the server's guest go on with another volume."""
        wish = body.read(call, "volumeAttachment", VolumeUpdate, "volume_attachment_update")
        if call.version.has("volume-attachment-update") and wish.volume_id == call.params["volume_id"]:
            server = await find_to_change(call, self._compute, _RULE + "update")
            _check_same(wish, server, _volume(call, server))
            await self._keep_or_not(server, wish)
            return Reply()
        server = await find_to_change(call, self._compute, _RULE + "swap")
        old = _volume(call, server)
        new = await self._free_volume(call.user, server, str(wish.volume_id))
        size_gb = (await self._compute.volumes.volume_get(call.user, old.guest.volume_id)).size_gb
        if new.size_gb < size_gb:
            raise SmallerVolume(new=new.size_gb, old=size_gb)
        params = {"volume_id": old.guest.volume_id, "new_volume_id": new.id}
        await self._compute.servers.give_volume(call.user, call.request_id, server.id, "swap_volume", new.id, params)
        return Reply()

    async def detach(self, call: Call) -> Reply:
        """Take a volume from a server."""
        server = await find_to_change(call, self._compute, _RULE + "delete")
        _check_shelved(call, server, "detach_volume")
        volume = _volume(call, server)
        if volume.guest.boot:
            raise RootVolume
        params = {"volume_id": volume.guest.volume_id}
        await self._compute.servers.act(call.user, call.request_id, server.id, "detach_volume", params)
        return Reply()

    async def _keep_or_not(self, server: Server, wish: VolumeUpdate) -> None:
        if wish.delete_on_termination is UNSET:
            return
        goes = bool(wish.delete_on_termination)

        def change(server: Server) -> Server:
            known = volume_find(server, str(wish.volume_id))
            return server if known is None else with_volume(server, structs.replace(known, delete_on_termination=goes))

        await self._compute.servers.update(server.id, change)

    async def _free_volume(self, caller: Caller, server: Server, volume_id: str) -> StoredVolume:
        """A volume that the server may be given. Raises `NotFound`, `Invalid`."""
        volume = await self._compute.volumes.volume_get(caller, volume_id)
        if volume_find(server, volume_id) is not None:
            raise VolumeHereAlready(volume_id=volume_id, server_id=server.id)
        if not volume.attachable:
            raise VolumeNotAvailable(volume_id=volume_id, status=volume.status)
        return volume


_PAGES = Query(names=("limit", "offset"), shape="volume_attachment_query", strict="strict-list-queries")
_LENIENT = Query(strict=None)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of volumes."""
    volumes, one = ServerVolumes(compute), _PATH + "/{volume_id}"
    return [
        ComputeRoute(
            method="GET",
            path=_PATH,
            handler=volumes.index,
            query=_PAGES,
            gives=gives({"volumeAttachments": listed(ATTACHMENT)}),
        ),
        ComputeRoute(
            method="POST",
            path=_PATH,
            handler=volumes.attach,
            body=Body.JSON,
            takes=Takes(kind=VolumeAttach, under="volumeAttachment", shape="volume_attach"),
            gives=(Gives(body=obj({"volumeAttachment": ATTACHED}), until="2.100"), Gives(status=202, since="2.101")),
            faults=(501,),
        ),
        ComputeRoute(
            method="GET", path=one, handler=volumes.show, query=_LENIENT, gives=gives({"volumeAttachment": ATTACHMENT})
        ),
        ComputeRoute(
            method="PUT",
            path=one,
            handler=volumes.update,
            body=Body.JSON,
            success=202,
            takes=Takes(kind=VolumeUpdate, under="volumeAttachment", shape="volume_attachment_update"),
            gives=NO_BODY,
            faults=(501,),
        ),
        ComputeRoute(method="DELETE", path=one, handler=volumes.detach, success=202, gives=NO_BODY),
    ]


def _volume(call: Call, server: Server) -> Volume:
    """The volume of the server that the path names. Raises `NotAttachedHere`."""
    volume_id = call.params["volume_id"]
    known = volume_find(server, volume_id)
    if known is None:
        raise NotAttachedHere(volume_id=volume_id[:100], server_id=server.id)
    return known


def _check_shelved(call: Call, server: Server, action: str) -> None:
    if server.vm_state in _SHELVED and not call.version.has("volumes-of-shelved"):
        raise WrongState(action=action, server_id=server.id, attribute="vm_state", value=server.vm_state)


def _check_same(wish: VolumeUpdate, server: Server, volume: Volume) -> None:
    """Raise `FieldFixed` for anything but delete_on_termination that would be another."""
    known = {
        "device": volume.guest.device,
        "tag": volume.tag,
        "server_id": server.id,
        "id": volume.guest.volume_id,
    }
    for name, value in known.items():
        given = getattr(wish, name)
        if given is not UNSET and given != value:
            raise FieldFixed(field=name)


def _attached(server: Server, volume: Volume) -> Doc:
    return {
        "id": volume.guest.volume_id,
        "serverId": server.id,
        "volumeId": volume.guest.volume_id,
        "device": volume.guest.device,
        "tag": volume.tag,
        "delete_on_termination": volume.delete_on_termination,
    }


def _shown(call: Call, server: Server, volume: Volume) -> Doc:
    ids = {"attachment_id": volume.guest.attachment_id or None, "bdm_uuid": volume.guest.attachment_id or None}
    return call.version.down("volume_attachment", {**_attached(server, volume), **ids})
