"""Hosts: hypervisor hosts as the control plane knows them."""

import msgspec

from kilonova.kernel.ids import CellId, HostName
from kilonova.objects.guest import HostDescription

DOWN_AFTER_S = 60.0
"""A host whose agent was silent for longer is down."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One run of an agent's program: what it says counts as long as no later one has taken its hosts.

    The epoch of a host goes up with each session that takes it, and each thing that an agent says carries the epoch at which
    it took its hosts.
    """

    id: str
    """New for each run; empty for a program of a version that knows no epochs."""
    epoch: int
    """Asked for, and held once the answer says the same; 0 for a program of such a version."""


WITHOUT_EPOCHS = Session(id="", epoch=0)
"""Of a program that knows no epochs: it speaks for whoever has the agent's name, unless that one does know them."""


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
