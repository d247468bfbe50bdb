"""Members (Image API v2, "Sharing"): the projects that an image is shared with."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.kernel.errors import Forbidden, Invalid
from kilonova.standalone.image.attributes import timestamp
from kilonova.standalone.image.context import Context, text_of
from kilonova.standalone.image.store import (
    NoSuchMember,
    Row,
    consent_txn,
    member_txn,
    members_txn,
    share_txn,
    unshare_txn,
)
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Route

STATUSES = ("pending", "accepted", "rejected")


class NotShared(Forbidden):
    """Only shared images have members."""

    code = "image-not-shared"


class Members:
    """The paths under `/v2/images/{image_id}/members`."""

    def __init__(self, context: Context) -> None:
        """Answer from `context`."""
        self._context = context

    def routes(self) -> Sequence[Route]:
        """Share, list, show, consent, take back."""
        all_ = "/v2/images/{image_id}/members"
        one = f"{all_}/{{member}}"
        return (
            Route(method="POST", path=all_, handler=self.create, body=Body.JSON),
            Route(method="GET", path=all_, handler=self.list),
            Route(method="GET", path=one, handler=self.show),
            Route(method="PUT", path=one, handler=self.update, body=Body.JSON),
            Route(method="DELETE", path=one, handler=self.delete, success=204),
        )

    async def create(self, call: Call) -> Reply:
        """POST: the owner shares the image."""
        row = await self._shared(call, "add_member")
        member = text_of(call.body, "member")
        return Reply(_document(await self._context.database.write(share_txn, row["id"], member)))

    async def list(self, call: Call) -> Reply:
        """GET: all for the owner; for a member, itself."""
        row = await self._context.enforced(call, "get_members")
        found = await self._context.database.read(members_txn, row["id"])
        if not self._owns(call, row):
            found = [each for each in found if each["member"] == call.user.project_id]
        return Reply({"members": [_document(each) for each in found], "schema": "/v2/schemas/members"})

    async def show(self, call: Call) -> Reply:
        """GET one."""
        row = await self._context.enforced(call, "get_member")
        member = call.params["member"]
        found = await self._context.database.read(member_txn, row["id"], member)
        if found is None or not (self._owns(call, row) or member == call.user.project_id):
            raise NoSuchMember(member=member, id=row["id"])
        return Reply(_document(found))

    async def update(self, call: Call) -> Reply:
        """PUT: the member accepts or rejects."""
        row = await self._shared(call, "get_member")
        status, member = text_of(call.body, "status"), call.params["member"]
        if status not in STATUSES:
            raise Invalid(reason=f"status must be one of {', '.join(STATUSES)}.")
        self._context.policy.enforce("modify_member", call.user, {"member": member})
        return Reply(_document(await self._context.database.write(consent_txn, row["id"], member, status)))

    async def delete(self, call: Call) -> Reply:
        """DELETE: the owner takes the image back."""
        row = await self._shared(call, "delete_member")
        await self._context.database.write(unshare_txn, row["id"], call.params["member"])
        return Reply()

    async def _shared(self, call: Call, rule: str) -> Row:
        row = await self._context.enforced(call, rule)
        if row["visibility"] != "shared":
            raise NotShared
        return row

    def _owns(self, call: Call, row: Row) -> bool:
        return self._context.policy.allows("add_member", call.user, row) or call.user.project_id == row["owner"]


def _document(row: Row) -> Mapping[str, Any]:
    return {
        "image_id": row["image_id"],
        "member_id": row["member"],
        "status": row["status"],
        "created_at": timestamp(row["created_at"]),
        "updated_at": timestamp(row["updated_at"]),
        "schema": "/v2/schemas/member",
    }
