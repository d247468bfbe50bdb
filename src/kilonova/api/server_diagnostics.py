"""How a server's guest does just now (API reference, "Servers diagnostics"): its host is asked."""

from msgspec import to_builtins

from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find
from kilonova.web.call import Call, Reply


def routes(compute: Compute) -> list[ComputeRoute]:
    """One route."""

    async def show(call: Call) -> Reply:
        """Show how a server's guest does just now."""
        server = await find(call, compute, "os_compute_api:os-server-diagnostics")
        told = to_builtins(await compute.servers.diagnostics(server))
        return Reply(call.version.down("server_diagnostics", {**told, "config_drive": server.config_drive}))

    return [ComputeRoute(method="GET", path="/servers/{id}/diagnostics", handler=show)]
