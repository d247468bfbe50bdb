"""Discovery: hosts that agents have registered in their cells become known to the cloud, and to placement."""

import logging

import os_resource_classes as rc

from kilonova.kernel.errors import KilonovaError
from kilonova.objects.guest import HostDescription
from kilonova.objects.host import Host
from kilonova.operations.work import Parts
from kilonova.placement.shapes import Inventory, ProviderSpec

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
            await self._parts.placement.providers_ensure([provider_of(host) for host in changed])
            self._told.update((host.uuid, host.description) for host in changed)
        new = await self._parts.hosts.map_new(hosts)
        if new:
            log.info("%d new hosts", len(new))


def provider_of(host: Host) -> ProviderSpec:
    """A host as a resource provider: its UUID and name, and what it has of each class."""
    has = host.description
    inventories = {
        rc.VCPU: Inventory(total=has.vcpus, max_unit=has.vcpus, allocation_ratio=has.cpu_allocation_ratio),
        rc.MEMORY_MB: Inventory(
            total=has.memory_mb,
            max_unit=has.memory_mb,
            reserved=has.reserved_memory_mb,
            allocation_ratio=has.memory_allocation_ratio,
        ),
    }
    if has.disk_gb > 0:
        inventories[rc.DISK_GB] = Inventory(
            total=has.disk_gb,
            max_unit=has.disk_gb,
            reserved=has.reserved_disk_gb,
            allocation_ratio=has.disk_allocation_ratio,
        )
    return ProviderSpec(uuid=host.uuid, name=host.name, inventories=inventories, traits=frozenset(has.traits))
