"""IsolatedAggregates: hosts of aggregates with required traits are for servers that require them all."""

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.request import ServerRequest


def isolated_aggregates(request: ServerRequest) -> Rule | None:
    """Only hosts of none of the aggregates that the request is kept out of."""
    closed = request.not_member_of
    return None if not closed else lambda host: not any(one.id in closed for one in host.aggregates)
