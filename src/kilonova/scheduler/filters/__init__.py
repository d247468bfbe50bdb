"""Filters: one file each, by Nova's names (Nova administrator guide, "Compute schedulers").

A filter looks at a request once and returns its rule, a function that says whether a host may have the server; None when the
request gives it nothing to say. `FILTERS` is the order in which they are asked, and in which a "no" is told.
"""

from kilonova.scheduler.filters.availability_zone import availability_zone
from kilonova.scheduler.filters.compute import compute
from kilonova.scheduler.filters.different_host import different_host
from kilonova.scheduler.filters.filter import Filter
from kilonova.scheduler.filters.ignored_hosts import ignored_hosts
from kilonova.scheduler.filters.requested_host import requested_host
from kilonova.scheduler.filters.same_cell import same_cell
from kilonova.scheduler.filters.same_host import same_host
from kilonova.scheduler.filters.server_group_affinity import server_group_affinity
from kilonova.scheduler.filters.server_group_anti_affinity import server_group_anti_affinity

FILTERS: tuple[Filter, ...] = (
    Filter("SameCell", same_cell),
    Filter("IgnoredHosts", ignored_hosts),
    Filter("RequestedHost", requested_host),
    Filter("AvailabilityZoneFilter", availability_zone),
    Filter("ComputeFilter", compute),
    Filter("SameHostFilter", same_host),
    Filter("DifferentHostFilter", different_host),
    Filter("ServerGroupAntiAffinityFilter", server_group_anti_affinity),
    Filter("ServerGroupAffinityFilter", server_group_affinity),
)

__all__ = ["FILTERS", "Filter"]
