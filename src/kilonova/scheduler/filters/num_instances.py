"""NumInstancesFilter and AggregateNumInstancesFilter: not too many servers on a host."""

from kilonova.scheduler.filters.filter import RuleOf
from kilonova.scheduler.filters.limits import limit_of

KEY = "max_instances_per_host"


def num_instances(most: int) -> RuleOf:
    """Only hosts with fewer than `most` servers."""
    return lambda _request: lambda host: host.load.servers < most


def aggregate_num_instances(most: int) -> RuleOf:
    """The same, where the host's aggregates may say how many."""
    return lambda _request: lambda host: host.load.servers < limit_of(host, KEY, most)
