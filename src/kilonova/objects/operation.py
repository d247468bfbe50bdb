"""Operations: the durable record of one thing that is being done, and what happened on the way."""

from enum import StrEnum
from typing import Any

import msgspec

from kilonova.kernel.ids import HostName, OperationId, ProjectId, ServerId, UserId


class OperationState(StrEnum):
    """Where an operation is. The first three and `blocked` are live."""

    QUEUED = "queued"
    RUNNING = "running"
    UNDOING = "undoing"
    BLOCKED = "blocked"
    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"

    @property
    def live(self) -> bool:
        """Whether somebody will still work on it."""
        return self in {self.QUEUED, self.RUNNING, self.UNDOING, self.BLOCKED}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation. Times are seconds since the epoch, in database time."""

    id: OperationId
    server_id: ServerId
    project_id: ProjectId
    user_id: UserId
    request_id: str
    kind: str
    """The name of its plan, e.g. `boot`."""
    params: dict[str, Any] = {}
    """What was asked, JSON-ready, at the newest shape: see `objects.history.wire` on stored documents."""
    state: OperationState = OperationState.QUEUED
    step: str = ""
    """The step that runs, or waits to run."""
    host: HostName | None = None
    """The host whose agent must do this step; None for a step of the control plane."""
    owner: str | None = None
    """Who holds the lease; for people only, nobody is ever waited for."""
    lease_until: float = 0.0
    epoch: int = 0
    """Counts the takings of the lease; a write with an older one is refused."""
    attempt: int = 0
    """Times this step was begun and not finished."""
    not_before: float = 0.0
    deadline: float
    outputs: dict[str, Any] = {}
    """What finished steps left for later ones, JSON-ready."""
    error: str | None = None
    created_at: float
    updated_at: float


class OperationEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an operation's log."""

    operation_id: OperationId
    seq: int
    step: str
    result: str
    """`started`, `done`, `retried`, `failed`, `undone`, `superseded`."""
    epoch: int
    host: HostName | None
    at: float
    message: str | None = None
