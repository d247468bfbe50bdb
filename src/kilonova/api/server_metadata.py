"""Metadata of servers: texts by key, the user's own (API reference, "Server metadata")."""

from collections.abc import Callable

import msgspec

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find, refuse_if_locked
from kilonova.api.server_fields import Metadata
from kilonova.api.shapes import NO_BODY, TEXT, Takes, by_key, gives
from kilonova.kernel.errors import Invalid, NotFound, OverLimit
from kilonova.objects.server import Server, VmState
from kilonova.operations.states import WrongState
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_COLLECTION = "/servers/{id}/metadata"
_ITEM = "/servers/{id}/metadata/{key}"
_CHANGED_IN = frozenset({VmState.ACTIVE, VmState.PAUSED, VmState.SUSPENDED, VmState.STOPPED})


class NoSuchItem(NotFound):
    """Metadata item was not found"""

    code = "no-such-metadata-item"


class TooManyItems(OverLimit):
    """Maximum number of metadata items exceeds {limit}"""

    code = "too-many-metadata-items"


class ServerMetadata:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """All items."""
        server = await find(call, self._compute, "os_compute_api:server-metadata:index")
        return Reply({"metadata": server.metadata})

    async def show(self, call: Call) -> Reply:
        """One item."""
        server = await find(call, self._compute, "os_compute_api:server-metadata:show")
        key = call.params["key"]
        if key not in server.metadata:
            raise NoSuchItem
        return Reply({"meta": {key: server.metadata[key]}})

    async def create(self, call: Call) -> Reply:
        """Add items, or give them other values."""
        items = body.read(call, "metadata", Metadata)
        server = await self._change(call, "create", lambda metadata: metadata | items)
        return Reply({"metadata": server.metadata})

    async def update_all(self, call: Call) -> Reply:
        """Put these items in the place of all that were."""
        items = body.read(call, "metadata", Metadata)
        server = await self._change(call, "update_all", lambda _: items)
        return Reply({"metadata": server.metadata})

    async def update(self, call: Call) -> Reply:
        """Set the item that the URL names."""
        items = body.read(call, "meta", Metadata)
        if len(items) != 1:
            raise Invalid(reason="The request body must hold exactly one metadata item.")
        if call.params["key"] not in items:
            raise Invalid(reason="Request body and URI mismatch")
        await self._change(call, "update", lambda metadata: metadata | items)
        return Reply({"meta": items})

    async def delete(self, call: Call) -> Reply:
        """Delete one item."""
        key = call.params["key"]

        def without(metadata: dict[str, str]) -> dict[str, str]:
            if key not in metadata:
                raise NoSuchItem
            return {name: value for name, value in metadata.items() if name != key}

        await self._change(call, "delete", without)
        return Reply()

    async def _change(self, call: Call, right: str, change: Callable[[dict[str, str]], dict[str, str]]) -> Server:
        """Write what `change` makes of the metadata, where quota, lock and state allow it."""
        found = await find(call, self._compute, f"os_compute_api:server-metadata:{right}")
        limits = await self._compute.quota.limits(found.project_id, found.user_id)

        def apply(server: Server) -> Server:
            refuse_if_locked(server, call.user, self._compute)
            if server.vm_state not in _CHANGED_IN:
                raise WrongState(
                    action=f"{right} metadata", server_id=server.id, attribute="vm_state", value=server.vm_state
                )
            metadata = change(server.metadata)
            if len(metadata) > len(server.metadata):
                check_count(len(metadata), limits)
            return msgspec.structs.replace(server, metadata=metadata)

        return await self._compute.servers.update(found.id, apply)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of server metadata."""
    metadata, takes = ServerMetadata(compute), Takes(kind=Metadata, under="metadata")
    told, item = gives({"metadata": by_key(TEXT)}), gives({"meta": by_key(TEXT)})
    return [
        ComputeRoute(method="GET", path=_COLLECTION, handler=metadata.index, gives=told),
        ComputeRoute(method="POST", path=_COLLECTION, handler=metadata.create, body=Body.JSON, takes=takes, gives=told),
        ComputeRoute(
            method="PUT", path=_COLLECTION, handler=metadata.update_all, body=Body.JSON, takes=takes, gives=told
        ),
        ComputeRoute(method="GET", path=_ITEM, handler=metadata.show, gives=item),
        ComputeRoute(
            method="PUT",
            path=_ITEM,
            handler=metadata.update,
            body=Body.JSON,
            takes=Takes(kind=Metadata, under="meta"),
            gives=item,
        ),
        ComputeRoute(method="DELETE", path=_ITEM, handler=metadata.delete, success=204, gives=NO_BODY),
    ]


def check_count(items: int, limits: dict[str, int]) -> None:
    """Raise `TooManyItems` beyond the quota for metadata."""
    limit = limits["metadata_items"]
    if 0 <= limit < items:
        raise TooManyItems(limit=limit)
