"""Hosts as the scheduler sees them, joined from what the cells and the aggregates say."""

from collections.abc import Mapping, Sequence

import msgspec

from kilonova.kernel.ids import CellId, HostName
from kilonova.objects.aggregate import DEFAULT_ZONE, Aggregate
from kilonova.objects.host import Host


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """One host at the moment of a decision."""

    name: HostName
    cell_id: CellId
    uuid: str
    """Of its root resource provider."""
    up: bool
    enabled: bool
    zone: str
    aggregates: tuple[int, ...] = ()
    """Ids of the aggregates it is in, ascending."""
    servers: int = 0
    """How many live on it."""


def host_states(
    hosts: Sequence[Host], aggregates: Sequence[Aggregate], now: float, server_counts: Mapping[HostName, int]
) -> list[HostState]:
    """The state of every host in `hosts`, in their order; `now` in seconds since the epoch."""
    zone_of: dict[HostName, str] = {}
    aggregates_of: dict[HostName, list[int]] = {}
    for aggregate in sorted(aggregates, key=lambda one: one.id):
        for name in aggregate.hosts:
            aggregates_of.setdefault(name, []).append(aggregate.id)
            if aggregate.zone is not None:
                zone_of[name] = aggregate.zone
    return [
        HostState(
            name=host.name,
            cell_id=host.cell_id,
            uuid=host.uuid,
            up=host.up(now),
            enabled=host.enabled,
            zone=zone_of.get(host.name, DEFAULT_ZONE),
            aggregates=tuple(aggregates_of.get(host.name, ())),
            servers=server_counts.get(host.name, 0),
        )
        for host in hosts
    ]
