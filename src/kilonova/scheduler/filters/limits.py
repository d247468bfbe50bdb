"""Limits that aggregates may set for their hosts."""

from kilonova.scheduler.hosts import HostState


def limit_of(host: HostState, key: str, default: int) -> int:
    """The least whole number that the host's aggregates have under `key`; `default` without one."""
    return min((int(value) for value in host.aggregate_values(key) if value.isdecimal()), default=default)
