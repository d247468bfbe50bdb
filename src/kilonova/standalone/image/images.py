"""Images (Image API v2, "Images"): create, list, show, update, delete, tags, deactivate and reactivate."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kilonova.kernel.errors import Forbidden, Invalid, UnsupportedMedia
from kilonova.kernel.ids import is_uuid
from kilonova.objects.caller import Caller
from kilonova.standalone.image.attributes import Settable, document, parsed, settable_document
from kilonova.standalone.image.context import Context
from kilonova.standalone.image.listing import asked, links, page_txn
from kilonova.standalone.image.patch import MEDIA_TYPES, patched
from kilonova.standalone.image.store import Row, create_txn, delete_txn, move_txn, tag_txn, update_txn
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Route


class NotYours(Forbidden):
    """You are not permitted to create or give away images owned by '{owner}'."""

    code = "image-owner"


class FormatFixed(Forbidden):
    """Attribute {name} can be only replaced for a queued image."""

    code = "image-format-fixed"


class Images:
    """The paths under `/v2/images`, but for contents and members."""

    def __init__(self, context: Context) -> None:
        """Answer from `context`."""
        self._context = context

    def routes(self) -> Sequence[Route]:
        """All of them need a token."""
        one = "/v2/images/{image_id}"
        return (
            Route(method="POST", path="/v2/images", handler=self.create, success=201, body=Body.JSON),
            Route(method="GET", path="/v2/images", handler=self.list),
            Route(method="GET", path=one, handler=self.show),
            Route(method="PATCH", path=one, handler=self.update, body=Body.JSON),
            Route(method="DELETE", path=one, handler=self.delete, success=204),
            Route(method="GET", path=f"{one}/tasks", handler=self.tasks),
            Route(method="PUT", path=f"{one}/tags/{{tag}}", handler=self.add_tag, success=204),
            Route(method="DELETE", path=f"{one}/tags/{{tag}}", handler=self.remove_tag, success=204),
            Route(method="POST", path=f"{one}/actions/deactivate", handler=self.deactivate, success=204),
            Route(method="POST", path=f"{one}/actions/reactivate", handler=self.reactivate, success=204),
        )

    async def create(self, call: Call) -> Reply:
        """POST /v2/images: a queued image, without content."""
        given = dict(call.body) if isinstance(call.body, dict) else call.body
        image_id = self._new_id(given)
        settable, properties = parsed(given)
        owner = settable.owner or call.user.project_id
        if owner is None:
            raise Invalid(reason="An image belongs to a project: use a token scoped to one, or name the owner.")
        self._check(call.user, settable, owner)
        self._context.policy.enforce("add_image", call.user, {"owner": owner})
        values = {"id": image_id, **columns(settable), "owner": owner, "properties": properties}
        row = await self._context.database.write(create_txn, values, settable.tags)
        location = f"{self._context.url}/v2/images/{image_id}"
        return Reply(document(row), headers={"Location": location})

    async def list(self, call: Call) -> Reply:
        """GET /v2/images."""
        self._context.policy.enforce("get_images", call.user)
        admin = self._context.policy.allows("act_for_others", call.user)
        listing = asked(call.query, call.user, admin)
        if listing.marker is not None:
            await self._context.visible(call.user, listing.marker)
        rows, more = await self._context.database.scan(page_txn, listing)
        last = rows[-1]["id"] if more and rows else None
        body = {"images": [document(row) for row in rows], "schema": "/v2/schemas/images", **links(call.query, last)}
        return Reply(body)

    async def show(self, call: Call) -> Reply:
        """GET /v2/images/{image_id}."""
        return Reply(document(await self._context.visible(call.user, call.params["image_id"])))

    async def tasks(self, call: Call) -> Reply:
        """GET /v2/images/{image_id}/tasks: none, since no request leaves work for later."""
        await self._context.visible(call.user, call.params["image_id"])
        return Reply({"tasks": []})

    async def update(self, call: Call) -> Reply:
        """PATCH /v2/images/{image_id}."""
        media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in MEDIA_TYPES:
            raise UnsupportedMedia(reason=f"The content type of a patch must be {MEDIA_TYPES[0]}.")
        image_id = (await self._context.enforced(call, "modify_image"))["id"]

        def change(row: Row) -> tuple[Row, Sequence[str]]:
            settable, properties = parsed(patched(settable_document(row), call.body))
            owner = settable.owner or row["owner"]
            self._check(call.user, settable, owner, row)
            return {**columns(settable), "owner": owner, "properties": properties}, settable.tags

        return Reply(document(await self._context.database.write(update_txn, image_id, change)))

    async def delete(self, call: Call) -> Reply:
        """DELETE /v2/images/{image_id}: the row goes first, so that nobody begins to read a content that goes."""
        row = await self._context.enforced(call, "delete_image")
        await self._context.database.write(delete_txn, row["id"])
        await self._context.contents.discard(row["id"])
        return Reply()

    async def add_tag(self, call: Call) -> Reply:
        """PUT /v2/images/{image_id}/tags/{tag}."""
        return await self._tag(call, wanted=True)

    async def remove_tag(self, call: Call) -> Reply:
        """DELETE /v2/images/{image_id}/tags/{tag}."""
        return await self._tag(call, wanted=False)

    async def deactivate(self, call: Call) -> Reply:
        """POST .../actions/deactivate."""
        return await self._move(call, "deactivate", "deactivated")

    async def reactivate(self, call: Call) -> Reply:
        """POST .../actions/reactivate."""
        return await self._move(call, "reactivate", "active")

    async def _tag(self, call: Call, wanted: bool) -> Reply:
        row = await self._context.enforced(call, "modify_image")
        tag = call.params["tag"]
        if len(tag) > 255 or "\x00" in tag:
            raise Invalid(reason="A tag must have 1 to 255 characters.")
        await self._context.database.write(tag_txn, row["id"], tag, wanted)
        return Reply()

    async def _move(self, call: Call, action: str, status: str) -> Reply:
        row = await self._context.enforced(call, action)
        await self._context.database.write(move_txn, row["id"], action, ("active", "deactivated"), status)
        return Reply()

    def _new_id(self, given: object) -> str:
        """The id that the request chooses, taken out of it, or a new one."""
        if not isinstance(given, dict) or "id" not in given:
            return self._context.runtime.uuid()
        image_id = given.pop("id")
        if not is_uuid(image_id) or len(image_id) != 36:
            raise Invalid(reason="An image's id must be a UUID with dashes.")
        return str(image_id).lower()

    def _check(self, caller: Caller, wanted: Settable, owner: str, old: Row | None = None) -> None:
        """What the caller may not set. Raises `NotYours`, `FormatFixed`, `Forbidden`."""
        policy = self._context.policy
        if owner not in {caller.project_id, old and old["owner"]} and not policy.allows("act_for_others", caller):
            raise NotYours(owner=owner)
        rule = {"public": "publicize_image", "community": "communitize_image"}.get(wanted.visibility)
        if rule is not None and (old is None or old["visibility"] != wanted.visibility):
            policy.enforce(rule, caller, {"owner": owner})
        if old is not None and old["status"] != "queued":
            for name in ("disk_format", "container_format"):
                if getattr(wanted, name) != old[name]:
                    raise FormatFixed(name=name)


def columns(settable: Settable) -> Mapping[str, Any]:
    """The columns of the row that `settable` sets."""
    columns = msgspec.structs.asdict(settable)
    del columns["tags"]
    return columns
