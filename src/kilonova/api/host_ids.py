"""Ids of hypervisors and compute services in paths: UUIDs since 2.53, numbers before."""

from collections.abc import Callable, Iterable

from kilonova.kernel.errors import Invalid
from kilonova.kernel.ids import is_uuid, uuid_number
from kilonova.objects.host import Host


class BadUuid(Invalid):
    """Invalid uuid {id}"""

    code = "bad-uuid"


def host_id(uuid: str, *, by_uuid: bool) -> str:
    """How `uuid` is written in a path."""
    return uuid if by_uuid else str(uuid_number(uuid))


def host_with_id(hosts: Iterable[Host], wanted: str, uuid_of: Callable[[Host], str], *, by_uuid: bool) -> Host | None:
    """The host that `wanted` means. Raises `BadUuid` when it must be a UUID and is none."""
    if by_uuid and not is_uuid(wanted):
        raise BadUuid(id=wanted[:100])
    return next((host for host in hosts if host_id(uuid_of(host), by_uuid=by_uuid) == wanted), None)
