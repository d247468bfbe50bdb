"""The network service's double: one network with one subnet, ports that outlive every process, answers that get lost."""

import ipaddress
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from kilonova.kernel.errors import Conflict, NotFound, Unavailable
from kilonova.kernel.ids import ProjectId
from kilonova.objects.caller import Caller
from kilonova.objects.port import FixedIp, Network, Port, PortRequest, SecurityGroup, Subnet
from kilonova.simulation.faults import Faults
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.network import hop
from kilonova.simulation.process import Process

T = TypeVar("T")

NETWORK = Network(
    id="11111111-0000-4000-8000-000000000001",
    name="simulated",
    project_id=ProjectId("services"),
    shared=True,
    admin_state_up=True,
    external=False,
    mtu=1500,
    subnet_ids=("22222222-0000-4000-8000-000000000001",),
)
SUBNET = Subnet(
    id=NETWORK.subnet_ids[0],
    network_id=NETWORK.id,
    version=4,
    cidr="10.0.0.0/16",
    gateway="10.0.0.1",
    dns=("10.0.0.2",),
    dhcp=True,
)


class NetworkService:
    """The service itself, with its ports."""

    def __init__(self, loop: SimLoop) -> None:
        """Start with no port."""
        self.ports: dict[str, Port] = {}
        self.created = 0
        self.makers: dict[str, Process] = {}
        """Who made each port, also of those that are gone."""
        self.made_at: dict[str, tuple[str, float]] = {}
        """For which server, and when in virtual time."""
        self._loop = loop
        self._ids = loop.stream("ids/network service")

    def make(self, request: PortRequest) -> Port:
        """A new port. Raises `Conflict` for an address that is taken."""
        taken = {ip.address for port in self.ports.values() for ip in port.fixed_ips}
        if request.fixed_ip in taken:
            raise Conflict(reason=f"The address {request.fixed_ip} is taken.")
        self.created += 1
        address = request.fixed_ip or str(ipaddress.IPv4Address("10.0.0.10") + self.created)
        port = Port(
            id=f"33333333-0000-4000-8000-{self._ids.getrandbits(48):012x}",
            network_id=NETWORK.id,
            project_id=request.project_id,
            name="",
            description=request.description,
            mac=f"fa:16:3e:{self.created >> 16 & 255:02x}:{self.created >> 8 & 255:02x}:{self.created & 255:02x}",
            status="ACTIVE",
            admin_state_up=True,
            device_id=request.server_id,
            device_owner=f"compute:{request.zone}",
            fixed_ips=(FixedIp(subnet_id=SUBNET.id, address=address),),
            security_group_ids=request.security_group_ids,
            host=request.host,
        )
        self.ports[port.id] = port
        self.made_at[port.id] = request.server_id, self._loop.time()
        return port

    def get(self, port_id: str) -> Port:
        """One port. Raises `NotFound`."""
        if port_id not in self.ports:
            raise NotFound(kind="Port", id=port_id)
        return self.ports[port_id]

    def bind(self, port_id: str, server_id: str, host: str, zone: str) -> Port:
        """See `Networks.port_bind`."""
        port = self.get(port_id)
        if port.device_id not in {"", server_id}:
            raise Conflict(reason=f"Port {port_id} is in use by another server.")
        return self.change(port_id, device_id=server_id, device_owner=f"compute:{zone}", host=host, status="ACTIVE")

    def change(self, port_id: str, **values: str) -> Port:
        """Replace fields of a port."""
        self.ports[port_id] = msgspec.structs.replace(self.get(port_id), **values)
        return self.ports[port_id]

    def unbind(self, port_id: str) -> None:
        """See `Networks.port_unbind`."""
        if port_id in self.ports:
            self.change(port_id, device_id="", device_owner="", host="", status="DOWN")

    def remove(self, port_id: str) -> None:
        """See `Networks.port_delete`."""
        self.ports.pop(port_id, None)

    def of(self, server_id: str) -> list[Port]:
        """The ports of a server, ordered by id."""
        return sorted((port for port in self.ports.values() if port.device_id == server_id), key=lambda port: port.id)


class SimNetworks:
    """Implements `Networks` for one process."""

    def __init__(self, loop: SimLoop, service: NetworkService, process: Process, faults: Faults) -> None:
        """Connect `process` to `service`."""
        self._loop = loop
        self._service = service
        self._process = process
        self._faults = faults
        self._stream = loop.stream(f"networks/{process.name}/{process.incarnation}")

    async def networks_available(self, caller: Caller) -> Sequence[Network]:
        """See `Networks.networks_available`."""
        return await self._ask(lambda: [NETWORK])

    async def network_get(self, caller: Caller, network_id: str) -> Network:
        """See `Networks.network_get`."""
        return await self.network(network_id)

    async def port_get(self, caller: Caller, port_id: str) -> Port:
        """See `Networks.port_get`."""
        return await self._ask(lambda: self._service.get(port_id))

    async def security_groups(self, caller: Caller) -> Sequence[SecurityGroup]:
        """See `Networks.security_groups`."""
        project_id = caller.project_id or ProjectId("")
        return await self._ask(
            lambda: [SecurityGroup(id=f"default-{project_id}", name="default", project_id=project_id)]
        )

    async def network(self, network_id: str) -> Network:
        """See `Networks.network`."""

        def found() -> Network:
            if network_id != NETWORK.id:
                raise NotFound(kind="Network", id=network_id)
            return NETWORK

        return await self._ask(found)

    async def subnets(self, network_id: str) -> Sequence[Subnet]:
        """See `Networks.subnets`."""
        return await self._ask(lambda: [SUBNET] if network_id == NETWORK.id else [])

    async def ports_of(self, server_id: str) -> Sequence[Port]:
        """See `Networks.ports_of`."""
        return await self._ask(lambda: self._service.of(server_id))

    async def ports_page(self, marker: str = "", limit: int = 500) -> Sequence[Port]:
        """See `Networks.ports_page`."""
        return await self._ask(
            lambda: [self._service.ports[key] for key in sorted(self._service.ports) if key > marker][:limit]
        )

    async def port_create(self, request: PortRequest) -> Port:
        """See `Networks.port_create`."""

        def made() -> Port:
            if request.network_id != NETWORK.id:
                raise NotFound(kind="Network", id=request.network_id)
            if self._faults.strikes("service_refuses"):
                raise Conflict(reason="No address is left in the simulated network.")
            port = self._service.make(request)
            self._service.makers[port.id] = self._process
            return port

        return await self._ask(made)

    async def port_bind(self, port_id: str, *, server_id: str, host: str, zone: str) -> Port:
        """See `Networks.port_bind`."""
        return await self._ask(lambda: self._service.bind(port_id, server_id, host, zone))

    async def port_unbind(self, port_id: str) -> None:
        """See `Networks.port_unbind`."""
        await self._ask(lambda: self._service.unbind(port_id))

    async def port_delete(self, port_id: str) -> None:
        """See `Networks.port_delete`."""
        await self._ask(lambda: self._service.remove(port_id))

    async def close(self) -> None:
        """See `Networks.close`."""

    async def _ask(self, work: Callable[[], T]) -> T:
        """Carry a call there and its answer back, or lose either."""
        faults, stream = self._faults, self._stream
        await hop(stream, slow=faults.strikes("call_slow"))
        if faults.strikes("call_refused"):
            raise Unavailable(service="the network service", reason="connection refused")
        answer = work()
        await hop(stream, slow=faults.strikes("call_slow"))
        if faults.strikes("call_answer_lost"):
            raise Unavailable(service="the network service", reason="connection lost")
        return answer
