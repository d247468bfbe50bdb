"""Servers: list, show, create, update, delete (API reference, "Servers")."""

from functools import partial

import msgspec
from msgspec import UNSET

from kilonova.api import body, server_create, server_query, server_schema
from kilonova.api.compute import Compute
from kilonova.api.links import links
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find, find_outline, find_to_change
from kilonova.api.server_body import ServerCreate, ServerUpdate
from kilonova.api.server_hints import HINTS
from kilonova.api.server_view import view_for
from kilonova.api.shapes import LINKS, NO_BODY, Gives, Takes, gives, listed
from kilonova.kernel.errors import Conflict, Unavailable
from kilonova.kernel.schemas import Schema
from kilonova.objects.server import Server
from kilonova.objects.server_query import ServerPage
from kilonova.web.call import Call, Reply, encoded
from kilonova.web.routing import Body

_NOTHING = ServerPage(servers=(), more=False)


class OtherZone(Conflict):
    """Server {server_id} is in availability zone {present}, and can be pinned to no other"""

    code = "other-zone"


class Servers:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """Servers by id and name."""
        self._compute.policy.enforce("os_compute_api:servers:index", call.user)
        page = await self._page(call, detail=False)
        view = await view_for(call, self._compute)
        docs: list[object] = [view.summary(server) for server in page.servers]
        if view.shows_down_cells:
            docs += [view.summary_down(server) for server in page.down]
        return self._listed(call, page, docs)

    async def detail(self, call: Call) -> Reply:
        """Servers with all that is shown of them."""
        self._compute.policy.enforce("os_compute_api:servers:detail", call.user)
        page = await self._page(call, detail=True)
        view = await view_for(call, self._compute, page.servers)
        docs: list[object] = [encoded(view.detail(server)) for server in page.servers]
        if view.shows_down_cells:
            docs += [view.detail_down(server) for server in page.down]
        return self._listed(call, page, docs)

    async def show(self, call: Call) -> Reply:
        """One server; from 2.69 on, what is known of it when its cell doesn't answer."""
        rule = "os_compute_api:servers:show"
        try:
            server = await find(call, self._compute, rule)
        except Unavailable:
            if not call.version.has("server-down-cells"):
                raise
            outline = await find_outline(call, self._compute, rule)
            return Reply({"server": (await view_for(call, self._compute)).show_down(outline)})
        view = await view_for(call, self._compute, (server,))
        return Reply({"server": view.show(server)})

    async def create(self, call: Call) -> Reply:
        """Accept one server or several."""
        return await server_create.create(call, self._compute)

    async def update(self, call: Call) -> Reply:
        """Change what a server is called and how it is reached."""
        wish = body.read(call, "server", ServerUpdate, "server_update")
        found = await find(call, self._compute, "os_compute_api:servers:update")
        server = await self._compute.servers.update(found.id, partial(_updated, wish))
        view = await view_for(call, self._compute, (server,))
        return Reply({"server": view.updated(server)})

    async def delete(self, call: Call) -> Reply:
        """Delete a server, whatever is being done to it."""
        server = await find_to_change(call, self._compute, "os_compute_api:servers:delete")
        softly = not self._compute.deletes_at_once
        await self._compute.servers.delete(call.user, call.request_id, server.id, softly=softly)
        return Reply()

    async def _page(self, call: Call, *, detail: bool) -> ServerPage:
        query = server_query.read(call, self._compute, detail=detail)
        return _NOTHING if query is None else await self._compute.servers.list(query)

    def _listed(self, call: Call, page: ServerPage, docs: list[object]) -> Reply:
        reply: dict[str, object] = {"servers": docs}
        if page.more:
            reply["servers_links"] = [links(call, self._compute).next(call, page.servers[-1].id)]
        return Reply(reply)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of servers themselves."""
    servers = Servers(compute)
    query = server_query.QUERY
    return [
        ComputeRoute(
            method="GET", path="/servers", handler=servers.index, query=query, gives=_list_of(server_schema.SUMMARY)
        ),
        ComputeRoute(
            method="GET",
            path="/servers/detail",
            handler=servers.detail,
            query=query,
            gives=_list_of(server_schema.DETAIL),
        ),
        ComputeRoute(
            method="POST",
            path="/servers",
            handler=servers.create,
            body=Body.JSON,
            success=202,
            takes=Takes(kind=ServerCreate, under="server", shape="server_create", beside=HINTS),
            gives=(Gives(body=server_schema.CREATED),),
            faults=(501,),
        ),
        ComputeRoute(
            method="GET", path="/servers/{id}", handler=servers.show, gives=gives({"server": server_schema.SERVER})
        ),
        ComputeRoute(
            method="PUT",
            path="/servers/{id}",
            handler=servers.update,
            body=Body.JSON,
            takes=Takes(kind=ServerUpdate, under="server", shape="server_update"),
            gives=gives({"server": server_schema.UPDATED}),
        ),
        ComputeRoute(method="DELETE", path="/servers/{id}", handler=servers.delete, success=204, gives=NO_BODY),
    ]


def _list_of(server: Schema) -> tuple[Gives, ...]:
    return gives({"servers": listed(server), "servers_links?": LINKS})


def _updated(wish: ServerUpdate, server: Server) -> Server:
    """`server` with what was wished for. Raises `OtherZone`."""
    zone = wish.pinned_availability_zone
    if zone is not UNSET and zone is not None and zone != server.availability_zone:
        raise OtherZone(server_id=server.id, present=server.availability_zone or "none")
    wishes = msgspec.structs.asdict(wish)
    changes = {name: None if value is None else str(value) for name, value in wishes.items() if value is not UNSET}
    return msgspec.structs.replace(server, **changes)
