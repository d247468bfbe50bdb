"""Discovery: hosts that agents have registered in their cells become known to the cloud, and to placement."""

import logging
from collections.abc import Mapping, Sequence

import msgspec
import os_resource_classes as rc

from kilonova.kernel.errors import KilonovaError
from kilonova.objects.guest import HostDescription
from kilonova.objects.host import Host
from kilonova.objects.numa import HostNode, pages_class
from kilonova.objects.pci import HostDevice
from kilonova.operations.work import Parts
from kilonova.placement.errors import InventoryInUse, ProviderInUse
from kilonova.placement.shapes import Inventory, ProviderSpec, child_uuid
from kilonova.scheduler.numa import node_name
from kilonova.scheduler.pci import device_name

log = logging.getLogger(__name__)

POLL_S = 10.0
TOPIC = "hosts"
"""Hinted when an agent has registered hosts."""


class Discovery:
    """Looks for new and changed hosts in every cell."""

    def __init__(self, parts: Parts) -> None:
        """Work with the parts of this process."""
        self._parts = parts
        self._told: dict[str, HostDescription] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        listener = self._parts.bus.listen(TOPIC)
        try:
            while True:
                try:
                    await self.look()
                except KilonovaError as error:
                    log.warning("hosts can't be discovered now: %s", error.message)
                await listener.wait(POLL_S)
        finally:
            listener.close()

    async def look(self) -> None:
        """Tell placement of hosts that are new or have changed, then map the new ones, so that servers may be sent there."""
        hosts = await self._parts.hosts.all()
        changed = [host for host in hosts if self._told.get(host.uuid) != host.description]
        if changed:
            await self._tell(changed)
            self._told.update((host.uuid, host.description) for host in changed)
        new = await self._parts.hosts.map_new(hosts)
        if new:
            log.info("%d new hosts", len(new))

    async def _tell(self, changed: Sequence[Host]) -> None:
        """Tell placement what hosts have.

        A host that tells of other NUMA nodes while servers still hold what it told before goes on as it was, until its agent
        is started without any of them there.
        """
        placement = self._parts.placement
        try:
            await placement.providers_ensure([one for host in changed for one in providers_of(host)])
        except (InventoryInUse, ProviderInUse):
            for host in changed:
                try:
                    await placement.providers_ensure(providers_of(host))
                except (InventoryInUse, ProviderInUse) as error:
                    log.warning("placement keeps what it knows of host %s: %s", host.name, error.message)


def providers_of(host: Host) -> list[ProviderSpec]:
    """A host as resource providers: itself, and below it one for each of its NUMA nodes and PCI devices."""
    has = host.description
    nodes = {node.number: _provider_of_node(host, node) for node in has.numa}
    return [provider_of(host), *nodes.values(), *(_provider_of_device(host, one, nodes) for one in has.pci)]


def _provider_of_device(host: Host, device: HostDevice, nodes: Mapping[int, ProviderSpec]) -> ProviderSpec:
    """One PCI device, below the NUMA node that it hangs on, where that is told."""
    name = device_name(host.name, device.address)
    above = None if device.node is None else nodes.get(device.node)
    return ProviderSpec(
        uuid=child_uuid(host.uuid, name),
        name=name,
        inventories={device.resource_class: _whole(Inventory(total=1))},
        traits=frozenset(device.traits),
        parent=host.uuid if above is None else above.uuid,
    )


def _provider_of_node(host: Host, node: HostNode) -> ProviderSpec:
    """One NUMA node: CPUs that are shared, CPUs that are not, and memory in pages of each size."""
    has = host.description
    found = {
        rc.VCPU: Inventory(total=len(node.shared), allocation_ratio=has.cpu_allocation_ratio),
        rc.PCPU: Inventory(total=len(node.dedicated)),
        rc.MEMORY_MB: Inventory(total=node.memory_mb, allocation_ratio=has.memory_allocation_ratio),
        **{pages_class(size): Inventory(total=count) for size, count in node.huge_pages.items()},
    }
    name = node_name(host.name, node.number)
    return ProviderSpec(
        uuid=child_uuid(host.uuid, name),
        name=name,
        inventories={kind: _whole(inventory) for kind, inventory in found.items() if inventory.total > 0},
        parent=host.uuid,
    )


def _whole(inventory: Inventory) -> Inventory:
    """Nobody gets more at once than there is without overcommit."""
    return msgspec.structs.replace(inventory, max_unit=inventory.total)


def provider_of(host: Host) -> ProviderSpec:
    """A host as a resource provider: its UUID and name, and what it has of each class beside its NUMA nodes."""
    has = host.description
    inventories: dict[str, Inventory] = {}
    if not has.numa:
        inventories[rc.VCPU] = Inventory(total=has.vcpus, max_unit=has.vcpus, allocation_ratio=has.cpu_allocation_ratio)
        inventories[rc.MEMORY_MB] = Inventory(
            total=has.memory_mb,
            max_unit=has.memory_mb,
            reserved=has.reserved_memory_mb,
            allocation_ratio=has.memory_allocation_ratio,
        )
    if has.disk_gb > 0:
        inventories[rc.DISK_GB] = Inventory(
            total=has.disk_gb,
            max_unit=has.disk_gb,
            reserved=has.reserved_disk_gb,
            allocation_ratio=has.disk_allocation_ratio,
        )
    return ProviderSpec(uuid=host.uuid, name=host.name, inventories=inventories, traits=frozenset(has.traits))
