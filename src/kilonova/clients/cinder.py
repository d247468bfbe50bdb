"""Volumes by a real Cinder."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kilonova.clients.session import ServiceSession, message_of
from kilonova.kernel.errors import Conflict, KilonovaError, NotFound, Unavailable
from kilonova.kernel.ids import ProjectId, is_uuid
from kilonova.objects.caller import Caller
from kilonova.objects.volume import Attachment, StoredVolume

if TYPE_CHECKING:
    import httpx

SERVICE = "block-storage"
_VERSION = {"OpenStack-API-Version": "volume 3.44"}
"""The first in which attachments are completed."""


class VolumeServiceRefusal(Conflict):
    """The volume service refuses: {reason}"""

    code = "volume-service-refusal"


class CinderVolumes:
    """Implements `Volumes` by the Block Storage API v3, of a Cinder whose URLs need no project (2021 or newer)."""

    def __init__(self, session: ServiceSession) -> None:
        """Ask through `session`; its account needs the roles `admin`, to see all volumes, and `service`, to end attachments."""
        self._session = session

    async def volume_get(self, caller: Caller, volume_id: str) -> StoredVolume:
        """See `Volumes.volume_get`."""
        response = await self._ask("GET", _path("volumes", volume_id), token=caller.token)
        volume = _answer(response, "Volume", volume_id)["volume"]
        owner = volume.get("os-vol-tenant-attr:tenant_id", caller.project_id)
        return StoredVolume(
            id=volume["id"],
            name=volume.get("name") or "",
            project_id=ProjectId(owner),
            size_gb=volume["size"],
            status=volume["status"],
            bootable=volume.get("bootable") == "true",
            image_id=volume.get("volume_image_metadata", {}).get("image_id"),
        )

    async def attachments_of(self, server_id: str) -> Sequence[Attachment]:
        """See `Volumes.attachments_of`."""
        asked = {"instance_id": server_id, "all_tenants": "1"}
        response = await self._ask("GET", "/v3/attachments/detail", params=asked)
        found = [_attachment(one) for one in _answer(response, "Server", server_id)["attachments"]]
        return sorted((one for one in found if one.server_id == server_id), key=lambda one: one.id)

    async def attachment_create(
        self, volume_id: str, server_id: str, connector: Mapping[str, Any] | None = None
    ) -> Attachment:
        """See `Volumes.attachment_create`. Cinder refuses what is not available with a 400."""
        _path("volumes", volume_id)
        wanted = {"volume_uuid": volume_id, "instance_uuid": server_id, "connector": connector}
        response = await self._ask("POST", "/v3/attachments", json={"attachment": wanted})
        return _attachment(_answer(response, "Volume", volume_id)["attachment"])

    async def attachment_connect(self, attachment_id: str, connector: Mapping[str, Any]) -> Attachment:
        """See `Volumes.attachment_connect`."""
        body = {"attachment": {"connector": dict(connector)}}
        response = await self._ask("PUT", _path("attachments", attachment_id), json=body)
        return _attachment(_answer(response, "Volume attachment", attachment_id)["attachment"])

    async def attachment_complete(self, attachment_id: str) -> None:
        """See `Volumes.attachment_complete`. Cinder completes what was never connected, so that is looked up first."""
        path = _path("attachments", attachment_id)
        known = _answer(await self._ask("GET", path), "Volume attachment", attachment_id)["attachment"]
        if not known.get("connection_info"):
            raise VolumeServiceRefusal(reason=f"attachment {attachment_id} was never connected")
        response = await self._ask("POST", f"{path}/action", json={"os-complete": attachment_id})
        _answer(response, "Volume attachment", attachment_id)

    async def attachment_delete(self, attachment_id: str) -> None:
        """See `Volumes.attachment_delete`."""
        response = await self._ask("DELETE", _path("attachments", attachment_id))
        if response.status_code != 404:
            _answer(response, "Volume attachment", attachment_id)

    async def volume_delete(self, volume_id: str) -> None:
        """See `Volumes.volume_delete`."""
        response = await self._ask("DELETE", _path("volumes", volume_id))
        if response.status_code != 404:
            _answer(response, "Volume", volume_id)

    async def close(self) -> None:
        """See `Volumes.close`."""
        await self._session.close()

    async def _ask(self, method: str, path: str, **options: Any) -> "httpx.Response":
        return await self._session.request(method, SERVICE, path, headers=_VERSION, as_service=True, **options)


def _path(kind: str, resource_id: str) -> str:
    """Raises `NotFound` for what can't be an id, before it becomes part of a URL."""
    if not is_uuid(resource_id):
        raise NotFound(kind=kind[:-1].capitalize(), id=resource_id[:100])
    return f"/v3/{kind}/{resource_id}"


def _answer(response: "httpx.Response", kind: str, asked: str) -> Mapping[str, Any]:
    """What a good answer holds; otherwise raise what the refusal means."""
    if response.status_code >= 300:
        raise _refusal(response, kind, asked)
    document: Mapping[str, Any] = response.json() if response.content else {}
    return document


def _refusal(response: "httpx.Response", kind: str, asked: str) -> KilonovaError:
    reason = message_of(response)
    if response.status_code == 404:
        return NotFound(kind=kind, id=asked)
    if response.status_code in {400, 409, 413}:
        return VolumeServiceRefusal(reason=reason)
    return Unavailable(service="the volume service", reason=f"{response.status_code}: {reason}")


def _attachment(document: Mapping[str, Any]) -> Attachment:
    """The attachment that a document tells of. Its connection is flat there; drivers have `data` apart from the type."""
    flat = dict(document.get("connection_info") or {})
    kind = flat.pop("driver_volume_type", None)
    flat.pop("attachment_id", None)
    return Attachment(
        id=document["id"],
        volume_id=document["volume_id"],
        server_id=document.get("instance") or "",
        status=document["status"],
        connection={} if kind is None else {"driver_volume_type": kind, "data": flat},
    )
