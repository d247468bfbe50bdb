"""Where a new server was asked to go: a zone, and for administrators a host."""

from dataclasses import dataclass

from msgspec import UNSET

from kilonova.api import aggregate_store
from kilonova.api.compute import Compute
from kilonova.api.server_body import ServerCreate
from kilonova.kernel.errors import Invalid, NotFound
from kilonova.kernel.ids import HostName
from kilonova.objects.caller import Caller


class BadZone(Invalid):
    """Invalid availability zone '{given}': it must be ZONE, ZONE:HOST or ZONE:HOST:NODE."""

    code = "bad-zone"


class ZoneNotAvailable(Invalid):
    """The requested availability zone is not available"""

    code = "zone-not-available"


class NoSuchHost(Invalid):
    """Compute host {host} could not be found."""

    code = "no-such-host"


class TwoHosts(Invalid):
    """A server cannot be asked onto host {first} and onto {second}: name one of them, in one place."""

    code = "two-hosts"


@dataclass(frozen=True)
class Destination:
    """A zone and a host, each only where it was asked for."""

    zone: str | None = None
    host: HostName | None = None


async def destination_of(caller: Caller, compute: Compute, wish: ServerCreate) -> Destination:
    """The destination asked for. Raises `Invalid` for one that is not there, `Forbidden`."""
    zone, forced = _parsed("" if wish.availability_zone is UNSET else str(wish.availability_zone))
    if forced:
        compute.policy.enforce("os_compute_api:servers:create:forced_host", caller)
    asked = [str(name) for name in (wish.host, wish.hypervisor_hostname) if name is not UNSET]
    if asked:
        compute.policy.enforce("compute:servers:create:requested_destination", caller)
    hosts = list(dict.fromkeys([*forced, *asked]))
    if len(hosts) > 1:
        raise TwoHosts(first=hosts[0], second=hosts[1])
    if zone is not None:
        await check_zone(compute, zone)
    return Destination(zone, await host_named(compute, hosts[0]) if hosts else None)


def _parsed(given: str) -> tuple[str | None, list[str]]:
    """The zone, and the host and node behind it, which here is the same as its host."""
    zone, *rest = given.split(":")
    if len(rest) > 2:
        raise BadZone(given=given)
    return zone or None, [name for name in rest if name]


async def check_zone(compute: Compute, zone: str) -> None:
    """Raise `ZoneNotAvailable` unless the zone has hosts."""
    if zone == compute.default_zone:
        return
    aggregates = await compute.database.read(aggregate_store.aggregates_txn)
    if not any(aggregate.zone == zone and aggregate.hosts for aggregate in aggregates):
        raise ZoneNotAvailable


async def host_named(compute: Compute, name: str) -> HostName:
    """The host called `name`. Raises `NoSuchHost`."""
    try:
        return (await compute.hosts.get(HostName(name))).name
    except NotFound as error:
        raise NoSuchHost(host=name) from error
