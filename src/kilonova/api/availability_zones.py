"""Availability zones (Compute API reference, "Availability zones"). A zone is there when it has a host."""

from collections.abc import Sequence

from kilonova.api import times
from kilonova.api.aggregate_store import aggregates_txn, zones_of_hosts
from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.shapes import MICRO_TIME, NULL, TEXT, TRUTH, Gives, by_key, gives, listed, obj, or_null
from kilonova.kernel.ids import HostName
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Doc
from kilonova.objects.host import Host
from kilonova.web.call import Call, Reply

_HOST = obj({"nova-compute": obj({"active": TRUTH, "available": TRUTH, "updated_at": or_null(MICRO_TIME)})})


def _told(hosts: Schema) -> tuple[Gives, ...]:
    zone = obj({"zoneName": TEXT, "zoneState": obj({"available": TRUTH}), "hosts": hosts})
    return gives({"availabilityZoneInfo": listed(zone)})


class AvailabilityZones:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """List zones and whether each has a host that takes servers."""
        self._compute.policy.enforce("os_compute_api:os-availability-zone:list", call.user)
        zones = await self._zones()
        return Reply({"availabilityZoneInfo": [_zone(name, hosts, None) for name, hosts in zones.items()]})

    async def detail(self, call: Call) -> Reply:
        """List zones with the state of their hosts."""
        self._compute.policy.enforce("os_compute_api:os-availability-zone:detail", call.user)
        now = self._compute.runtime.now()
        zones = await self._zones()
        told = [_zone(name, hosts, {host.name: _host(host, now) for host in hosts}) for name, hosts in zones.items()]
        return Reply({"availabilityZoneInfo": told})

    async def _zones(self) -> dict[str, list[Host]]:
        """Hosts by zone, both in order of names."""
        zone_of = await zones(self._compute)
        found: dict[str, list[Host]] = {}
        for host in await self._compute.hosts.all():
            found.setdefault(zone_of.get(host.name, self._compute.default_zone), []).append(host)
        return dict(sorted(found.items()))


async def zones(compute: Compute) -> dict[HostName, str]:
    """The zone of each host that an aggregate gives one; all others are in the default zone."""
    return zones_of_hosts(await compute.database.read(aggregates_txn))


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of availability zones."""
    handlers = AvailabilityZones(compute)
    return [
        ComputeRoute(method="GET", path="/os-availability-zone", handler=handlers.index, gives=_told(NULL)),
        ComputeRoute(
            method="GET", path="/os-availability-zone/detail", handler=handlers.detail, gives=_told(by_key(_HOST))
        ),
    ]


def _zone(name: str, hosts: Sequence[Host], told: Doc | None) -> Doc:
    available = any(host.enabled for host in hosts)
    return {"zoneName": name, "zoneState": {"available": available}, "hosts": told}


def _host(host: Host, now: float) -> Doc:
    state = {"active": host.enabled, "available": host.up(now), "updated_at": times.micro(host.heartbeat_at)}
    return {"nova-compute": state}
