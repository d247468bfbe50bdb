"""Shares of servers (API reference, "Servers with shares attachments"). No service for shares is known: servers have none."""

from typing import Annotated

from msgspec import Meta, Struct

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.server_access import find, find_to_change
from kilonova.api.server_fields import Uuid
from kilonova.api.shapes import Takes, gives
from kilonova.kernel.errors import NotFound
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_PATH = "/servers/{id}/shares"
_RULE = "os_compute_api:os-server-shares:"
_STRICT = Query(strict="strict-list-queries")


class NoSuchShare(NotFound):
    """Share {id} could not be found: this cloud has no service for shared file systems."""

    code = "no-such-share"


class ShareAttach(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `share`."""

    share_id: Uuid
    tag: Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9\-_]*$")] | None = None


class ServerShares:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """The shares of a server: none."""
        _STRICT.read(call)
        await find(call, self._compute, _RULE + "index")
        return Reply({"shares": []})

    async def show(self, call: Call) -> Reply:
        """One share. Raises `NoSuchShare`."""
        _STRICT.read(call)
        await find(call, self._compute, _RULE + "show")
        raise NoSuchShare(id=call.params["share_id"][:100])

    async def attach(self, call: Call) -> Reply:
        """Give a server a share. Raises `NoSuchShare`."""
        wish = body.read(call, "share", ShareAttach)
        await find_to_change(call, self._compute, _RULE + "create")
        raise NoSuchShare(id=wish.share_id)

    async def detach(self, call: Call) -> Reply:
        """Take one from it. Raises `NoSuchShare`."""
        await find_to_change(call, self._compute, _RULE + "delete")
        raise NoSuchShare(id=call.params["share_id"][:100])


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of shares."""
    shares, one = ServerShares(compute), _PATH + "/{share_id}"
    since = "2.97"
    return [
        ComputeRoute(
            method="GET",
            path=_PATH,
            handler=shares.index,
            since=since,
            query=_STRICT,
            gives=gives({"shares": {"type": "array", "maxItems": 0}}),
        ),
        ComputeRoute(
            method="POST",
            path=_PATH,
            handler=shares.attach,
            since=since,
            success=201,
            body=Body.JSON,
            takes=Takes(kind=ShareAttach, under="share"),
            gives=(),
        ),
        ComputeRoute(method="GET", path=one, handler=shares.show, since=since, query=_STRICT, gives=()),
        ComputeRoute(method="DELETE", path=one, handler=shares.detach, since=since, gives=()),
    ]
