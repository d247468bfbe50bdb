"""Hosts: hypervisor hosts as the control plane knows them."""

import msgspec

from kilonova.kernel.ids import CellId, HostName
from kilonova.objects.guest import HostDescription

DOWN_AFTER_S = 60.0
"""A host whose agent was silent for longer is down."""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """One hypervisor host (Compute API: a `nova-compute` service and its hypervisor)."""

    name: HostName
    cell_id: CellId
    uuid: str
    """Of the hypervisor, and of its root resource provider in placement."""
    service_uuid: str
    agent: str
    """The agent that serves it."""
    enabled: bool = True
    disabled_reason: str | None = None
    forced_down: bool = False
    heartbeat_at: float
    """Last word of its agent, seconds since the epoch."""
    created_at: float
    updated_at: float
    description: HostDescription

    def up(self, now: float) -> bool:
        """Whether its agent is there: heard of lately, and not declared down."""
        return not self.forced_down and now - self.heartbeat_at <= DOWN_AFTER_S
