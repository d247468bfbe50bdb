"""Aggregates of hosts, and the availability zones that some of them are."""

import msgspec

from kilonova.kernel.ids import HostName

DEFAULT_ZONE = "nova"
"""The zone of hosts that no aggregate gives another."""


class Aggregate(msgspec.Struct, frozen=True, kw_only=True):
    """One aggregate (Compute API, "Host aggregates")."""

    id: int
    uuid: str
    name: str
    hosts: tuple[HostName, ...] = ()
    """Sorted."""
    metadata: dict[str, str] = {}
    """`availability_zone` makes it a zone."""
    created_at: float
    updated_at: float | None = None

    @property
    def zone(self) -> str | None:
        """The availability zone it is, if it is one."""
        return self.metadata.get("availability_zone")
