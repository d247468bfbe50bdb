"""Addresses of servers by network (API reference, "Servers IPs")."""

from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find
from kilonova.api.server_schema import PLAIN_ADDRESSES
from kilonova.api.shapes import Gives, gives
from kilonova.kernel.errors import NotFound
from kilonova.kernel.versions import Doc
from kilonova.objects.server import Server
from kilonova.web.call import Call, Reply


class NoSuchNetwork(NotFound):
    """The server has no network '{name}'"""

    code = "no-such-network-of-server"


class ServerIps:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """The addresses in all networks."""
        server = await find(call, self._compute, "os_compute_api:ips:index")
        return Reply({"addresses": _by_network(server)})

    async def show(self, call: Call) -> Reply:
        """The addresses in one network."""
        server = await find(call, self._compute, "os_compute_api:ips:show")
        name = call.params["network"]
        found = _by_network(server).get(name)
        if found is None:
            raise NoSuchNetwork(name=name[:100])
        return Reply({name: found})


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of addresses."""
    ips = ServerIps(compute)
    return [
        ComputeRoute(
            method="GET", path="/servers/{id}/ips", handler=ips.index, gives=gives({"addresses": PLAIN_ADDRESSES})
        ),
        ComputeRoute(
            method="GET", path="/servers/{id}/ips/{network}", handler=ips.show, gives=(Gives(body=PLAIN_ADDRESSES),)
        ),
    ]


def _by_network(server: Server) -> dict[str, list[Doc]]:
    by_network: dict[str, list[Doc]] = {}
    for nic in server.nics:
        by_network.setdefault(nic.network_name, []).extend(
            {"version": address.version, "addr": address.address} for address in nic.addresses
        )
    return by_network
