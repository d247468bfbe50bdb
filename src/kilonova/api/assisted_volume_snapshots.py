"""Snapshots of volumes that a host would have to take (API reference, "Assisted volume snapshots").

Block storage asks for them where it can't take a snapshot itself while a guest writes: of volumes that are qcow2 files on a
network file system. Hosts here use volumes as they are and know nothing of what lies in their files, so they take none.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.server_fields import Uuid
from kilonova.api.shapes import Takes
from kilonova.kernel.errors import Invalid
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_PATH = "/os-assisted-volume-snapshots"
_RULE = "os_compute_api:os-assisted-volume-snapshots:"
DELETE = Query(names=("delete_info",), strict="strict-list-queries")


class NotAssisted(Invalid):
    """Snapshot {snapshot_id} of volume {volume_id} is refused: hosts of this cloud take no snapshots of volumes."""

    code = "snapshot-not-assisted"


class BadDeleteInfo(Invalid):
    """Invalid input for query parameters delete_info. It must be a JSON object with the volume_id."""

    code = "bad-delete-info"


class CreateInfo(Struct, frozen=True, kw_only=True):
    """How the snapshot is to be taken; further fields are the block storage service's own."""

    snapshot_id: Annotated[str, Meta(min_length=1, max_length=255)]
    type: Literal["qcow2"]
    new_file: Annotated[str, Meta(min_length=1)]
    id: str | None = None


class SnapshotWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `snapshot`."""

    volume_id: Uuid
    create_info: CreateInfo


class AssistedSnapshots:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def create(self, call: Call) -> Reply:
        """Refuse to take one."""
        wish = body.read(call, "snapshot", SnapshotWish)
        self._compute.policy.enforce(_RULE + "create", call.user)
        raise NotAssisted(snapshot_id=wish.create_info.snapshot_id, volume_id=wish.volume_id)

    async def delete(self, call: Call) -> Reply:
        """Refuse to merge one back: none was taken."""
        self._compute.policy.enforce(_RULE + "delete", call.user)
        told = _delete_info(DELETE.read(call).one("delete_info"))
        raise NotAssisted(snapshot_id=call.params["id"][:100], volume_id=str(told["volume_id"])[:100])


def routes(compute: Compute) -> list[ComputeRoute]:
    """Both routes."""
    snapshots, one = AssistedSnapshots(compute), _PATH + "/{id}"
    return [
        ComputeRoute(
            method="POST",
            path=_PATH,
            handler=snapshots.create,
            body=Body.JSON,
            takes=Takes(kind=SnapshotWish, under="snapshot"),
            gives=(),
        ),
        ComputeRoute(method="DELETE", path=one, handler=snapshots.delete, query=DELETE, success=204, gives=()),
    ]


def _delete_info(text: str | None) -> dict[str, Any]:
    try:
        told = msgspec.json.decode((text or "").encode(), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise BadDeleteInfo from error
    if "volume_id" not in told:
        raise BadDeleteInfo
    return told
