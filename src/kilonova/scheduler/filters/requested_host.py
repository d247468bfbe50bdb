"""RequestedHost: the one host that an admin asked for (Compute API, "Create server", `host` since 2.74)."""

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.request import ServerRequest


def requested_host(request: ServerRequest) -> Rule | None:
    """Only that host, where one was asked for."""
    name = request.host
    return None if name is None else lambda host: host.name == name
