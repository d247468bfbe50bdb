"""What the Compute API once had: these answer 410 at every microversion."""

from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute, Query
from kilonova.kernel.errors import Gone
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_ANY_QUERY = Query(strict=None)
_GONE = (
    ("/os-agents", "GET POST"),
    ("/os-agents/{id}", "PUT DELETE"),
    ("/os-cells", "GET POST"),
    ("/os-cells/capacities", "GET"),
    ("/os-cells/detail", "GET"),
    ("/os-cells/info", "GET"),
    ("/os-cells/sync_instances", "POST"),
    ("/os-cells/{id}", "GET PUT DELETE"),
    ("/os-cells/{id}/capacities", "GET"),
    ("/os-certificates", "POST"),
    ("/os-certificates/{id}", "GET"),
    ("/os-cloudpipe", "GET POST"),
    ("/os-cloudpipe/{id}", "PUT"),
    ("/os-fixed-ips/{id}", "GET"),
    ("/os-floating-ip-dns", "GET"),
    ("/os-floating-ip-dns/{id}", "PUT DELETE"),
    ("/os-floating-ip-dns/{domain_id}/entries/{id}", "GET PUT DELETE"),
    ("/os-floating-ips-bulk", "GET POST"),
    ("/os-floating-ips-bulk/{id}", "GET PUT"),
    ("/os-fping", "GET"),
    ("/os-fping/{id}", "GET"),
    ("/os-networks", "POST"),
    ("/os-networks/add", "POST"),
    ("/os-networks/{id}", "DELETE"),
    ("/os-security-group-default-rules", "GET POST"),
    ("/os-security-group-default-rules/{id}", "GET DELETE"),
    ("/os-tenant-networks", "POST"),
    ("/os-tenant-networks/{id}", "DELETE"),
    ("/servers/{server_id}/consoles", "GET POST"),
    ("/servers/{server_id}/consoles/{id}", "GET DELETE"),
    ("/servers/{server_id}/os-virtual-interfaces", "GET"),
)

_GONE_ACTIONS = (
    ("/servers/{id}/action", "os-getRDPConsole resetNetwork"),
    ("/os-fixed-ips/{id}/action", "reserve unreserve"),
    ("/os-networks/{id}/action", "associate_host disassociate disassociate_host disassociate_project"),
)


def routes(_compute: Compute) -> list[ComputeRoute]:
    """A route for each of them."""
    plain = [
        ComputeRoute(method=method, path=path, handler=gone, query=_ANY_QUERY, gives=(), faults=(410,))
        for path, methods in _GONE
        for method in methods.split()
    ]
    actions = [
        ComputeRoute(method="POST", path=path, action=action, handler=gone, body=Body.JSON, gives=(), faults=(410,))
        for path, names in _GONE_ACTIONS
        for action in names.split()
    ]
    return plain + actions


async def gone(_call: Call) -> Reply:
    """Say so."""
    raise Gone
