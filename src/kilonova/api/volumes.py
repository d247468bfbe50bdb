"""Volumes and snapshots, until 2.35 (API reference, "Volume extension"): told by the block storage service."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.fields import Positive, Truth
from kilonova.api.passed_on import Document, Remote, window
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.shapes import NO_BODY, TEXT, UUID, WHOLE, Takes, by_key, gives, listed, obj, or_null
from kilonova.kernel.schemas import Schema
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

UNTIL = "2.35"
PAGES = Query(names=("limit", "offset"), strict=None)
ANY_QUERY = Query(strict=None)
_RULE = "os_compute_api:os-volumes:"
Name = Annotated[str, Meta(max_length=255)]


class VolumeWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `volume`."""

    size: Positive
    volume_type: str | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET
    snapshot_id: str | UnsetType = UNSET
    availability_zone: str | UnsetType = UNSET
    display_name: Name | UnsetType = UNSET
    display_description: Name | UnsetType = UNSET


class SnapshotWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `snapshot`."""

    volume_id: str
    force: Truth = Truth(False)
    display_name: Name | UnsetType = UNSET
    display_description: Name | UnsetType = UNSET


@dataclass(frozen=True, kw_only=True)
class Noun:
    """One of the two: where it is there, what it is called, and how it is shown here."""

    path: str
    key: str
    kind: str
    rule: str
    told: Callable[[Document], Document]
    shown: Schema
    takes: Takes


class BlockStorage:
    """The handlers, for volumes and snapshots alike."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, noun: Noun, action: str, call: Call) -> Reply:
        """Those of the caller's project."""
        self._enforce(call, noun.rule + action)
        found = await self._service.ask(call, "GET", f"{noun.path}/detail", kind=noun.kind)
        return Reply({f"{noun.key}s": [noun.told(one) for one in window(call, found[f"{noun.key}s"])]})

    async def show(self, noun: Noun, call: Call) -> Reply:
        """One."""
        self._enforce(call, noun.rule + "show")
        found = await self._service.one(call, noun.path, call.params["id"], kind=noun.kind)
        return Reply({noun.key: noun.told(found[noun.key])})

    async def delete(self, noun: Noun, call: Call) -> Reply:
        """Delete one."""
        self._enforce(call, noun.rule + "delete")
        await self._service.one(call, noun.path, call.params["id"], kind=noun.kind, method="DELETE")
        return Reply()

    async def volume_create(self, call: Call) -> Reply:
        """Make a volume."""
        wish = body.read(call, "volume", VolumeWish)
        self._enforce(call, VOLUME.rule + "create")
        return await self._create(call, VOLUME, {**_renamed(wish), "size": int(wish.size)})

    async def snapshot_create(self, call: Call) -> Reply:
        """Make a snapshot of a volume."""
        wish = body.read(call, "snapshot", SnapshotWish)
        self._enforce(call, SNAPSHOT.rule + "create")
        return await self._create(call, SNAPSHOT, {**_renamed(wish), "force": bool(wish.force)})

    @property
    def _service(self) -> Remote:
        return Remote(self._compute.volume_api, "/v3")

    async def _create(self, call: Call, noun: Noun, sent: Document) -> Reply:
        made = await self._service.ask(call, "POST", noun.path, {noun.key: sent}, kind=noun.kind)
        return Reply({noun.key: noun.told(made[noun.key])})

    def _enforce(self, call: Call, rule: str) -> None:
        self._compute.policy.enforce(rule, call.user, {"project_id": call.user.project_id})


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of volumes and snapshots."""
    storage = BlockStorage(compute)
    made: list[ComputeRoute] = []
    for every, noun, create in (
        ("/os-volumes", VOLUME, storage.volume_create),
        ("/os-snapshots", SNAPSHOT, storage.snapshot_create),
    ):
        one = every + "/{id}"
        index, detail = (partial(storage.index, noun, action) for action in ("list", "detail"))
        many, single = gives({f"{noun.key}s": listed(noun.shown)}), gives({noun.key: noun.shown})
        show, delete = partial(storage.show, noun), partial(storage.delete, noun)
        made += [
            ComputeRoute(
                method="GET",
                path=every,
                handler=index,
                until=UNTIL,
                query=PAGES,
                gives=many,
                summary=f"List {noun.key}s.",
            ),
            ComputeRoute(
                method="GET",
                path=every + "/detail",
                handler=detail,
                until=UNTIL,
                query=PAGES,
                gives=many,
                summary=f"List {noun.key}s in detail.",
            ),
            ComputeRoute(
                method="POST", path=every, handler=create, until=UNTIL, body=Body.JSON, takes=noun.takes, gives=single
            ),
            ComputeRoute(
                method="GET",
                path=one,
                handler=show,
                until=UNTIL,
                query=ANY_QUERY,
                gives=single,
                summary=f"Show a {noun.key}.",
            ),
            ComputeRoute(
                method="DELETE",
                path=one,
                handler=delete,
                until=UNTIL,
                success=202,
                gives=NO_BODY,
                summary=f"Delete a {noun.key}.",
            ),
        ]
    return made


def _renamed(wish: VolumeWish | SnapshotWish) -> Document:
    """What was given, with names and descriptions called what the service calls them today."""
    given = structs.asdict(wish)
    return {key.removeprefix("display_"): value for key, value in given.items() if value is not UNSET}


def _volume_told(volume: Document) -> Document:
    attachments = [
        {
            "id": one["volume_id"],
            "volumeId": one["volume_id"],
            "serverId": one["server_id"],
            **({"device": one["device"]} if one.get("device") else {}),
        }
        for one in volume["attachments"]
    ]
    return {
        "id": volume["id"],
        "status": volume["status"],
        "size": volume["size"],
        "availabilityZone": volume["availability_zone"],
        "createdAt": volume["created_at"],
        "attachments": attachments or [{}],
        "displayName": volume["name"],
        "displayDescription": volume["description"],
        "volumeType": volume["volume_type"],
        "snapshotId": volume["snapshot_id"],
        "metadata": volume.get("metadata") or {},
    }


def _snapshot_told(snapshot: Document) -> Document:
    return {
        "id": snapshot["id"],
        "volumeId": snapshot["volume_id"],
        "status": snapshot["status"],
        "size": snapshot["size"],
        "createdAt": snapshot["created_at"],
        "displayName": snapshot["name"],
        "displayDescription": snapshot["description"],
    }


_ATTACHMENT = obj({"id?": TEXT, "volumeId?": TEXT, "serverId?": TEXT, "device?": TEXT})
_SHOWN_SNAPSHOT = {
    "id": UUID,
    "status": TEXT,
    "size": WHOLE,
    "createdAt": TEXT,
    **dict.fromkeys(("displayName", "displayDescription"), or_null(TEXT)),
}
_SHOWN_VOLUME = {
    **_SHOWN_SNAPSHOT,
    **dict.fromkeys(("availabilityZone", "volumeType", "snapshotId"), or_null(TEXT)),
    "attachments": listed(_ATTACHMENT),
    "metadata": by_key(TEXT),
}
VOLUME = Noun(
    path="/volumes",
    key="volume",
    kind="Volume",
    rule=_RULE,
    told=_volume_told,
    shown=obj(_SHOWN_VOLUME),
    takes=Takes(kind=VolumeWish, under="volume"),
)
SNAPSHOT = Noun(
    path="/snapshots",
    key="snapshot",
    kind="Snapshot",
    rule=_RULE + "snapshots:",
    told=_snapshot_told,
    shown=obj({**_SHOWN_SNAPSHOT, "volumeId": UUID}),
    takes=Takes(kind=SnapshotWish, under="snapshot"),
)
