"""IsolatedHostsFilter: some hosts are for some images."""

from collections.abc import Collection

from kilonova.scheduler.filters.filter import Rule, RuleOf
from kilonova.scheduler.request import ServerRequest


def isolated_hosts(hosts: Collection[str], images: Collection[str], *, restrict: bool) -> RuleOf:
    """Isolated images only on isolated hosts; with `restrict` nothing else on isolated hosts."""
    of_hosts, of_images = frozenset(hosts), frozenset(images)

    def rule(request: ServerRequest) -> Rule | None:
        if request.image_id in of_images:
            return lambda host: host.name in of_hosts
        return (lambda host: host.name not in of_hosts) if restrict and of_hosts else None

    return rule
