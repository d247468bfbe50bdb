"""AggregateInstanceExtraSpecsFilter: what the flavor's extra specs ask of the host's aggregates."""

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.filters.matching import matches
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest

SCOPE = "aggregate_instance_extra_specs"


def aggregate_instance_extra_specs(request: ServerRequest) -> Rule | None:
    """Only hosts with an aggregate that has what each scoped key, and each key without a colon, wants."""
    wanted: list[tuple[str, str]] = []
    for key, value in request.extra_specs.items():
        scope, colon, name = key.partition(":")
        if not colon:
            wanted.append((key, value))
        elif scope == SCOPE:
            wanted.append((name, value))
    if not wanted:
        return None

    def has(host: HostState) -> bool:
        return all(
            any(matches(one.strip(), value) for told in host.aggregate_values(key) for one in told.split(","))
            for key, value in wanted
        )

    return has
