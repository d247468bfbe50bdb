"""IgnoredHosts: not the host that the server leaves, and not those that have just failed it."""

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.request import ServerRequest


def ignored_hosts(request: ServerRequest) -> Rule | None:
    """Only hosts that are not to be left out."""
    ignored = request.ignored
    return None if not ignored else lambda host: host.name not in ignored
