"""AvailabilityZoneFilter: the host is in the zone that was asked for."""

from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.request import ServerRequest


def availability_zone(request: ServerRequest) -> Rule | None:
    """Only hosts of the zone, where one was asked for."""
    zone = request.zone
    return None if zone is None else lambda host: host.zone == zone
