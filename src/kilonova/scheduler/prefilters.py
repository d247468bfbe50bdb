"""Prefilters: what an operator's settings add to a request before hosts are looked at. Pure.

See the Nova administrator guide, "Compute schedulers", "Prefilters". Nova sends what they add to placement as aggregates and
traits. Here the traits go to placement, and the aggregates, which the scheduler knows first hand, become filters: that is the
same choice of hosts, and a "no" says which setting removed how many.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from kilonova.objects.aggregate import Aggregate
from kilonova.scheduler.filters.aggregate_multi_tenancy_isolation import projects_of
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.options import SchedulerOptions
from kilonova.scheduler.request import ServerRequest

Prefilter = Callable[[ServerRequest, Sequence[HostState]], ServerRequest]
_TRAIT = "trait:"


def prefilters(options: SchedulerOptions) -> tuple[Prefilter, ...]:
    """Those that are switched on."""
    found: list[Prefilter] = []
    if options.limit_tenants_to_placement_aggregate:
        found.append(limit_tenants(required=options.placement_aggregate_required_for_tenants))
    if options.enable_isolated_aggregate_filtering:
        found.append(isolate_aggregates)
    if options.query_placement_for_image_type_support:
        found.append(image_type)
    return tuple(found)


def limit_tenants(*, required: bool) -> Prefilter:
    """Only hosts of aggregates that name the project; `required`: none for a project that no aggregate with hosts names."""

    def limited(request: ServerRequest, hosts: Sequence[HostState]) -> ServerRequest:
        named = frozenset(one.id for one in _aggregates(hosts) if request.project_id in projects_of([one]))
        return msgspec.structs.replace(request, member_of=named) if named or required else request

    return limited


def isolate_aggregates(request: ServerRequest, hosts: Sequence[HostState]) -> ServerRequest:
    """No hosts of aggregates with `trait:NAME=required`, unless the request requires all of these traits."""
    closed = frozenset(one.id for one in _aggregates(hosts) if not _traits(one) <= request.required)
    return msgspec.structs.replace(request, not_member_of=closed)


def image_type(request: ServerRequest, _hosts: Sequence[HostState]) -> ServerRequest:
    """The trait of the image's disk format is required too. Servers without an image need none."""
    disk_format = request.image_properties.get("disk_format")
    if request.image_id is None or not disk_format:
        return request
    trait = f"COMPUTE_IMAGE_TYPE_{disk_format.upper()}"
    return msgspec.structs.replace(request, required=request.required | {trait})


def _aggregates(hosts: Iterable[HostState]) -> Iterable[Aggregate]:
    """Every aggregate that has any of the hosts."""
    shared = {id(host.aggregates): host.aggregates for host in hosts}
    return {one.id: one for aggregates in shared.values() for one in aggregates}.values()


def _traits(aggregate: Aggregate) -> frozenset[str]:
    required = (key for key, value in aggregate.metadata.items() if value == "required")
    return frozenset(key.removeprefix(_TRAIT) for key in required if key.startswith(_TRAIT))
