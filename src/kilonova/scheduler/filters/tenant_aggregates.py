"""TenantAggregates: a project that aggregates name by `filter_tenant_id` gets their hosts only."""

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.request import ServerRequest


def tenant_aggregates(request: ServerRequest) -> Rule | None:
    """Only hosts of one of the aggregates that the request was limited to."""
    wanted = request.member_of
    return None if wanted is None else lambda host: any(one.id in wanted for one in host.aggregates)
