"""Usage of projects: how long their servers were there, times what each has (API reference, "Usage reports")."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from kilonova.api import paging, times
from kilonova.api.compute import Compute
from kilonova.api.links import links
from kilonova.api.query import Asked, ComputeRoute, Query
from kilonova.api.shapes import LINKS, MICRO_TIME, NUMBER, TEXT, UUID, WHOLE, Gives, either, listed, obj, or_null
from kilonova.kernel.errors import Invalid
from kilonova.kernel.ids import ProjectId, ServerId
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Doc
from kilonova.objects.server import Server
from kilonova.operations.usage import UsageQuery, used_s
from kilonova.web.call import Call, Reply

_RULE = "os_compute_api:os-simple-tenant-usage:"
LIST = Query(names=("detailed", "end", "limit", "marker", "start"), shape="usage_query", strict="strict-list-queries")
ONE = Query(names=("end", "limit", "marker", "start"), shape="usage_query", strict="strict-list-queries")
HOUR_S = 3600.0
_SERVER = obj(
    {
        **dict.fromkeys(("name", "tenant_id", "flavor", "state"), TEXT),
        **dict.fromkeys(("vcpus", "memory_mb", "local_gb", "uptime"), WHOLE),
        "instance_id": UUID,
        "hours": NUMBER,
        "started_at": MICRO_TIME,
        "ended_at": or_null(MICRO_TIME),
    }
)
_TOTALS = {
    "tenant_id": TEXT,
    **dict.fromkeys(("start", "stop"), MICRO_TIME),
    **{f"total_{what}": NUMBER for what in ("hours", "vcpus_usage", "memory_mb_usage", "local_gb_usage")},
}
_USAGES = listed(obj({**_TOTALS, "server_usages?": listed(_SERVER)}))
_USAGE = either(obj({**_TOTALS, "server_usages": listed(_SERVER)}), obj({}))


class StartAfterEnd(Invalid):
    """Invalid start time. The start time cannot occur after the end time."""

    code = "usage-start-after-end"


@dataclass(frozen=True)
class Period:
    """From when to when usage is counted, in seconds since the epoch."""

    begin: float
    end: float


class TenantUsage:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """The usage of every project that had a server then."""
        self._compute.policy.enforce(_RULE + "list", call.user)
        asked = LIST.read(call)
        period = self._period(asked)
        page, found = await self._found(asked, period, None)
        detailed = asked.one("detailed") == "1"
        by_project = groupby(found, key=lambda server: server.project_id)
        told = [_usage(project_id, list(of_it), period, detailed=detailed) for project_id, of_it in by_project]
        return Reply({"tenant_usages": told, **self._links(call, "tenant_usages_links", page, found)})

    async def show(self, call: Call) -> Reply:
        """The usage of one project; an empty object when it had no server then."""
        project_id = ProjectId(call.params["id"])
        self._compute.policy.enforce(_RULE + "show", call.user, {"project_id": project_id})
        asked = ONE.read(call)
        period = self._period(asked)
        page, found = await self._found(asked, period, project_id)
        told = _usage(project_id, found, period, detailed=True) if found else {}
        return Reply({"tenant_usage": told, **self._links(call, "tenant_usage_links", page, found)})

    def _period(self, asked: Asked) -> Period:
        now = self._compute.runtime.now()
        bounds = [asked.one(name) for name in ("start", "end")]
        named = zip(("start", "end"), bounds, strict=True)
        begin, end = (now if not text else times.parse(text, name) for name, text in named)
        if begin > end:
            raise StartAfterEnd
        return Period(begin, end)

    async def _found(
        self, asked: Asked, period: Period, project_id: ProjectId | None
    ) -> tuple[paging.Page, Sequence[Server]]:
        page = paging.page(asked, self._compute)
        marker = None if page.marker is None else ServerId(page.marker)
        query = UsageQuery(begin=period.begin, end=period.end, limit=page.limit, project_id=project_id, marker=marker)
        return page, await self._compute.servers.used(query)

    def _links(self, call: Call, key: str, page: paging.Page, found: Sequence[Server]) -> Doc:
        if not call.version.has("usage-paging") or len(found) < page.limit or not found:
            return {}
        return {key: [links(call, self._compute).next(call, found[-1].id)]}


def routes(compute: Compute) -> list[ComputeRoute]:
    """Both routes."""
    usage, every = TenantUsage(compute), "/os-simple-tenant-usage"
    return [
        ComputeRoute(method="GET", path=every, handler=usage.index, query=LIST, gives=_paged("tenant_usages", _USAGES)),
        ComputeRoute(
            method="GET", path=every + "/{id}", handler=usage.show, query=ONE, gives=_paged("tenant_usage", _USAGE)
        ),
    ]


def _paged(key: str, told: Schema) -> tuple[Gives, ...]:
    return (
        Gives(body=obj({key: told}), until="2.39"),
        Gives(body=obj({key: told, f"{key}_links?": LINKS}), since="2.40"),
    )


def _usage(project_id: ProjectId, servers: Sequence[Server], period: Period, *, detailed: bool) -> Doc:
    used = [_server_usage(server, period) for server in servers]
    told: Doc = {
        "tenant_id": project_id,
        "start": times.micro(period.begin),
        "stop": times.micro(period.end),
        "total_hours": sum(one["hours"] for one in used),
        **{f"total_{part}_usage": _sum(used, part) for part in ("vcpus", "memory_mb", "local_gb")},
    }
    return told | {"server_usages": used} if detailed else told


def _sum(used: Sequence[dict[str, Any]], part: str) -> float:
    return float(sum(one[part] * one["hours"] for one in used))


def _server_usage(server: Server, period: Period) -> dict[str, Any]:
    flavor = server.flavor
    assert server.launched_at is not None, "a server that was used was launched"
    until = period.end if server.deleted_at is None else server.deleted_at
    return {
        "instance_id": server.id,
        "name": server.name,
        "tenant_id": server.project_id,
        "flavor": flavor.name,
        "vcpus": flavor.vcpus,
        "memory_mb": flavor.memory_mb,
        "local_gb": flavor.disk_gb + flavor.ephemeral_gb,
        "hours": used_s(server, period.begin, period.end) / HOUR_S,
        "started_at": times.micro(server.launched_at),
        "ended_at": times.micro(server.deleted_at),
        "state": server.vm_state if server.deleted_at is None else "terminated",
        "uptime": int(max(0.0, until - server.launched_at)),
    }
