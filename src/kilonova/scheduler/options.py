"""What an operator sets about choosing hosts. Names and meanings are Nova's (configuration reference, `[filter_scheduler]`)."""

from typing import Annotated

import msgspec
from msgspec import Meta

Names = tuple[str, ...]
Multiplier = float


def _text(description: str) -> Meta:
    return Meta(description=description)


def _count(description: str) -> Meta:
    return Meta(description=description, ge=1)


class SchedulerOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How hosts are chosen for servers."""

    enabled_filters: Annotated[
        Names, _text("Filters beside those that always hold, in the order in which they are asked.")
    ] = (
        "ComputeFilter",
        "ComputeCapabilitiesFilter",
        "ImagePropertiesFilter",
        "SameHostFilter",
        "DifferentHostFilter",
    )
    custom_weighers: Annotated[
        Names, _text("Weighers of other packages, each as `NAME=MULTIPLIER`, or `NAME` with its own.")
    ] = ()
    max_instances_per_host: Annotated[int, _count("NumInstancesFilter: most servers on a host.")] = 50
    max_io_ops_per_host: Annotated[int, _count("IoOpsFilter: most servers of a host that work its disks hard.")] = 8
    isolated_hosts: Annotated[Names, _text("IsolatedHostsFilter: the hosts for isolated images.")] = ()
    isolated_images: Annotated[Names, _text("IsolatedHostsFilter: ids of images for isolated hosts.")] = ()
    restrict_isolated_hosts_to_isolated_images: Annotated[
        bool, _text("IsolatedHostsFilter: whether isolated hosts take nothing else.")
    ] = True
    aggregate_image_properties_isolation_namespace: Annotated[
        str, _text("AggregateImagePropertiesIsolation: how keys of aggregates begin that count; all do when empty.")
    ] = ""
    aggregate_image_properties_isolation_separator: Annotated[
        str, _text("AggregateImagePropertiesIsolation: what stands between that beginning and the rest of the key.")
    ] = "."
    limit_tenants_to_placement_aggregate: Annotated[
        bool, _text("Whether projects named by `filter_tenant_id` of aggregates get only these aggregates' hosts.")
    ] = False
    placement_aggregate_required_for_tenants: Annotated[
        bool, _text("Whether projects that no aggregate names get no host then; any host when not.")
    ] = False
    enable_isolated_aggregate_filtering: Annotated[
        bool, _text("Whether aggregates with `trait:NAME=required` are kept for servers that require these traits.")
    ] = False
    query_placement_for_image_type_support: Annotated[
        bool, _text("Whether a host must have the trait of the image's disk format, e.g. COMPUTE_IMAGE_TYPE_QCOW2.")
    ] = False
    cpu_weight_multiplier: Annotated[Multiplier, _text("CPUWeigher: more free VCPUs.")] = 1.0
    ram_weight_multiplier: Annotated[Multiplier, _text("RAMWeigher: more free memory.")] = 1.0
    disk_weight_multiplier: Annotated[Multiplier, _text("DiskWeigher: more free disk.")] = 1.0
    num_instances_weight_multiplier: Annotated[Multiplier, _text("NumInstancesWeigher: more servers.")] = 0.0
    io_ops_weight_multiplier: Annotated[
        Multiplier, _text("IoOpsWeigher: more servers that work the disks hard; mostly below 0.")
    ] = 0.0
    build_failure_weight_multiplier: Annotated[
        Multiplier, _text("BuildFailureWeigher: fewer boots that failed within the last hour.")
    ] = 0.0
    soft_affinity_weight_multiplier: Annotated[
        Multiplier, _text("ServerGroupSoftAffinityWeigher: more members of the group.")
    ] = 1.0
    soft_anti_affinity_weight_multiplier: Annotated[
        Multiplier, _text("ServerGroupSoftAntiAffinityWeigher: fewer members of the group.")
    ] = 1.0
    hypervisor_version_weight_multiplier: Annotated[
        Multiplier, _text("HypervisorVersionWeigher: a newer hypervisor.")
    ] = 1.0
    image_props_weight_multiplier: Annotated[
        Multiplier, _text("ImagePropertiesWeigher: more servers of images with the same properties.")
    ] = 0.0
    image_props_weight_setting: Annotated[
        Names, _text("ImagePropertiesWeigher: the properties that count, each as `NAME=WEIGHT`; all when empty.")
    ] = ()
