"""Metadata of images, until 2.38 (API reference, "Image metadata"): the properties that the image service keeps of one."""

from typing import Annotated

from msgspec import Meta, Struct

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.images import ANY_QUERY, KIND, PATH
from kilonova.api.passed_on import Document, Remote
from kilonova.api.projects import own_project
from kilonova.api.query import ComputeRoute
from kilonova.api.shapes import NO_BODY, TEXT, Takes, by_key, gives
from kilonova.clients.image_document import image_of
from kilonova.kernel.errors import Invalid, NotFound, OverLimit
from kilonova.kernel.ids import is_uuid
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

UNTIL = "2.38"
PATCH = "application/openstack-images-v2.1-json-patch"
Key = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9\-_:. ]+$")]
Value = Annotated[str, Meta(max_length=255)]


class OneItem(Invalid):
    """Request body contains too many items"""

    code = "image-metadata-one-item"


class OtherKey(Invalid):
    """Request body and URI mismatch"""

    code = "image-metadata-other-key"


class TooMuchMetadata(OverLimit):
    """Image metadata limit exceeded: {asked} items, and {limit} are allowed."""

    code = "too-much-image-metadata"


class Metadata(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a create and of an update of all."""

    metadata: dict[Key, Value]


class Item(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an update of one item."""

    meta: dict[Key, Value]


class ImageMetadata:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """All of it."""
        return Reply({"metadata": await self._properties(call)})

    async def show(self, call: Call) -> Reply:
        """One item."""
        key, found = call.params["key"], await self._properties(call)
        if key not in found:
            raise NotFound(kind="Metadata item", id=key[:100])
        return Reply({"meta": {key: found[key]}})

    async def create(self, call: Call) -> Reply:
        """Add items, or give them other values."""
        wish = body.struct(call, body.whole(call), Metadata, None, "metadata")
        before = await self._properties(call)
        return Reply({"metadata": await self._make(call, before, {**before, **wish.metadata})})

    async def update_all(self, call: Call) -> Reply:
        """Have these items and no others."""
        wish = body.struct(call, body.whole(call), Metadata, None, "metadata")
        return Reply({"metadata": await self._make(call, await self._properties(call), dict(wish.metadata))})

    async def update(self, call: Call) -> Reply:
        """Give one item a value."""
        wish, key = body.struct(call, body.whole(call), Item, None, "meta"), call.params["key"]
        if key not in wish.meta:
            raise OtherKey
        if len(wish.meta) > 1:
            raise OneItem
        before = await self._properties(call)
        await self._make(call, before, {**before, key: wish.meta[key]})
        return Reply({"meta": dict(wish.meta)})

    async def delete(self, call: Call) -> Reply:
        """Take one item away."""
        key, before = call.params["key"], await self._properties(call)
        if key not in before:
            raise NotFound(kind="Metadata item", id=key[:100])
        await self._make(call, before, {name: value for name, value in before.items() if name != key})
        return Reply()

    @property
    def _images(self) -> Remote:
        return Remote(self._compute.image_api, "/v2")

    async def _properties(self, call: Call) -> dict[str, str]:
        found = await self._images.one(call, PATH, call.params["image_id"], kind=KIND)
        return image_of(found).properties

    async def _make(self, call: Call, before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
        """Let the image have the properties `after`. Raises `TooMuchMetadata`."""
        await self._check_quota(call, len(after))
        changes = _patch(before, after)
        image_id = call.params["image_id"]
        assert is_uuid(image_id), "it was found"
        if changes:
            path = f"{PATH}/{image_id}"
            await self._images.ask(call, "PATCH", path, changes, kind=KIND, asked=image_id, media_type=PATCH)
        return after

    async def _check_quota(self, call: Call, items: int) -> None:
        quota = self._compute.quota
        limit = (await quota.limits(own_project(call.user), call.user.user_id))["metadata_items"]
        if 0 <= limit < items:
            raise TooMuchMetadata(asked=items, limit=limit)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of image metadata."""
    metadata, every = ImageMetadata(compute), "/images/{image_id}/metadata"
    one = every + "/{key}"
    all_of_it, item = gives({"metadata": by_key(TEXT)}), gives({"meta": by_key(TEXT)})
    return [
        ComputeRoute(method="GET", path=every, handler=metadata.index, until=UNTIL, query=ANY_QUERY, gives=all_of_it),
        ComputeRoute(
            method="POST",
            path=every,
            handler=metadata.create,
            until=UNTIL,
            body=Body.JSON,
            takes=Takes(kind=Metadata),
            gives=all_of_it,
        ),
        ComputeRoute(
            method="PUT",
            path=every,
            handler=metadata.update_all,
            until=UNTIL,
            body=Body.JSON,
            takes=Takes(kind=Metadata),
            gives=all_of_it,
        ),
        ComputeRoute(method="GET", path=one, handler=metadata.show, until=UNTIL, query=ANY_QUERY, gives=item),
        ComputeRoute(
            method="PUT",
            path=one,
            handler=metadata.update,
            until=UNTIL,
            body=Body.JSON,
            takes=Takes(kind=Item),
            gives=item,
        ),
        ComputeRoute(method="DELETE", path=one, handler=metadata.delete, until=UNTIL, success=204, gives=NO_BODY),
    ]


def _patch(before: dict[str, str], after: dict[str, str]) -> list[Document]:
    """The steps from one to the other (RFC 6902, as Image API v2 takes them)."""
    gone: list[Document] = [{"op": "remove", "path": _pointer(name)} for name in before if name not in after]
    return gone + [
        {"op": "replace" if name in before else "add", "path": _pointer(name), "value": value}
        for name, value in after.items()
        if before.get(name) != value
    ]


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")
