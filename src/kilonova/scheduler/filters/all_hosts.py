"""AllHostsFilter: every host."""

from kilonova.scheduler.request import ServerRequest


def all_hosts(_request: ServerRequest) -> None:
    """Nothing to check."""
