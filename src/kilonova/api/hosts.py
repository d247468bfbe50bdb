"""Hosts, until 2.42 (API reference, "Hosts"): services and hypervisors say it today. None of them can be switched on or off."""

from typing import Literal

from msgspec import Struct

from kilonova.api import body
from kilonova.api.availability_zones import zones
from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.shapes import TEXT, WHOLE, Takes, gives, listed, obj, words
from kilonova.cells.hosts import HostUsage
from kilonova.kernel.errors import Invalid, NotFound, NotImplementedHere
from kilonova.kernel.ids import HostName
from kilonova.kernel.versions import Doc
from kilonova.objects.host import Host
from kilonova.objects.server import Server
from kilonova.objects.server_query import ServerQuery
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

UNTIL = "2.42"
LIST = Query(names=("zone",), strict=None)
ANY_QUERY = Query(strict=None)
_RULE = "os_compute_api:os-hosts:"
_POWER = {"reboot": "reboot", "shutdown": "shutdown", "startup": "start"}
"""What could be done to a host, by the end of the path: the rule."""
_LINE = obj({"host": TEXT, "project": TEXT, **dict.fromkeys(("cpu", "memory_mb", "disk_gb"), WHOLE)})
Status = Literal["enable", "disable"]
Mode = Literal["enable", "disable", "on_maintenance", "off_maintenance"]


class PowerNotOurs(NotImplementedHere):
    """Virt driver does not implement host power actions or host maintenance."""

    code = "host-power-not-ours"


class NothingToDo(Invalid):
    """Invalid update: say status or maintenance_mode."""

    code = "host-nothing-to-do"


class HostUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an update."""

    status: Status | None = None
    maintenance_mode: Mode | None = None


class Hosts:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """Every host, with its service and zone; an empty zone in the query stands for all."""
        self._enforce(call, "list")
        asked, zone_of, default = LIST.read(call).one("zone"), await zones(self._compute), self._compute.default_zone
        told = [
            {"host_name": host.name, "service": "compute", "zone": zone_of.get(host.name, default)}
            for host in await self._compute.hosts.all()
        ]
        return Reply({"hosts": [one for one in told if not asked or one["zone"] == asked]})

    async def show(self, call: Call) -> Reply:
        """What a host has, what of it is used, and by which projects."""
        self._enforce(call, "show")
        host = await self._host(call)
        nothing = HostUsage(servers=0, vcpus=0, memory_mb=0, disk_gb=0)
        used = (await self._compute.hosts.usage()).get(host.name, nothing)
        has = host.description
        lines = [
            _line(host, "(total)", has.vcpus, has.memory_mb, has.disk_gb),
            _line(host, "(used_now)", used.vcpus, used.memory_mb + has.reserved_memory_mb, used.disk_gb),
            _line(host, "(used_max)", used.vcpus, used.memory_mb, used.disk_gb),
        ]
        by_project: dict[str, list[Server]] = {}
        for server in await self._servers(host):
            by_project.setdefault(server.project_id, []).append(server)
        lines += [_project_line(host, project_id, servers) for project_id, servers in by_project.items()]
        return Reply({"host": [{"resource": line} for line in lines]})

    async def update(self, call: Call) -> Reply:
        """Keep new servers away from a host, or let them come again."""
        wish = body.struct(call, body.whole(call), HostUpdate, None, "host")
        self._enforce(call, "update")
        if wish.status is None and wish.maintenance_mode is None:
            raise NothingToDo
        host = await self._host(call)
        if wish.maintenance_mode is not None:
            raise PowerNotOurs
        if wish.status == "enable":
            await self._compute.hosts.enable(host.name)
        else:
            await self._compute.hosts.disable(host.name, None)
        return Reply({"host": host.name, "status": f"{wish.status}d"})

    async def power(self, call: Call) -> Reply:
        """Nobody here may switch a host."""
        action = call.path.rpartition("/")[2]
        self._enforce(call, _POWER[action])
        await self._host(call)
        raise PowerNotOurs

    async def _host(self, call: Call) -> Host:
        name = call.params["name"]
        try:
            return await self._compute.hosts.get(HostName(name))
        except NotFound as error:
            raise NotFound(kind="Compute host", id=name[:100]) from error

    async def _servers(self, host: Host) -> list[Server]:
        query = ServerQuery(host=host.name, sort=(("created_at", "asc"),), limit=self._compute.page_max)
        return list((await self._compute.servers.list(query)).servers)

    def _enforce(self, call: Call, action: str) -> None:
        self._compute.policy.enforce(_RULE + action, call.user)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of hosts."""
    hosts, every = Hosts(compute), "/os-hosts"
    one = every + "/{name}"
    return [
        ComputeRoute(
            method="GET",
            path=every,
            handler=hosts.index,
            until=UNTIL,
            query=LIST,
            gives=gives({"hosts": listed(obj(dict.fromkeys(("host_name", "service", "zone"), TEXT)))}),
        ),
        ComputeRoute(
            method="GET",
            path=one,
            handler=hosts.show,
            until=UNTIL,
            query=ANY_QUERY,
            gives=gives({"host": listed(obj({"resource": _LINE}))}),
        ),
        ComputeRoute(
            method="PUT",
            path=one,
            handler=hosts.update,
            until=UNTIL,
            body=Body.JSON,
            takes=Takes(kind=HostUpdate),
            gives=gives({"host": TEXT, "status": words("enabled", "disabled")}),
            faults=(501,),
        ),
        *(
            ComputeRoute(
                method="GET",
                path=f"{one}/{action}",
                handler=hosts.power,
                until=UNTIL,
                query=ANY_QUERY,
                gives=(),
                faults=(501,),
            )
            for action in _POWER
        ),
    ]


def _line(host: Host, project: str, vcpus: int, memory_mb: int, disk_gb: int) -> Doc:
    return {"host": host.name, "project": project, "cpu": vcpus, "memory_mb": memory_mb, "disk_gb": disk_gb}


def _project_line(host: Host, project_id: str, servers: list[Server]) -> Doc:
    flavors = [server.flavor for server in servers]
    return _line(
        host,
        project_id,
        sum(flavor.vcpus for flavor in flavors),
        sum(flavor.memory_mb for flavor in flavors),
        sum(flavor.disk_gb + flavor.ephemeral_gb for flavor in flavors),
    )
