"""Hypervisors (Compute API reference, "Hypervisors")."""

from collections.abc import Mapping, Sequence

from msgspec import structs

from kilonova.api import hypervisor_view as view
from kilonova.api.compute import Compute
from kilonova.api.host_ids import host_id, host_with_id
from kilonova.api.paging import next_links, page
from kilonova.api.query import Asked, ComputeRoute, Query
from kilonova.api.server_view import instance_name
from kilonova.api.shapes import LINKS, Gives, gives, listed
from kilonova.cells.hosts import HostUsage
from kilonova.kernel.errors import Invalid, NotFound, NotImplementedHere
from kilonova.kernel.ids import HostName
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Doc, Level
from kilonova.objects.host import Host
from kilonova.objects.server import Server
from kilonova.objects.server_query import ServerQuery
from kilonova.web.call import Call, Reply

_RULE = "os_compute_api:os-hypervisors:"

LIST = Query(
    names=("limit", "marker", "hypervisor_hostname_pattern", "with_servers"),
    shape="hypervisor_list_query",
    strict="hypervisor-search-by-query",
)
ONE = Query(names=("with_servers",), shape="hypervisor_query", strict="hypervisor-search-by-query")


class NoSuchHypervisor(NotFound):
    """Hypervisor with ID '{id}' could not be found."""

    code = "no-such-hypervisor"


class NoMatch(NotFound):
    """No hypervisor matching '{pattern}' could be found."""

    code = "no-hypervisor-matches"


class NoPagesOfMatches(Invalid):
    """Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported."""

    code = "hypervisor-pattern-paging"


class NoUptime(NotImplementedHere):
    """The driver of this host doesn't tell its uptime."""

    code = "no-uptime"


class HostDown(Invalid):
    """Compute service of {host} is unavailable at this time."""

    code = "host-down"


class Hypervisors:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """List hypervisors, briefly."""
        self._compute.policy.enforce(_RULE + "list", call.user)
        return await self._list(call, None)

    async def detail(self, call: Call) -> Reply:
        """List hypervisors."""
        self._compute.policy.enforce(_RULE + "list-detail", call.user)
        return await self._list(call, await self._usage(call))

    async def show(self, call: Call) -> Reply:
        """Show one hypervisor."""
        self._compute.policy.enforce(_RULE + "show", call.user)
        asked = ONE.read(call)
        host = await self._find(call)
        used = await self._usage(call)
        doc = view.document(host, self._compute.runtime.now(), used.get(host.name, view.UNUSED))
        if asked.truth("with_servers"):
            doc["servers"] = await self._servers(host)
        return Reply({"hypervisor": call.version.down("hypervisor", doc)})

    async def statistics(self, call: Call) -> Reply:
        """Sum up all hypervisors."""
        self._compute.policy.enforce(_RULE + "statistics", call.user)
        hosts, used = await self._compute.hosts.all(), await self._compute.hosts.usage()
        return Reply({"hypervisor_statistics": view.statistics(hosts, used, self._compute.runtime.now())})

    async def search(self, call: Call) -> Reply:
        """Hypervisors whose name holds a text; `hypervisor_hostname_pattern` since 2.53."""
        self._compute.policy.enforce(_RULE + "search", call.user)
        hosts = await self._matching(call.params["id"])
        return Reply({"hypervisors": [self._brief(call, host) for host in hosts]})

    async def servers(self, call: Call) -> Reply:
        """The servers of hypervisors whose name holds a text; `with_servers` since 2.53."""
        self._compute.policy.enforce(_RULE + "servers", call.user)
        told = []
        for host in await self._matching(call.params["id"]):
            servers = await self._servers(host)
            told.append(self._brief(call, host) | ({"servers": servers} if servers else {}))
        return Reply({"hypervisors": told})

    async def uptime(self, call: Call) -> Reply:
        """How long a host has been up, where its driver can say."""
        now = self._compute.runtime.now()
        self._compute.policy.enforce(_RULE + "uptime", call.user)
        host = await self._find(call)
        if not host.up(now):
            raise HostDown(host=host.name)
        uptime = view.uptime(host, now)
        if uptime is None:
            raise NoUptime
        return Reply({"hypervisor": self._brief(call, host) | {"uptime": uptime}})

    async def _list(self, call: Call, used: Mapping[HostName, HostUsage] | None) -> Reply:
        asked, level = LIST.read(call), call.version
        now = self._compute.runtime.now()
        with_servers = asked.truth("with_servers")
        hosts, more = await self._page(call, asked)
        busy = await self._compute.hosts.server_counts() if with_servers else {}
        told = []
        for host in hosts:
            doc = view.brief(host, now) if used is None else view.document(host, now, used.get(host.name, view.UNUSED))
            if with_servers:
                doc["servers"] = await self._servers(host) if host.name in busy else []
            told.append(level.down("hypervisor", doc))
        return Reply({"hypervisors": told} | more)

    async def _page(self, call: Call, asked: Asked) -> tuple[Sequence[Host], Doc]:
        """The hosts to tell, and the link to more."""
        pattern = asked.one("hypervisor_hostname_pattern")
        if pattern is not None:
            if "limit" in asked or "marker" in asked:
                raise NoPagesOfMatches
            return await self._matching(pattern), {}
        hosts = await self._compute.hosts.all()
        level = call.version
        if not level.has("hypervisor-paging"):
            return hosts, {}
        wanted = page(asked, self._compute)
        shown = wanted.of(hosts, lambda host: _id(host, level))
        links = next_links(call, self._compute, wanted, [_id(host, level) for host in shown])
        return shown, {"hypervisors_links": links} if links else {}

    async def _usage(self, call: Call) -> dict[HostName, HostUsage]:
        """What hosts use, where this microversion shows it."""
        return {} if call.version.has("hypervisor-usage-gone") else await self._compute.hosts.usage()

    async def _matching(self, pattern: str) -> list[Host]:
        hosts = [host for host in await self._compute.hosts.all() if pattern in host.name]
        if not hosts:
            raise NoMatch(pattern=pattern[:255])
        return hosts

    async def _find(self, call: Call) -> Host:
        """The host with the id in the path."""
        wanted, by_uuid = call.params["id"], call.version.has("hypervisor-uuid")
        host = host_with_id(await self._compute.hosts.all(), wanted, lambda one: one.uuid, by_uuid=by_uuid)
        if host is None:
            raise NoSuchHypervisor(id=wanted[:100])
        return host

    def _brief(self, call: Call, host: Host) -> Doc:
        return call.version.down("hypervisor", view.brief(host, self._compute.runtime.now()))

    async def _servers(self, host: Host) -> list[Doc]:
        """Name and id of each server on a host."""
        query = ServerQuery(host=host.name, sort=(("created_at", "asc"), ("uuid", "asc")), limit=self._compute.page_max)
        found: list[Server] = []
        while True:
            answer = await self._compute.servers.list(query)
            found += answer.servers
            if not answer.more or not answer.servers:
                return [{"name": instance_name(server.id), "uuid": server.id} for server in found]
            query = structs.replace(query, marker=answer.servers[-1].id)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of hypervisors."""
    handlers = Hypervisors(compute)
    every, one = "/os-hypervisors", "/os-hypervisors/{id}"
    return [
        ComputeRoute(method="GET", path=every, handler=handlers.index, query=LIST, gives=_listed(view.BRIEF)),
        ComputeRoute(
            method="GET", path=every + "/detail", handler=handlers.detail, query=LIST, gives=_listed(view.HYPERVISOR)
        ),
        ComputeRoute(
            method="GET",
            path=every + "/statistics",
            handler=handlers.statistics,
            until="2.87",
            gives=gives({"hypervisor_statistics": view.STATISTICS}),
        ),
        ComputeRoute(
            method="GET", path=one, handler=handlers.show, query=ONE, gives=gives({"hypervisor": view.HYPERVISOR})
        ),
        ComputeRoute(
            method="GET",
            path=one + "/search",
            handler=handlers.search,
            until="2.52",
            gives=gives({"hypervisors": listed(view.SEARCHED)}),
        ),
        ComputeRoute(
            method="GET",
            path=one + "/servers",
            handler=handlers.servers,
            until="2.52",
            gives=gives({"hypervisors": listed(view.SEARCHED)}),
        ),
        ComputeRoute(
            method="GET", path=one + "/uptime", handler=handlers.uptime, until="2.87", gives=view.UPTIMES, faults=(501,)
        ),
    ]


def _listed(hypervisor: Schema) -> tuple[Gives, ...]:
    return gives({"hypervisors": listed(hypervisor), "hypervisors_links?": LINKS})


def _id(host: Host, level: Level) -> str:
    return host_id(host.uuid, by_uuid=level.has("hypervisor-uuid"))
