"""ComputeFilter: the host is up and enabled."""

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.request import ServerRequest


def compute(_request: ServerRequest) -> Rule:
    """Only hosts whose agent was heard of lately, and that no operator disabled."""
    return lambda host: host.up and host.enabled
