"""DifferentHostFilter: the hint `different_host`."""

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.request import ServerRequest


def different_host(request: ServerRequest) -> Rule | None:
    """Only hosts on which none of the named servers lives."""
    away = request.different_host
    return None if not away else lambda host: host.name not in away
