"""Hosts as the scheduler sees them, joined from what the cells and the aggregates say."""

from collections.abc import Mapping, Sequence
from enum import Flag, auto
from types import MappingProxyType

import msgspec

from kilonova.kernel.ids import CellId, HostName
from kilonova.objects.aggregate import DEFAULT_ZONE, Aggregate
from kilonova.objects.host import Host
from kilonova.objects.numa import HostNode
from kilonova.objects.pci import HostDevice


class Look(Flag):
    """What of a host's load a filter or weigher looks at: each costs a query of each cell for each decision."""

    NOTHING = 0
    SERVERS = auto()
    FAILURES = auto()
    IMAGES = auto()


class HostLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What goes on on a host. It changes all the time, so it is looked up only for filters and weighers that look at it."""

    servers: int = 0
    """How many live on it."""
    io_ops: int = 0
    """How many of them are in a state in which they work its disks hard."""
    failed_builds: int = 0
    """How many boots have failed on it lately."""
    images: tuple[Mapping[str, str], ...] = ()
    """The image properties of each server on it."""


IDLE = HostLoad()


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """One host at the moment of a decision."""

    name: HostName
    cell_id: CellId
    uuid: str
    """Of its root resource provider."""
    up: bool
    enabled: bool
    zone: str
    aggregates: tuple[Aggregate, ...] = ()
    """Those it is in, by ascending id; hosts in the same ones share one tuple."""
    hypervisor_type: str = ""
    """See `HostDescription` for this and what follows."""
    hypervisor_version: int = 0
    host_ip: str = ""
    cpu_info: Mapping[str, object] = MappingProxyType({})
    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0
    numa: tuple[HostNode, ...] = ()
    pci: tuple[HostDevice, ...] = ()
    load: HostLoad = IDLE

    def aggregate_values(self, key: str) -> list[str]:
        """What the aggregates say under `key` in their metadata, each value once for each aggregate that has it."""
        return [aggregate.metadata[key] for aggregate in self.aggregates if key in aggregate.metadata]


def host_states(hosts: Sequence[Host], aggregates: Sequence[Aggregate], now: float) -> list[HostState]:
    """The state of every host in `hosts`, in their order and without load; `now` in seconds since the epoch."""
    zone_of: dict[HostName, str] = {}
    aggregates_of: dict[HostName, list[Aggregate]] = {}
    for aggregate in sorted(aggregates, key=lambda one: one.id):
        for name in aggregate.hosts:
            aggregates_of.setdefault(name, []).append(aggregate)
            if aggregate.zone is not None:
                zone_of[name] = aggregate.zone
    shared: dict[tuple[int, ...], tuple[Aggregate, ...]] = {}

    def aggregates_with(name: HostName) -> tuple[Aggregate, ...]:
        found = aggregates_of.get(name, ())
        return shared.setdefault(tuple(one.id for one in found), tuple(found))

    return [
        HostState(
            name=host.name,
            cell_id=host.cell_id,
            uuid=host.uuid,
            up=host.up(now),
            enabled=host.enabled,
            zone=zone_of.get(host.name, DEFAULT_ZONE),
            aggregates=aggregates_with(host.name),
            hypervisor_type=host.description.hypervisor_type,
            hypervisor_version=host.description.hypervisor_version,
            host_ip=host.description.host_ip,
            cpu_info=host.description.cpu_info,
            vcpus=host.description.vcpus,
            memory_mb=host.description.memory_mb,
            disk_gb=host.description.disk_gb,
            numa=host.description.numa,
            pci=host.description.pci,
        )
        for host in hosts
    ]


def loaded(states: Sequence[HostState], loads: Mapping[HostName, HostLoad]) -> list[HostState]:
    """The same hosts with what goes on on them."""
    return [
        msgspec.structs.replace(state, load=loads[state.name]) if state.name in loads else state for state in states
    ]
