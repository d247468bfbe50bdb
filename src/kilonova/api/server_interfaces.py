"""Network cards of servers that are there: list, show, attach, detach (API reference, "Port interfaces").

Attaching is answered with the card, so the handler waits for the operation's end. Where that takes too long the answer says so;
the operation goes on nevertheless.
"""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find, find_to_change
from kilonova.api.server_fields import AnyIp, DeviceTag, Uuid
from kilonova.api.server_networks import ExternalNetwork, PortInUse, PortWithoutAddress
from kilonova.api.server_schema import INTERFACE
from kilonova.api.shapes import NO_BODY, Takes, gives, listed
from kilonova.kernel.errors import Conflict, Failure, Invalid, NotFound
from kilonova.kernel.versions import Doc
from kilonova.objects.caller import Caller
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.port import Network, Port
from kilonova.objects.server import NicRequest, Server
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_PATH = "/servers/{id}/os-interface"
_RULE = "os_compute_api:os-attach-interfaces:"
WITHIN_S = 60.0
"""How long an answer waits for its card."""


class BothPortAndNetwork(Invalid):
    """Must not input both network_id and port_id"""

    code = "both-port-and-network"


class AddressWithoutNetwork(Invalid):
    """Must input network_id when request IP address"""

    code = "address-without-network"


class ChooseNetwork(Invalid):
    """Project {project_id} has {count} networks to choose from: say which one with net_id."""

    code = "choose-network"


class NoSuchInterface(NotFound):
    """Port {port_id} is not attached to instance {server_id}."""

    code = "no-such-interface"


class NotAttached(Failure):
    """Failed to attach network adapter device to {server_id}: {reason}"""

    code = "interface-not-attached"


class NotYetAttached(Failure):
    """The network card of {server_id} has not been plugged in within {within_s:g} s. It goes on: look at the server's actions."""

    code = "interface-not-yet-attached"


class FixedIpItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item of `fixed_ips`."""

    ip_address: AnyIp


class InterfaceAttachment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `interfaceAttachment`."""

    net_id: Uuid | UnsetType = UNSET
    port_id: Uuid | UnsetType = UNSET
    fixed_ips: Annotated[list[FixedIpItem], msgspec.Meta(min_length=1, max_length=1)] | UnsetType = UNSET
    tag: DeviceTag | UnsetType = UNSET


class ServerInterfaces:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """The cards of a server, in their order."""
        server = await find(call, self._compute, _RULE + "list")
        ports = await self._ports(server)
        shown = [_shown(call, server, ports[nic.port_id]) for nic in server.nics if nic.port_id in ports]
        return Reply({"interfaceAttachments": shown})

    async def show(self, call: Call) -> Reply:
        """One card, by its port."""
        server = await find(call, self._compute, _RULE + "show")
        return Reply({"interfaceAttachment": await self._shown(call, server, call.params["port_id"])})

    async def attach(self, call: Call) -> Reply:
        """Attach a port, or one that is made in a network; the answer leaves when the card is plugged in."""
        wish = _wish(call)
        server = await find_to_change(call, self._compute, _RULE + "create")
        request = await self._request(call.user, wish)
        groups = await self._compute.networks.security_groups(call.user)
        params = {
            "request": msgspec.to_builtins(request),
            "security_group_ids": [group.id for group in groups if group.name == "default"],
        }
        operation = await self._compute.servers.act_and_wait(
            call.user, call.request_id, server.id, "attach_interface", params, within_s=WITHIN_S
        )
        _check_done(operation)
        now = await self._compute.servers.get(server.id)
        return Reply({"interfaceAttachment": await self._shown(call, now, operation.outputs["nic"]["port_id"])})

    async def detach(self, call: Call) -> Reply:
        """Unplug a card; its port is deleted when it was made for the server."""
        server = await find_to_change(call, self._compute, _RULE + "delete")
        port_id = call.params["port_id"]
        _check_has(server, port_id)
        params = {"port_id": port_id}
        await self._compute.servers.act(call.user, call.request_id, server.id, "detach_interface", params)
        return Reply()

    async def _request(self, caller: Caller, wish: InterfaceAttachment) -> NicRequest:
        """The card as it is asked for, its port or network checked."""
        tag = None if wish.tag is UNSET else wish.tag
        if wish.port_id is not UNSET:
            if wish.net_id is not UNSET:
                raise BothPortAndNetwork
            if wish.fixed_ips is not UNSET:
                raise AddressWithoutNetwork
            return NicRequest(port_id=await self._free_port(caller, str(wish.port_id)), tag=tag)
        if wish.net_id is UNSET:
            if wish.fixed_ips is not UNSET:
                raise AddressWithoutNetwork
            return NicRequest(network_id=(await self._only_network(caller)).id, tag=tag)
        network = await self._compute.networks.network_get(caller, str(wish.net_id))
        if network.external and not network.shared:
            self._check_external(caller, network)
        fixed_ip = None if wish.fixed_ips is UNSET else str(wish.fixed_ips[0].ip_address)
        return NicRequest(network_id=network.id, fixed_ip=fixed_ip, tag=tag)

    def _check_external(self, caller: Caller, network: Network) -> None:
        if not self._compute.policy.allows("network:attach_external_network", caller):
            raise ExternalNetwork(id=network.id)

    async def _free_port(self, caller: Caller, port_id: str) -> str:
        port = await self._compute.networks.port_get(caller, port_id)
        if port.device_id:
            raise PortInUse(id=port.id)
        if not port.fixed_ips:
            raise PortWithoutAddress(id=port.id)
        return port.id

    async def _only_network(self, caller: Caller) -> Network:
        networks = await self._compute.networks.networks_available(caller)
        usable = [one for one in networks if one.subnet_ids and (one.shared or not one.external)]
        if len(usable) != 1:
            raise ChooseNetwork(project_id=caller.project_id, count=len(usable))
        return usable[0]

    async def _ports(self, server: Server) -> dict[str, Port]:
        return {port.id: port for port in await self._compute.networks.ports_of(server.id)}

    async def _shown(self, call: Call, server: Server, port_id: str) -> Doc:
        _check_has(server, port_id)
        port = (await self._ports(server)).get(port_id)
        if port is None:
            raise NoSuchInterface(port_id=port_id, server_id=server.id)
        return _shown(call, server, port)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of network cards."""
    interfaces, one = ServerInterfaces(compute), _PATH + "/{port_id}"
    told = gives({"interfaceAttachment": INTERFACE})
    return [
        ComputeRoute(
            method="GET", path=_PATH, handler=interfaces.index, gives=gives({"interfaceAttachments": listed(INTERFACE)})
        ),
        ComputeRoute(
            method="POST",
            path=_PATH,
            handler=interfaces.attach,
            body=Body.JSON,
            takes=Takes(kind=InterfaceAttachment, under="interfaceAttachment", shape="interface_attach", empty=True),
            gives=told,
        ),
        ComputeRoute(method="GET", path=one, handler=interfaces.show, gives=told),
        ComputeRoute(method="DELETE", path=one, handler=interfaces.detach, success=202, gives=NO_BODY),
    ]


def _wish(call: Call) -> InterfaceAttachment:
    """The body; an empty one asks for a card in the only network."""
    if body.whole(call) == {}:
        return InterfaceAttachment()
    return body.read(call, "interfaceAttachment", InterfaceAttachment, "interface_attach")


def _check_has(server: Server, port_id: str) -> None:
    if all(nic.port_id != port_id for nic in server.nics):
        raise NoSuchInterface(port_id=port_id[:100], server_id=server.id)


def _check_done(operation: Operation) -> None:
    """Raise what is to be said of an operation that has not attached its card."""
    reason = operation.error or f"the operation was {operation.state}"
    if operation.state.live and operation.state is not OperationState.UNDOING:
        raise NotYetAttached(server_id=operation.server_id, within_s=WITHIN_S)
    if operation.state is OperationState.DONE:
        return
    if "nic" in operation.outputs and operation.state is not OperationState.SUPERSEDED:
        raise NotAttached(server_id=operation.server_id, reason=reason)
    raise Conflict(reason=reason)


def _shown(call: Call, server: Server, port: Port) -> Doc:
    nic = next(nic for nic in server.nics if nic.port_id == port.id)
    doc: Doc = {
        "net_id": port.network_id,
        "port_id": port.id,
        "mac_addr": port.mac,
        "port_state": port.status,
        "fixed_ips": [{"subnet_id": ip.subnet_id, "ip_address": ip.address} for ip in port.fixed_ips],
        "tag": nic.tag,
    }
    return call.version.down("interface_attachment", doc)
