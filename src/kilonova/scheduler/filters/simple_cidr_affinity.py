"""SimpleCIDRAffinityFilter: the hints `build_near_host_ip` and `cidr`."""

from ipaddress import ip_address, ip_network

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest

DEFAULT_CIDR = "/24"


def simple_cidr_affinity(request: ServerRequest) -> Rule | None:
    """Only hosts whose address is in the same network; no host for a network that can't be one."""
    near = request.hints.get("build_near_host_ip")
    if not near:
        return None
    cidr = (request.hints.get("cidr") or (DEFAULT_CIDR,))[0]
    try:
        network = ip_network(near[0] + cidr, strict=False)
    except ValueError:
        return lambda _host: False

    def inside(host: HostState) -> bool:
        try:
            return ip_address(host.host_ip) in network
        except ValueError:
            return False

    return inside
