"""Plans: what an operation does, as a table of steps, each with its undo."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, Generic, TypeVar

C = TypeVar("C")
Outputs = Mapping[str, Any]
"""What a step leaves for later ones; JSON-ready."""


class Where(Enum):
    """Who does a step: the control plane, or the agent of the operation's host."""

    CONTROL = "control"
    HOST = "host"


@dataclass(frozen=True, kw_only=True)
class Step(Generic[C]):
    """One step. `ensure` and `undo` are idempotent: each may run again after it was done, or half done."""

    name: str
    where: Where = Where.CONTROL
    ensure: Callable[[C], Awaitable[Outputs]] | None = None
    """None for a step of the host: its agent knows how."""
    undo: Callable[[C], Awaitable[None]] | None = None
    undo_on_host: bool = False
    """Whether the host's agent undoes it."""
    timeout_s: float = 60.0
    """For one attempt; for a host's step also how long it may wait for its agent."""
    retries: int = 3
    """Attempts after the first."""
    pivot: bool = False
    """Once this step is done there is no way back, only forward."""
    tombstone: bool = False
    """A host that doesn't answer is owed this step: the operation goes on, and the host settles it when it returns."""


@dataclass(frozen=True, kw_only=True)
class Plan(Generic[C]):
    """All steps of one kind of operation, in order."""

    kind: str
    steps: tuple[Step[C], ...]
    deadline_s: float
    """From acceptance until the operation ends one way or the other."""
    secrets: tuple[str, ...] = ()
    """Params that are forgotten when it ends."""

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {step.name: position for position, step in enumerate(self.steps)}

    @property
    def first(self) -> Step[C]:
        """Where it begins."""
        return self.steps[0]

    def step(self, name: str) -> Step[C]:
        """The step called `name`. Raises KeyError."""
        return self.steps[self._positions[name]]

    def following(self, name: str) -> Step[C] | None:
        """The step after `name`; None after the last."""
        at = self._positions[name] + 1
        return self.steps[at] if at < len(self.steps) else None

    def preceding(self, name: str) -> Step[C] | None:
        """The nearest step before `name` that has something to undo; None when there is none."""
        for step in reversed(self.steps[: self._positions[name]]):
            if step.undo is not None or step.undo_on_host:
                return step
        return None

    def past_pivot(self, name: str) -> bool:
        """Whether the way back is closed while `name` runs: a step before it was the pivot."""
        return any(step.pivot for step in self.steps[: self._positions[name]])
