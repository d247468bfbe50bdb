"""The removal of a host: its provider in placement first, which refuses while anything is held of it, then its records.

Whoever dies in between leaves a host without a provider, which gets no servers; asking again finishes it. An agent that still
runs there makes it a new host, with new ids, once it is heard of again.
"""

from kilonova.cells.hosts import Hosts
from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import HostName
from kilonova.placement.errors import ProviderInUse
from kilonova.placement.placement import Placement


class HostHeld(Conflict):
    """Something of host {host} is still allocated in placement; a server may be on its way there."""

    code = "host-held"


async def host_remove(hosts: Hosts, placement: Placement, name: HostName) -> None:
    """Forget a host everywhere. Raises `HostBusy` while it has servers or takes part in moves, `HostHeld`, `NotFound`."""
    host = await hosts.get(name)
    await hosts.check_idle(host)
    try:
        await placement.tree_remove(host.uuid)
    except ProviderInUse as error:
        raise HostHeld(host=name) from error
    await hosts.delete(name)
