"""Addresses of servers, until 2.43 (API reference, "Servers - run an action"): add and remove fixed and floating ones.

The network service gives and takes them; the server shows what its ports have afterwards. Nothing is done inside the guest.
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field, structs

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.floating_ips import PATH, with_address
from kilonova.api.passed_on import Document, Remote
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find_to_change
from kilonova.api.server_fields import AnyIp
from kilonova.api.shapes import NO_BODY, Takes
from kilonova.kernel.errors import Conflict, Invalid
from kilonova.objects.port import Port
from kilonova.objects.server import Nic, NicAddress, Server
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

UNTIL = "2.43"
FLOATING = "floating"


class NetworkNotOfServer(Invalid):
    """Network {network_id} is none of instance {server_id}."""

    code = "network-not-of-server"


class AddressNotOfServer(Invalid):
    """Instance {server_id} doesn't have fixed IP {address}."""

    code = "address-not-of-server"


class NoFixedIp(Invalid):
    """Instance {server_id} has no fixed IP that a floating IP could lead to."""

    code = "no-fixed-ip"


class NotAssociated(Conflict):
    """Floating IP {address} is not associated with instance {server_id}."""

    code = "floating-ip-not-associated"


class AddFixedIp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `addFixedIp`."""

    network_id: Annotated[str, Meta(min_length=1, max_length=255)] | int = field(name="networkId")


class RemoveAddress(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `removeFixedIp` and `removeFloatingIp`."""

    address: AnyIp


class AddFloatingIp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `addFloatingIp`."""

    address: AnyIp
    fixed_address: AnyIp | UnsetType = UNSET


class ServerAddresses:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def fixed_add(self, call: Call) -> Reply:
        """Give a server's port in a network one more address of its first subnet."""
        wish = body.read(call, "addFixedIp", AddFixedIp)
        server = await find_to_change(call, self._compute, "os_compute_api:os-multinic:add")
        ports = [port for port in await self._ports(server) if port.network_id == str(wish.network_id)]
        if not ports:
            raise NetworkNotOfServer(network_id=str(wish.network_id)[:100], server_id=server.id)
        subnets = await self._compute.networks.subnets(ports[0].network_id)
        more: list[Document] = [{"subnet_id": subnet.id} for subnet in subnets[:1]]
        await self._set_fixed(call, server, ports[0], [*_fixed_ips(ports[0]), *more])
        return Reply()

    async def fixed_remove(self, call: Call) -> Reply:
        """Take an address from a server's port."""
        wish = body.read(call, "removeFixedIp", RemoveAddress)
        server = await find_to_change(call, self._compute, "os_compute_api:os-multinic:remove")
        port = _port_with(await self._ports(server), str(wish.address))
        if port is None:
            raise AddressNotOfServer(address=wish.address, server_id=server.id)
        kept = [ip for ip in _fixed_ips(port) if ip["ip_address"] != str(wish.address)]
        await self._set_fixed(call, server, port, kept)
        return Reply()

    async def floating_add(self, call: Call) -> Reply:
        """Let a floating IP lead to a fixed one of a server: the one named, or its first."""
        wish = body.read(call, "addFloatingIp", AddFloatingIp)
        server = await find_to_change(call, self._compute, "os_compute_api:os-floating-ips:add")
        floating = await with_address(self._network, call, str(wish.address))
        port, fixed = await self._target(server, None if wish.fixed_address is UNSET else str(wish.fixed_address))
        await self._lead(call, floating, {"port_id": port.id, "fixed_ip_address": fixed})
        address = NicAddress(address=str(wish.address), version=6 if ":" in wish.address else 4, kind=FLOATING)
        await self._compute.servers.update(server.id, lambda now: _with_floating(now, port.id, address))
        return Reply()

    async def floating_remove(self, call: Call) -> Reply:
        """Let a floating IP lead nowhere any more."""
        wish = body.read(call, "removeFloatingIp", RemoveAddress)
        server = await find_to_change(call, self._compute, "os_compute_api:os-floating-ips:remove")
        floating = await with_address(self._network, call, str(wish.address))
        if floating["port_id"] not in {port.id for port in await self._ports(server)}:
            raise NotAssociated(address=wish.address, server_id=server.id)
        await self._lead(call, floating, {"port_id": None})
        await self._compute.servers.update(server.id, lambda now: _without_floating(now, str(wish.address)))
        return Reply()

    @property
    def _network(self) -> Remote:
        return Remote(self._compute.network_api, "/v2.0")

    async def _target(self, server: Server, wanted: str | None) -> tuple[Port, str]:
        """The port and the fixed address that a floating IP is to lead to. Raises `AddressNotOfServer`, `NoFixedIp`."""
        ports = await self._ports(server)
        if wanted is not None:
            port = _port_with(ports, wanted)
            if port is None:
                raise AddressNotOfServer(address=wanted, server_id=server.id)
            return port, wanted
        for port in ports:
            for ip in port.fixed_ips:
                if ":" not in ip.address:
                    return port, ip.address
        raise NoFixedIp(server_id=server.id)

    async def _ports(self, server: Server) -> Sequence[Port]:
        return await self._compute.networks.ports_of(server.id)

    async def _lead(self, call: Call, floating: Document, where: Document) -> None:
        document = {"floatingip": where}
        await self._network.one(call, PATH, floating["id"], kind="Floating IP", method="PUT", json=document)

    async def _set_fixed(self, call: Call, server: Server, port: Port, fixed_ips: list[Document]) -> None:
        document = {"port": {"fixed_ips": fixed_ips}}
        await self._network.one(call, "/ports", port.id, kind="Port", method="PUT", json=document)
        await self._compute.servers.addresses_refresh(server)


def routes(compute: Compute) -> list[ComputeRoute]:
    """A route for each action."""
    addresses = ServerAddresses(compute)
    actions = {
        "addFixedIp": (addresses.fixed_add, AddFixedIp),
        "removeFixedIp": (addresses.fixed_remove, RemoveAddress),
        "addFloatingIp": (addresses.floating_add, AddFloatingIp),
        "removeFloatingIp": (addresses.floating_remove, RemoveAddress),
    }
    path = "/servers/{id}/action"
    return [
        ComputeRoute(
            method="POST",
            path=path,
            action=name,
            handler=handler,
            until=UNTIL,
            body=Body.JSON,
            success=202,
            takes=Takes(kind=kind, under=name),
            gives=NO_BODY,
        )
        for name, (handler, kind) in actions.items()
    ]


def _fixed_ips(port: Port) -> list[Document]:
    return [{"subnet_id": ip.subnet_id, "ip_address": ip.address} for ip in port.fixed_ips]


def _port_with(ports: Sequence[Port], address: str) -> Port | None:
    return next((port for port in ports if any(ip.address == address for ip in port.fixed_ips)), None)


def _with_floating(server: Server, port_id: str, address: NicAddress) -> Server:
    """The server with a floating address shown at one of its cards, and at no other."""
    bare = _without_floating(server, address.address)
    nics = tuple(
        structs.replace(nic, addresses=(*nic.addresses, address)) if nic.port_id == port_id else nic
        for nic in bare.nics
    )
    return structs.replace(bare, nics=nics)


def _without_floating(server: Server, address: str) -> Server:
    return structs.replace(server, nics=tuple(_card_without(nic, address) for nic in server.nics))


def _card_without(nic: Nic, address: str) -> Nic:
    kept = tuple(one for one in nic.addresses if one.kind != FLOATING or one.address != address)
    return structs.replace(nic, addresses=kept)
