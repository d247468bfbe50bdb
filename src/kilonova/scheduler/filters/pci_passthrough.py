"""PciPassthroughFilter: hosts that have the devices which are asked for by alias, whoever has them now.

Whether they are free, placement judges. So this filter lets nobody in or out; it tells hosts without such devices from those
whose devices are taken.
"""

from collections import Counter

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.pci import DEVICE
from kilonova.scheduler.request import ServerRequest


def pci_passthrough(request: ServerRequest) -> Rule | None:
    """Only hosts with as many devices of each class, and with its traits, as are asked for."""
    groups = request.alternatives[0] if request.alternatives else {}
    needed = Counter(
        (name, frozenset[str]().union(*group.required))
        for suffix, group in groups.items()
        if suffix.startswith(DEVICE)
        for name in group.resources
    )
    if not needed:
        return None

    def has(host: HostState) -> bool:
        return all(
            sum(one.resource_class == name and traits.issubset(one.traits) for one in host.pci) >= count
            for (name, traits), count in needed.items()
        )

    return has
