"""Weighers: which of the hosts that may have a server should. Nova's names, meanings and default multipliers.

A weigher gives every host a raw weight. The raw weights are normalised to 0 for the lowest and 1 for the highest, multiplied,
and added up; the host with the highest sum is best (Nova administrator guide, "Compute schedulers", "Weights").
"""

from collections.abc import Callable, Mapping, Sequence
from operator import sub
from typing import NamedTuple

from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest

Free = Mapping[str, Sequence[int]]
"""What is left on each host, by resource class; in the order of the hosts."""


class Weigher(NamedTuple):
    """A named weigher."""

    name: str
    multiplier: float
    raw: Callable[[ServerRequest, Sequence[HostState], Free], Sequence[float] | None]
    """The raw weight of each host; None when all weigh the same."""


def _free(resource_class: str) -> Callable[[ServerRequest, Sequence[HostState], Free], Sequence[float] | None]:
    """The more is left of the class the better, which spreads the load; for classes that were asked for."""
    return lambda _request, _hosts, free: free.get(resource_class)


def _num_instances(_request: ServerRequest, hosts: Sequence[HostState], _free: Free) -> Sequence[float]:
    return [host.servers for host in hosts]


def _soft_affinity(request: ServerRequest, hosts: Sequence[HostState], _free: Free) -> Sequence[float] | None:
    if request.group is None or request.group.policy != "soft-affinity":
        return None
    members = request.group.members
    return [members.get(host.name, 0) for host in hosts]


def _soft_anti_affinity(request: ServerRequest, hosts: Sequence[HostState], _free: Free) -> Sequence[float] | None:
    if request.group is None or request.group.policy != "soft-anti-affinity":
        return None
    members = request.group.members
    return [-members.get(host.name, 0) for host in hosts]


WEIGHERS: tuple[Weigher, ...] = (
    Weigher("CPUWeigher", 1.0, _free("VCPU")),
    Weigher("RAMWeigher", 1.0, _free("MEMORY_MB")),
    Weigher("DiskWeigher", 1.0, _free("DISK_GB")),
    Weigher("NumInstancesWeigher", 0.0, _num_instances),
    Weigher("ServerGroupSoftAffinityWeigher", 1.0, _soft_affinity),
    Weigher("ServerGroupSoftAntiAffinityWeigher", 1.0, _soft_anti_affinity),
)


def weights(
    request: ServerRequest, hosts: Sequence[HostState], free: Free, weighers: Sequence[Weigher] = WEIGHERS
) -> list[float]:
    """The weight of each host; the highest is best."""
    sums = [0.0] * len(hosts)
    for weigher in weighers:
        raw = weigher.raw(request, hosts, free) if weigher.multiplier and hosts else None
        if raw is None:
            continue
        low, high = min(raw), max(raw)
        if high > low:
            scale = weigher.multiplier / (high - low)
            sums = [so_far + (one - low) * scale for so_far, one in zip(sums, raw, strict=True)]
    return sums


def free_of(capacity: Mapping[str, Sequence[int]], used: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    """What is left, by class."""
    return {name: list(map(sub, amounts, used[name])) for name, amounts in capacity.items()}
