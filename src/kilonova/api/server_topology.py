"""The NUMA nodes of a server (API reference, "Servers - topology"). Guests here have none of their own."""

from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find
from kilonova.api.shapes import NULL, gives
from kilonova.web.call import Call, Reply


def routes(compute: Compute) -> list[ComputeRoute]:
    """One route."""

    async def show(call: Call) -> Reply:
        """Show the NUMA nodes of a server."""
        await find(call, compute, "compute:server:topology:index")
        return Reply({"nodes": [], "pagesize_kb": None})

    return [
        ComputeRoute(
            method="GET",
            path="/servers/{id}/topology",
            handler=show,
            since="2.78",
            gives=gives({"nodes": {"type": "array", "maxItems": 0}, "pagesize_kb": NULL}),
        )
    ]
