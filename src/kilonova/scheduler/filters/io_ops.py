"""IoOpsFilter and AggregateIoOpsFilter: not too many servers that work a host's disks hard."""

from kilonova.scheduler.filters.filter import RuleOf
from kilonova.scheduler.filters.limits import limit_of

KEY = "max_io_ops_per_host"


def io_ops(most: int) -> RuleOf:
    """Only hosts with fewer than `most` servers that are built, copied, imaged or the like."""
    return lambda _request: lambda host: host.load.io_ops < most


def aggregate_io_ops(most: int) -> RuleOf:
    """The same, where the host's aggregates may say how many."""
    return lambda _request: lambda host: host.load.io_ops < limit_of(host, KEY, most)
