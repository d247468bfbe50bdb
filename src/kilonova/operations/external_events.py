"""What is done when another service tells of a server. An event is a hint to look at the truth, as everything else is."""

from kilonova.clients.network import Networks
from kilonova.objects.external_event import ExternalEvent
from kilonova.objects.server import Server

LOOKS_AT_CARDS = frozenset({"network-changed", "network-vif-plugged", "network-vif-unplugged"})
"""Events after which a server shows the addresses that its ports have now."""


async def port_gone(networks: Networks, server: Server, event: ExternalEvent) -> str | None:
    """The port that an event says was deleted, if its card is the server's still and the port is really gone."""
    if event.name != "network-vif-deleted" or all(nic.port_id != event.tag for nic in server.nics):
        return None
    there = {port.id for port in await networks.ports_of(server.id)}
    return None if event.tag in there else event.tag
