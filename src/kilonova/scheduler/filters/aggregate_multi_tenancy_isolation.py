"""AggregateMultiTenancyIsolation: hosts of an aggregate with `filter_tenant_id` are for these projects only."""

from collections.abc import Iterable, Iterator

from kilonova.objects.aggregate import Aggregate
from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest

KEY = "filter_tenant_id"
"""Also with anything behind it, so that an aggregate can name more projects than fit in one value."""


def aggregate_multi_tenancy_isolation(request: ServerRequest) -> Rule:
    """Only hosts that no aggregate keeps for other projects; hosts of other aggregates are for all."""
    project_id = request.project_id

    def allows(host: HostState) -> bool:
        named = set(projects_of(host.aggregates))
        return not named or project_id in named

    return allows


def projects_of(aggregates: Iterable[Aggregate]) -> Iterator[str]:
    """The projects that aggregates name."""
    for aggregate in aggregates:
        for key, value in aggregate.metadata.items():
            if key.startswith(KEY):
                yield from (one.strip() for one in value.split(","))
