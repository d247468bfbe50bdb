"""Tags of servers: short texts to find them by (API reference, "Server tags"; microversion 2.26)."""

from collections.abc import Callable
from functools import partial
from urllib.parse import quote

import msgspec

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.links import links
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.server_access import find
from kilonova.api.server_fields import Tags
from kilonova.api.shapes import NO_BODY, TEXT, Gives, Takes, gives, listed
from kilonova.kernel.errors import Invalid, NotFound
from kilonova.objects.server import Server, VmState
from kilonova.operations.states import WrongState
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

TAGS_MAX = 50
"""Most tags of one server."""
TAG_LENGTH_MAX = 60
_COLLECTION = "/servers/{id}/tags"
_ITEM = "/servers/{id}/tags/{tag}"
_CHANGED_IN = frozenset({VmState.ACTIVE, VmState.PAUSED, VmState.SUSPENDED, VmState.STOPPED})
_ANY_PARAMETERS = Query()
"""These routes never look at their query, at no microversion."""


class NoSuchTag(NotFound):
    """Server {server_id} has no tag '{tag}'"""

    code = "no-such-tag"


class TooManyTags(Invalid):
    """The number of tags exceeded the per-server limit {limit}"""

    code = "too-many-tags"


class BadTag(Invalid):
    """Tag '{tag}' is invalid. It must be a non empty string of at most {limit} characters without '/' and ','."""

    code = "bad-tag"


class ServerTags:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """All tags."""
        server = await find(call, self._compute, "os_compute_api:os-server-tags:index")
        return Reply({"tags": server.tags})

    async def show(self, call: Call) -> Reply:
        """Whether a server has a tag."""
        server = await find(call, self._compute, "os_compute_api:os-server-tags:show")
        _check_present(server, call.params["tag"])
        return Reply()

    async def update_all(self, call: Call) -> Reply:
        """Put these tags in the place of all that were."""
        wish = body.struct(call, call.body if isinstance(call.body, dict) else {}, TagsBody, None, "tags")
        server = await self._change(call, "update_all", lambda _: wish.tags)
        return Reply({"tags": server.tags})

    async def update(self, call: Call) -> Reply:
        """Add one tag; 204 when it was there."""
        tag = call.params["tag"]
        if not 1 <= len(tag) <= TAG_LENGTH_MAX or "," in tag:
            raise BadTag(tag=tag[:100], limit=TAG_LENGTH_MAX)
        server = await find(call, self._compute, "os_compute_api:os-server-tags:update")
        if tag in server.tags:
            return Reply(status=204)
        await self._change(call, "update", lambda server: (*server.tags, tag))
        here = links(call, self._compute).versioned
        return Reply(headers={"Location": f"{here}/servers/{server.id}/tags/{quote(tag, safe='')}"})

    async def delete(self, call: Call) -> Reply:
        """Take one tag away."""
        tag = call.params["tag"]

        def without(server: Server) -> list[str]:
            _check_present(server, tag)
            return [other for other in server.tags if other != tag]

        await self._change(call, "delete", without)
        return Reply()

    async def delete_all(self, call: Call) -> Reply:
        """Take all tags away."""
        await self._change(call, "delete_all", lambda _: [])
        return Reply()

    async def _change(self, call: Call, right: str, change: Callable[[Server], list[str] | tuple[str, ...]]) -> Server:
        found = await find(call, self._compute, f"os_compute_api:os-server-tags:{right}")

        def apply(server: Server) -> Server:
            if server.vm_state not in _CHANGED_IN:
                raise WrongState(
                    action=f"{right} tags", server_id=server.id, attribute="vm_state", value=server.vm_state
                )
            tags = tuple(sorted(set(change(server))))
            if len(tags) > TAGS_MAX:
                raise TooManyTags(limit=TAGS_MAX)
            return msgspec.structs.replace(server, tags=tags)

        return await self._compute.servers.update(found.id, apply)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of tags."""
    tags, told = ServerTags(compute), gives({"tags": listed(TEXT)})
    since = partial(ComputeRoute, since="2.26", query=_ANY_PARAMETERS)
    return [
        since(method="GET", path=_COLLECTION, handler=tags.index, gives=told),
        since(
            method="PUT",
            path=_COLLECTION,
            handler=tags.update_all,
            body=Body.JSON,
            takes=Takes(kind=TagsBody),
            gives=told,
        ),
        since(method="DELETE", path=_COLLECTION, handler=tags.delete_all, success=204, gives=NO_BODY),
        since(method="GET", path=_ITEM, handler=tags.show, success=204, gives=NO_BODY),
        since(method="PUT", path=_ITEM, handler=tags.update, success=201, gives=(Gives(), Gives(status=204))),
        since(method="DELETE", path=_ITEM, handler=tags.delete, success=204, gives=NO_BODY),
    ]


class TagsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `PUT /servers/{id}/tags`."""

    tags: Tags


def _check_present(server: Server, tag: str) -> None:
    if tag not in server.tags:
        raise NoSuchTag(server_id=server.id, tag=tag[:100])
