"""ServerGroupAffinityFilter: all members of the group on one host. The claim holds the same rule under concurrency."""

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.request import ServerRequest


def server_group_affinity(request: ServerRequest) -> Rule | None:
    """Only the host where the members are; any host for the first."""
    group = request.group
    if group is None or group.policy != "affinity" or not group.members:
        return None
    members = group.members
    return lambda host: host.name in members
