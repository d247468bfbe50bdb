"""A server's ports: made or taken on boot, given back on delete. Every function may run again after half of it was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from kilonova.clients.network import Networks
from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import ServerId, is_uuid
from kilonova.objects.guest import GuestAddress, GuestNic
from kilonova.objects.port import Port, PortRequest
from kilonova.objects.server import Nic, NicAddress, NicRequest, Server


@dataclass(frozen=True)
class Attached:
    """One card, as users and as the hypervisor see it."""

    nic: Nic
    guest: GuestNic


async def ports_attach(
    networks: Networks, server: Server, host: str, zone: str, security_groups: Sequence[str], *, attempt: int
) -> list[Attached]:
    """Bind the ports that were asked for, making those that don't exist yet; in the order of the request.

    A port made here carries a description that names the server, the attempt (the epoch of its operation) and the
    position. Ports of earlier attempts are replaced, because whoever made them may be at work still: it drops its own
    when it learns that it comes too late, and would drop ours if it had made them. Raises what `Networks.port_create` and
    `port_bind` raise, and `Conflict` when there are ports of a later attempt.
    """
    await _earlier_dropped(networks, server, attempt)
    attached = []
    for position, request in enumerate(server.networks_requested or ()):
        if request.port_id is not None:
            port = await networks.port_bind(request.port_id, server_id=server.id, host=host, zone=zone)
        else:
            assert request.network_id is not None, "a card is asked for by network or by port"
            port = await networks.port_create(
                PortRequest(
                    project_id=server.project_id,
                    network_id=request.network_id,
                    server_id=server.id,
                    host=host,
                    zone=zone,
                    fixed_ip=request.fixed_ip,
                    security_group_ids=tuple(security_groups),
                    description=f"{_mark(server)}{attempt}:{position}",
                )
            )
        attached.append(await _attached(networks, port, request))
    return attached


async def ports_drop(networks: Networks, server: Server, attempt: int) -> None:
    """Delete the ports that this attempt made: it comes too late, and another one's are the server's."""
    for port in await networks.ports_of(server.id):
        if _attempt_of(server, port) == attempt:
            await networks.port_delete(port.id)


async def ports_release(networks: Networks, server: Server) -> None:
    """Delete the ports that were made for the server, and unbind those that were given to it."""
    for port in await networks.ports_of(server.id):
        if port.description.startswith(_mark(server)):
            await networks.port_delete(port.id)
        else:
            await networks.port_unbind(port.id)


async def port_attach(
    networks: Networks,
    server: Server,
    request: NicRequest,
    security_groups: Sequence[str],
    *,
    operation_id: str,
    attempt: int,
) -> Attached:
    """Give a server that is on its host one more port: the one that `request` names, or one made here.

    A port made here names the operation and the attempt; those of earlier attempts are replaced, as in `ports_attach`. Raises
    what `Networks.port_create` and `port_bind` raise.
    """
    host, zone = str(server.host), server.availability_zone or ""
    if request.port_id is not None:
        port = await networks.port_bind(request.port_id, server_id=server.id, host=host, zone=zone)
        return await _attached(networks, port, request)
    assert request.network_id is not None, "a card is asked for by network or by port"
    await port_drop(networks, server, operation_id)
    port = await networks.port_create(
        PortRequest(
            project_id=server.project_id,
            network_id=request.network_id,
            server_id=server.id,
            host=host,
            zone=zone,
            fixed_ip=request.fixed_ip,
            security_group_ids=tuple(security_groups),
            description=f"{_added_by(server, operation_id)}{attempt}",
        )
    )
    return await _attached(networks, port, request)


async def port_drop(networks: Networks, server: Server, operation_id: str, attempt: int | None = None) -> None:
    """Delete what `port_attach` made for an operation, or for one attempt of it."""
    made = _added_by(server, operation_id)
    for port in await networks.ports_of(server.id):
        by = port.description.removeprefix(made) if port.description.startswith(made) else None
        if by is not None and attempt in {None, int(by)}:
            await networks.port_delete(port.id)


async def port_release(networks: Networks, server: Server, port_id: str) -> None:
    """Take one port from the server: deleted when it was made for it, else unbound. One that is not its own is left alone."""
    for port in await networks.ports_of(server.id):
        if port.id != port_id:
            continue
        if port.description.startswith(_mark(server)):
            await networks.port_delete(port.id)
        else:
            await networks.port_unbind(port.id)


async def ports_move(networks: Networks, server: Server, host: str, zone: str) -> None:
    """Bind all ports of the server to another host of it; those that are bound there stay as they are."""
    for port in await networks.ports_of(server.id):
        if port.host != host:
            await networks.port_bind(port.id, server_id=server.id, host=host, zone=zone)


async def addresses_changed(networks: Networks, server: Server) -> dict[str, tuple[NicAddress, ...]]:
    """By port, the fixed addresses that it has now, for the server's ports that have others than the server shows."""
    ports = {port.id: port for port in await networks.ports_of(server.id)}
    changed = {}
    for nic in server.nics:
        port = ports.get(nic.port_id)
        if port is None or [ip.address for ip in port.fixed_ips] == _fixed(nic):
            continue
        versions = {subnet.id: subnet.version for subnet in await networks.subnets(port.network_id)}
        changed[port.id] = tuple(
            NicAddress(address=ip.address, version=versions[ip.subnet_id]) for ip in port.fixed_ips
        )
    return changed


def with_addresses(server: Server, fixed: Mapping[str, tuple[NicAddress, ...]]) -> Server:
    """The server with other fixed addresses of some of its ports."""
    nics = tuple(
        msgspec.structs.replace(nic, addresses=(*fixed[nic.port_id], *_floating(nic))) if nic.port_id in fixed else nic
        for nic in server.nics
    )
    return msgspec.structs.replace(server, nics=nics)


def _fixed(nic: Nic) -> list[str]:
    return [address.address for address in nic.addresses if address.kind == "fixed"]


def _floating(nic: Nic) -> tuple[NicAddress, ...]:
    return tuple(address for address in nic.addresses if address.kind != "fixed")


async def _earlier_dropped(networks: Networks, server: Server, attempt: int) -> None:
    for port in await networks.ports_of(server.id):
        made_by = _attempt_of(server, port)
        if made_by is not None and made_by > attempt:
            raise Conflict(reason=f"Server {server.id} has ports of a later attempt.")
        if made_by is not None:
            await networks.port_delete(port.id)


def server_of(port: Port) -> ServerId | None:
    """The server that Kilonova made a port for; None for one that somebody else made."""
    kind, _, rest = port.description.partition(":")
    server_id = rest.partition(":")[0]
    return ServerId(server_id) if kind == "kilonova" and is_uuid(server_id) else None


def _mark(server: Server) -> str:
    return f"kilonova:{server.id}:"


def _attempt_of(server: Server, port: Port) -> int | None:
    """Which attempt of its boot made a port of the server; None for one that was given to it, or added later."""
    attempt = port.description.removeprefix(_mark(server)).split(":")[0]
    return int(attempt) if port.description.startswith(_mark(server)) and attempt.isdigit() else None


def _added_by(server: Server, operation_id: str) -> str:
    return f"{_mark(server)}added:{operation_id}:"


async def _attached(networks: Networks, port: Port, request: NicRequest) -> Attached:
    network = await networks.network(port.network_id)
    subnets = {subnet.id: subnet for subnet in await networks.subnets(port.network_id)}
    placed = [(ip, subnets[ip.subnet_id]) for ip in port.fixed_ips]
    nic = Nic(
        port_id=port.id,
        network_id=network.id,
        network_name=network.name,
        mac=port.mac,
        addresses=tuple(NicAddress(address=ip.address, version=subnet.version) for ip, subnet in placed),
        owned=request.port_id is None,
        tag=request.tag,
    )
    addresses = tuple(
        GuestAddress(
            address=ip.address, version=subnet.version, cidr=subnet.cidr, gateway=subnet.gateway, dns=subnet.dns
        )
        for ip, subnet in placed
    )
    guest = GuestNic(port_id=port.id, network_id=network.id, mac=port.mac, mtu=network.mtu, addresses=addresses)
    return Attached(nic, guest)
