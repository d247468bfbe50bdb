"""What every resource of the image service works with."""

from dataclasses import dataclass

import msgspec

from kilonova.database.database import Database
from kilonova.kernel.errors import Invalid
from kilonova.objects.caller import Caller
from kilonova.runtime.runtime import Runtime
from kilonova.standalone.image.content import Contents
from kilonova.standalone.image.store import NoSuchImage, Row, image_txn, member_txn
from kilonova.web.call import Call
from kilonova.web.errors import Fault
from kilonova.web.policy import Policy


@dataclass(frozen=True, kw_only=True)
class Context:
    """The parts that all resources share."""

    database: Database
    contents: Contents
    policy: Policy
    runtime: Runtime
    url: str
    """Where clients reach this service, without `/v2`."""

    async def visible(self, caller: Caller, image_id: str) -> Row:
        """An image that the caller may see, with `member`: the caller's project where it is shared with it.

        Raises `NoSuchImage`, also for what the caller may not see.
        """
        row = await self.database.read(image_txn, image_id)
        shared = row["visibility"] == "shared" and caller.project_id != row["owner"]
        member = await self.database.read(member_txn, image_id, caller.project_id) if shared else None
        row = {**row, "member": member["member"] if member else None}
        if not self.policy.allows("get_image", caller, row):
            raise NoSuchImage(id=image_id)
        return row

    async def enforced(self, call: Call, rule: str) -> Row:
        """The image that the path names, if the caller may do to it what `rule` guards.

        Raises `NoSuchImage` for one the caller may not even see, `Forbidden` for others.
        """
        row = await self.visible(call.user, call.params["image_id"])
        self.policy.enforce(rule, call.user, row)
        return row


def error_body(fault: Fault) -> tuple[bytes, str]:
    """An error in the form that OpenStack's clients find the message in."""
    error = {"code": fault.status, "title": fault.title, "message": fault.message}
    return msgspec.json.encode({"error": error}), "application/json"


def text_of(body: object, key: str) -> str:
    """The string that a body holds under `key`. Raises `Invalid`."""
    value = body.get(key) if isinstance(body, dict) else None
    if not isinstance(value, str) or not 0 < len(value) <= 255 or "\x00" in value:
        raise Invalid(reason=f"The request body must be an object with '{key}', a string of 1 to 255 characters.")
    return value
