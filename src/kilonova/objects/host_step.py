"""What a cell's gateway hands to an agent, and what the agent answers: the shapes of the wire."""

from typing import Any

import msgspec

from kilonova.kernel.ids import HostName, OperationId, ServerId
from kilonova.objects.guest import Guest
from kilonova.objects.host_action import AnyHostAction


class HostStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an operation that a host has to do, under a lease."""

    operation_id: OperationId
    epoch: int
    kind: str
    step: str
    undo: bool
    server_id: ServerId
    host: HostName
    generation: int
    timeout_s: float
    """How long an attempt may take."""
    action: AnyHostAction
    """What to do."""
    host_epoch: int = 0
    """The epoch of the host at which it was claimed, for the report; 0 between programs that know none."""


class HostReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one."""

    operation_id: OperationId
    epoch: int
    guest: Guest | None = None
    """As it is now, where there is one."""
    outputs: dict[str, Any] = {}
    """What the step leaves for later ones, JSON-ready."""
    error: str | None = None
    """Why the attempt failed; None when it is done."""
    final: bool = False
    """No use in trying again."""
    host_epoch: int = 0
    """As the step said."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A guest that must not be there: its server is deleted, or lives elsewhere."""

    server_id: ServerId
    host: HostName
    generation: int
    keep_disks: bool = False
    """Whether disks on shared storage stay, because the server lives elsewhere."""
