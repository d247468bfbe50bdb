"""What Kilonova asks of the network service."""

from collections.abc import Sequence
from typing import Protocol

from kilonova.objects.caller import Caller
from kilonova.objects.port import Network, Port, PortRequest, SecurityGroup, Subnet


class Networks(Protocol):
    """Networks and ports. The built-in service and Neutron's client implement it.

    Calls with a `caller` see what the caller may see; those without act in the service's own name, for work that goes
    on when the caller's token has long expired. All raise `Unavailable`.
    """

    async def networks_available(self, caller: Caller) -> Sequence[Network]:
        """Networks the caller's project may boot on: its own and shared ones, ordered by name and id."""

    async def network_get(self, caller: Caller, network_id: str) -> Network:
        """One network. Raises `NotFound`."""

    async def port_get(self, caller: Caller, port_id: str) -> Port:
        """One port. Raises `NotFound`."""

    async def security_groups(self, caller: Caller) -> Sequence[SecurityGroup]:
        """The security groups of the caller's project; its `default` group is made when it is not there yet."""

    async def network(self, network_id: str) -> Network:
        """One network, in the service's own name. Raises `NotFound`."""

    async def subnets(self, network_id: str) -> Sequence[Subnet]:
        """The subnets of a network, the oldest first."""

    async def ports_of(self, server_id: str) -> Sequence[Port]:
        """Every port whose `device_id` is the server: how a lost answer is found again. Ordered by id."""

    async def ports_page(self, marker: str = "", limit: int = 500) -> Sequence[Port]:
        """A page of the ports of every project, in order of id, after the port `marker`: for auditors.

        Raises `NotFound` when the marker is gone and the service can't go on without it.
        """

    async def port_create(self, request: PortRequest) -> Port:
        """Make a port for a server, bound to its host.

        Raises `Conflict` when the address is taken, none is left, or the network doesn't reach the host, `Invalid` for an
        address that is not the network's, `NotFound` for a network or group that is gone, `OverLimit` for the project's
        quota. A lost answer may leave a port behind: look for the description among `ports_of` before trying again.
        """

    async def port_bind(self, port_id: str, *, server_id: str, host: str, zone: str) -> Port:
        """Give a port to a server on a host (`device_id`, `device_owner` `compute:ZONE`, `binding:host_id`).

        What answers is bound, with its `vif_type`; it becomes `ACTIVE` when the network's own parts have wired it. With an
        empty `host` it is the server's and bound nowhere.

        Raises `NotFound`, and `Conflict` when another server has it or the network doesn't reach the host.
        """

    async def port_unbind(self, port_id: str) -> None:
        """Take a port from its server; the port stays. A port that is gone is fine."""

    async def port_delete(self, port_id: str) -> None:
        """Delete a port. A port that is gone is fine."""

    async def close(self) -> None:
        """Let go of connections."""
