"""ServerGroupAntiAffinityFilter: only so many members on one host. The claim holds the same rule under concurrency."""

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.request import ServerRequest


def server_group_anti_affinity(request: ServerRequest) -> Rule | None:
    """Only hosts with fewer members than the group allows on one host."""
    group = request.group
    if group is None or group.policy != "anti-affinity":
        return None
    members, most = group.members, group.most_per_host
    return lambda host: members.get(host.name, 0) < most
