"""Hosts of all cells: heartbeats written set-wise, states changed by operators."""

from collections.abc import Sequence
from typing import Protocol

from kilonova.kernel.ids import HostName
from kilonova.objects.host import Host


class Hosts(Protocol):
    """The hosts of every cell that answers."""

    async def all(self) -> Sequence[Host]:
        """Every host, ordered by name."""

    async def get(self, name: HostName) -> Host:
        """One host. Raises `NotFound`."""

    async def by_uuid(self, uuid: str) -> Host:
        """The host with this hypervisor or service UUID. Raises `NotFound`."""

    async def enable(self, name: HostName) -> Host:
        """Let the scheduler use it. Raises `NotFound`."""

    async def disable(self, name: HostName, reason: str | None) -> Host:
        """Keep new servers away from it. Raises `NotFound`."""

    async def force_down(self, name: HostName, *, down: bool) -> Host:
        """Declare it down, or take that back. Raises `NotFound`."""

    async def delete(self, name: HostName) -> None:
        """Forget a host. Raises `Conflict` while it has servers, `NotFound`."""

    async def server_counts(self) -> dict[HostName, int]:
        """How many servers live on each host that has any."""
