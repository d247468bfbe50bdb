"""SameHostFilter: the hint `same_host`."""

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.request import ServerRequest


def same_host(request: ServerRequest) -> Rule | None:
    """Only hosts on which one of the named servers lives; no host when none of them lives anywhere."""
    near = request.same_host
    return None if near is None else lambda host: host.name in near
