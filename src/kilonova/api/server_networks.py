"""Which networks, ports and security groups a new server gets (API reference, "Create server", `networks`)."""

from collections.abc import Sequence

from msgspec import UNSET

from kilonova.api.compute import Compute
from kilonova.api.server_body import NetworkItem, ServerCreate
from kilonova.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from kilonova.kernel.ids import is_uuid
from kilonova.objects.caller import Caller
from kilonova.objects.port import Network, SecurityGroup
from kilonova.objects.server import NicRequest


class SeveralNetworks(Conflict):
    """Multiple possible networks found, use a Network ID to be more specific."""

    code = "several-networks"


class NoNetworkToChoose(Invalid):
    """Unable to automatically allocate a network for project {project_id}: it has none. Create one, or ask for none."""

    code = "no-network-to-choose"


class NotANetworkId(Invalid):
    """Bad networks format: network uuid is not in proper format ({given})"""

    code = "not-a-network-id"


class NetworkWithoutSubnet(Invalid):
    """Network {id} requires a subnet in order to boot instances on."""

    code = "network-without-subnet"


class ExternalNetwork(Forbidden):
    """It is not allowed to create an interface on external network {id}"""

    code = "external-network"


class PortInUse(Conflict):
    """Port {id} is still in use."""

    code = "port-in-use"


class PortWithoutAddress(Invalid):
    """Port {id} requires a FixedIP in order to be used."""

    code = "port-without-address"


class PortWithFixedIp(Invalid):
    """Specified Fixed IP '{address}' cannot be used with port '{port}': the two cannot be specified together."""

    code = "port-with-fixed-ip"


class OneOfMany(Invalid):
    """Failed to launch multiple instances with the same {what}."""

    code = "one-of-many"


class NoSuchGroup(Invalid):
    """Security group {name} not found for project {project_id}."""

    code = "no-such-security-group"


class SeveralGroups(Conflict):
    """Multiple security groups found matching '{name}'. Use an ID to be more specific."""

    code = "several-security-groups"


async def nics_of(caller: Caller, compute: Compute, wish: ServerCreate, count: int) -> tuple[NicRequest, ...]:
    """The cards of each of `count` servers, every network and port in them checked."""
    if wish.networks == "none":
        return ()
    if isinstance(wish.networks, str) or not wish.networks:
        return await _only_network(caller, compute, required=wish.networks == "auto")
    compute.policy.enforce("os_compute_api:servers:create:attach_network", caller)
    ports = [str(item.port) for item in wish.networks if item.port is not None]
    if len(set(ports)) < len(ports):
        raise Invalid(reason="A port is asked for more than once.")
    return tuple([await _nic(caller, compute, item, count) for item in wish.networks])


async def groups_of(caller: Caller, compute: Compute, wish: ServerCreate) -> tuple[SecurityGroup, ...]:
    """The security groups asked for by name or id; `default` when none is."""
    asked = list(dict.fromkeys(item.name for item in wish.security_groups)) or ["default"]
    known = await compute.networks.security_groups(caller)
    return tuple(_group(name, known, caller) for name in asked)


async def _only_network(caller: Caller, compute: Compute, *, required: bool) -> tuple[NicRequest, ...]:
    """The service's own choice: the one network that there is."""
    networks = [
        network
        for network in await compute.networks.networks_available(caller)
        if network.subnet_ids and (network.shared or not network.external)
    ]
    if len(networks) > 1:
        raise SeveralNetworks
    if not networks and required:
        raise NoNetworkToChoose(project_id=caller.project_id)
    return tuple(NicRequest(network_id=network.id) for network in networks)


async def _nic(caller: Caller, compute: Compute, item: NetworkItem, count: int) -> NicRequest:
    tag = None if item.tag is UNSET else item.tag
    fixed_ip = None if item.fixed_ip is UNSET else str(item.fixed_ip)
    if item.port is not None:
        if fixed_ip is not None:
            raise PortWithFixedIp(address=fixed_ip, port=item.port)
        if count > 1:
            raise OneOfMany(what="port ID")
        return NicRequest(port_id=await _port_id(caller, compute, str(item.port)), tag=tag)
    if fixed_ip is not None and count > 1:
        raise OneOfMany(what="fixed IP")
    given = "None" if item.uuid is UNSET else item.uuid
    if not is_uuid(given):
        raise NotANetworkId(given=given[:100])
    network = await _network(caller, compute, given)
    return NicRequest(network_id=network.id, fixed_ip=fixed_ip, tag=tag)


async def _network(caller: Caller, compute: Compute, network_id: str) -> Network:
    try:
        network = await compute.networks.network_get(caller, network_id)
    except NotFound as error:
        raise Invalid(reason=f"Network {network_id} could not be found.") from error
    if not network.subnet_ids:
        raise NetworkWithoutSubnet(id=network.id)
    if network.external and not network.shared and not compute.policy.allows("network:attach_external_network", caller):
        raise ExternalNetwork(id=network.id)
    return network


async def _port_id(caller: Caller, compute: Compute, port_id: str) -> str:
    try:
        port = await compute.networks.port_get(caller, port_id)
    except NotFound as error:
        raise Invalid(reason=f"Port id {port_id} could not be found.") from error
    if port.device_id:
        raise PortInUse(id=port.id)
    if not port.fixed_ips:
        raise PortWithoutAddress(id=port.id)
    return port.id


def _group(name: str, known: Sequence[SecurityGroup], caller: Caller) -> SecurityGroup:
    found = [group for group in known if group.id == name] or [group for group in known if group.name == name]
    if not found:
        raise NoSuchGroup(name=name, project_id=caller.project_id)
    if len(found) > 1:
        raise SeveralGroups(name=name)
    return found[0]
