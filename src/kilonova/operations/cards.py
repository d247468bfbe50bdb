"""A server's network cards after an interruption: those that it shows, and its ports at the network service, are the same again.

What an operation that was ended has made or bound and the server doesn't show goes; a card whose port is gone is shown no more.
"""

import msgspec

from kilonova.engine.plan import Outputs
from kilonova.network import ports
from kilonova.objects.guest import GuestNic
from kilonova.objects.operation import Operation
from kilonova.objects.server import Nic, Server
from kilonova.operations.work import Work

FOUND = "ports_found"
"""The output that has the ids of the ports that are there."""
PLUGGED = "card"
"""The param that has the card which an interrupted operation may have plugged in, if any."""


async def settle(work: Work) -> Outputs:
    """Let go of the ports that the server doesn't show.

    They are looked up before the server, whose reading checks the lease: no port that came later is among them.
    """
    networks = work.parts.networks
    there = {port.id for port in await networks.ports_of(work.operation.server_id)}
    server = await work.server()
    shown = {nic.port_id for nic in server.nics}
    for port_id in sorted(there - shown):
        await ports.port_release(networks, server, port_id)
    return {FOUND: sorted(there & shown)}


def with_plugged(server: Server, operation: Operation) -> Server:
    """The server with the card that its guest may have: its owner can unplug it."""
    card = operation.params.get(PLUGGED)
    if card is None or any(nic.port_id == card["nic"]["port_id"] for nic in server.nics):
        return server
    return msgspec.structs.replace(
        server,
        nics=(*server.nics, msgspec.convert(card["nic"], Nic)),
        guest_nics=(*server.guest_nics, msgspec.convert(card["guest_nic"], GuestNic)),
    )


def as_found(server: Server, operation: Operation) -> Server:
    """The server without cards whose ports turned out to be gone."""
    found = operation.outputs.get(FOUND)
    if found is None:
        return server
    return msgspec.structs.replace(
        server,
        nics=tuple(nic for nic in server.nics if nic.port_id in found),
        guest_nics=tuple(nic for nic in server.guest_nics if nic.port_id in found),
    )
