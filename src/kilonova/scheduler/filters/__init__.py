"""Filters: one file each, by Nova's names (Nova administrator guide, "Compute schedulers").

A filter looks at a request once and returns its rule, a function that says whether a host may have the server; None when the
request gives it nothing to say. The order in which they are asked is the order in which a "no" is told.
"""

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from kilonova.kernel.errors import Invalid
from kilonova.scheduler.filters.aggregate_image_properties_isolation import aggregate_image_properties_isolation
from kilonova.scheduler.filters.aggregate_instance_extra_specs import aggregate_instance_extra_specs
from kilonova.scheduler.filters.aggregate_multi_tenancy_isolation import aggregate_multi_tenancy_isolation
from kilonova.scheduler.filters.aggregate_type_affinity import aggregate_type_affinity
from kilonova.scheduler.filters.all_hosts import all_hosts
from kilonova.scheduler.filters.availability_zone import availability_zone
from kilonova.scheduler.filters.compute import compute
from kilonova.scheduler.filters.compute_capabilities import capabilities_by, compute_capabilities
from kilonova.scheduler.filters.different_host import different_host
from kilonova.scheduler.filters.filter import Filter, by_kind, by_name
from kilonova.scheduler.filters.ignored_hosts import ignored_hosts
from kilonova.scheduler.filters.image_properties import image_properties
from kilonova.scheduler.filters.io_ops import aggregate_io_ops, io_ops
from kilonova.scheduler.filters.isolated_aggregates import isolated_aggregates
from kilonova.scheduler.filters.isolated_hosts import isolated_hosts
from kilonova.scheduler.filters.json_query import json_query
from kilonova.scheduler.filters.num_instances import aggregate_num_instances, num_instances
from kilonova.scheduler.filters.numa_topology import numa_topology
from kilonova.scheduler.filters.pci_passthrough import pci_passthrough
from kilonova.scheduler.filters.requested_host import requested_host
from kilonova.scheduler.filters.same_cell import same_cell
from kilonova.scheduler.filters.same_host import same_host
from kilonova.scheduler.filters.server_group_affinity import server_group_affinity
from kilonova.scheduler.filters.server_group_anti_affinity import server_group_anti_affinity
from kilonova.scheduler.filters.simple_cidr_affinity import simple_cidr_affinity
from kilonova.scheduler.filters.tenant_aggregates import tenant_aggregates
from kilonova.scheduler.hosts import Look
from kilonova.scheduler.options import SchedulerOptions

ALWAYS_FIRST: tuple[Filter, ...] = (
    Filter("SameCell", same_cell, by=by_kind),
    Filter("IgnoredHosts", ignored_hosts, by=by_name),
    Filter("RequestedHost", requested_host),
    Filter("AvailabilityZoneFilter", availability_zone, by=by_kind),
    Filter("TenantAggregates", tenant_aggregates, by=by_kind),
    Filter("IsolatedAggregates", isolated_aggregates, by=by_kind),
)
ALWAYS_LAST: tuple[Filter, ...] = (
    Filter("ServerGroupAntiAffinityFilter", server_group_anti_affinity, by=by_name),
    Filter("ServerGroupAffinityFilter", server_group_affinity),
)
"""What the claim holds anyway: without these, claims would be refused instead of hosts left out."""


class NoSuchFilter(Invalid):
    """[scheduler] enabled_filters: there is no filter '{name}'{hint}"""

    code = "no-such-filter"


def available(options: SchedulerOptions) -> dict[str, Filter]:
    """Every filter of ours that can be switched on, by its name."""
    namespace = options.aggregate_image_properties_isolation_namespace
    separator = options.aggregate_image_properties_isolation_separator
    isolated = isolated_hosts(
        options.isolated_hosts, options.isolated_images, restrict=options.restrict_isolated_hosts_to_isolated_images
    )
    found = (
        Filter("AllHostsFilter", all_hosts, by=by_kind),
        Filter("ComputeFilter", compute, by=by_kind),
        Filter("ComputeCapabilitiesFilter", compute_capabilities, by=capabilities_by),
        Filter("ImagePropertiesFilter", image_properties, on_rebuild=True, by=by_kind),
        Filter("SameHostFilter", same_host),
        Filter("DifferentHostFilter", different_host, by=by_name),
        Filter("SimpleCIDRAffinityFilter", simple_cidr_affinity),
        Filter("NUMATopologyFilter", numa_topology),
        Filter("PciPassthroughFilter", pci_passthrough),
        Filter("JsonFilter", json_query, looks_at=Look.SERVERS),
        Filter("IsolatedHostsFilter", isolated, on_rebuild=True),
        Filter("IoOpsFilter", io_ops(options.max_io_ops_per_host), looks_at=Look.SERVERS),
        Filter("AggregateIoOpsFilter", aggregate_io_ops(options.max_io_ops_per_host), looks_at=Look.SERVERS),
        Filter("NumInstancesFilter", num_instances(options.max_instances_per_host), looks_at=Look.SERVERS),
        Filter(
            "AggregateNumInstancesFilter",
            aggregate_num_instances(options.max_instances_per_host),
            looks_at=Look.SERVERS,
        ),
        Filter(
            "AggregateImagePropertiesIsolation",
            aggregate_image_properties_isolation(namespace, separator),
            on_rebuild=True,
            by=by_kind,
        ),
        Filter("AggregateInstanceExtraSpecsFilter", aggregate_instance_extra_specs, by=by_kind),
        Filter("AggregateMultiTenancyIsolation", aggregate_multi_tenancy_isolation, by=by_kind),
        Filter("AggregateTypeAffinityFilter", aggregate_type_affinity, by=by_kind),
    )
    return {one.name: one for one in found}


def enabled(options: SchedulerOptions, of_others: Mapping[str, Filter] = MappingProxyType({})) -> tuple[Filter, ...]:
    """The filters to ask, in order; `of_others` are those of other packages. Raises `NoSuchFilter`."""
    known = {**available(options), **of_others}
    always = {one.name for one in (*ALWAYS_FIRST, *ALWAYS_LAST)}
    chosen: list[Filter] = []
    for name in options.enabled_filters:
        if name not in known and name not in always:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            raise NoSuchFilter(name=name, hint=f"; did you mean '{near[0]}'?" if near else ".")
        if name not in always:
            chosen.append(known[name])
    return (*ALWAYS_FIRST, *chosen, *ALWAYS_LAST)


FILTERS: tuple[Filter, ...] = enabled(SchedulerOptions())
"""Those of a cloud with nothing set."""

__all__ = ["FILTERS", "Filter", "available", "enabled"]
