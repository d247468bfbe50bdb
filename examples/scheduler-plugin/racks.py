"""Racks: servers may ask for one, and those who don't are sent to quiet ones."""

from collections.abc import Sequence

from kilonova.scheduler.filters.filter import Filter, Rule
from kilonova.scheduler.hosts import HostState, Look
from kilonova.scheduler.request import ServerRequest
from kilonova.scheduler.weighers import Free, Weigher


def in_rack(request: ServerRequest) -> Rule | None:
    """Only hosts of an aggregate whose metadata `rack` is what the hint `rack` says."""
    wanted = request.hints.get("rack")
    return None if not wanted else lambda host: wanted[0] in host.aggregate_values("rack")


def quiet(_request: ServerRequest, hosts: Sequence[HostState], _free: Free) -> Sequence[float]:
    """The fewer servers are in a host's rack, the better; a host in no rack counts alone."""
    in_racks: dict[str, int] = {}
    for host in hosts:
        for rack in host.aggregate_values("rack") or [host.name]:
            in_racks[rack] = in_racks.get(rack, 0) + host.load.servers
    return [-sum(in_racks[rack] for rack in host.aggregate_values("rack") or [host.name]) for host in hosts]


RACK_FILTER = Filter("RackFilter", in_rack)
QUIET_RACK_WEIGHER = Weigher("QuietRackWeigher", 1.0, quiet, looks_at=Look.SERVERS)
