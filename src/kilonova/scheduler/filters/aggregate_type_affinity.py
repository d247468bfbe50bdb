"""AggregateTypeAffinityFilter: hosts of an aggregate with `instance_type` are for these flavors only."""

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest

KEY = "instance_type"


def aggregate_type_affinity(request: ServerRequest) -> Rule:
    """Only hosts one of whose aggregates names the flavor, or none of whose aggregates names any."""
    name = request.flavor_name

    def allows(host: HostState) -> bool:
        named = {one.strip() for value in host.aggregate_values(KEY) for one in value.split(",")}
        return not named or name in named

    return allows
