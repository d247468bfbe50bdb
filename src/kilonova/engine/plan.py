"""Plans: what an operation does, as a table of steps, each with its undo."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from kilonova.kernel.ids import HostName
from kilonova.objects.operation import Operation

C = TypeVar("C")
Outputs = Mapping[str, Any]
"""What a step leaves for later ones; JSON-ready."""


def _always(_: Operation) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Step(Generic[C]):
    """One step, of the control plane or of a host.

    Doing and undoing are idempotent: each may run again after it was half done.
    """

    name: str
    ensure: Callable[[C], Awaitable[Outputs]] | None = None
    """What the control plane does; None for a step of a host."""
    undo: Callable[[C], Awaitable[None]] | None = None
    on_host: Callable[[Any], Any] | None = None
    """What the host's agent is asked to do; None for a step of the control plane."""
    undo_on_host: Callable[[Any], Any] | None = None
    """What the host's agent is asked to do to take it back."""
    at: str = "host"
    """Which host: the name of the output, or else the param, that has its name. Without a host the step falls away."""
    when: Callable[[Operation], bool] = _always
    """Whether an operation needs this step at all."""
    timeout_s: float = 60.0
    """For one attempt; for a host's step also how long it may wait for its agent."""
    retries: int = 3
    """Attempts after the first."""
    pivot: bool = False
    """Once this step is done there is no way back, only forward."""
    tombstone: bool = False
    """The step ends a guest. A host that doesn't answer owes that: the operation goes on, the host settles it when it returns."""
    undo_tombstone: bool = False
    """The same of its undo."""
    goes_on: bool = False
    """A host that is lost may have done it: the operation goes on, with the step's name as the output `lost_at`, for a later
    step to find out."""
    elsewhere: bool = False
    """When this host won't do it, another one may: see `Plan.hosts_tried`."""

    @property
    def undoable(self) -> bool:
        """Whether there is something to take back."""
        return self.undo is not None or self.undo_on_host is not None

    def host(self, operation: Operation) -> HostName | None:
        """The host that the step is about, if any."""
        name = operation.outputs.get(self.at, operation.params.get(self.at))
        return None if name is None else HostName(name)

    def applies(self, operation: Operation) -> bool:
        """Whether the operation has to do this step."""
        return (self.on_host is None or self.host(operation) is not None) and self.when(operation)


@dataclass(frozen=True, kw_only=True)
class Plan(Generic[C]):
    """All steps of one kind of operation, in order."""

    kind: str
    steps: tuple[Step[C], ...]
    deadline_s: float
    """From acceptance until the operation ends one way or the other."""
    secrets: tuple[str, ...] = ()
    """Params that are forgotten when it ends."""
    hosts_tried: int = 1
    """On how many hosts it is tried before it fails: when a step may succeed elsewhere, all is undone and begun anew."""

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {step.name: position for position, step in enumerate(self.steps)}

    def step(self, name: str) -> Step[C]:
        """The step called `name`. Raises KeyError."""
        return self.steps[self._positions[name]]

    def first(self, operation: Operation) -> Step[C]:
        """Where `operation` begins."""
        return next(step for step in self.steps if step.applies(operation))

    def following(self, name: str, operation: Operation) -> Step[C] | None:
        """The next step after `name` that `operation` has to do; None after the last."""
        later = self.steps[self._positions[name] + 1 :]
        return next((step for step in later if step.applies(operation)), None)

    def preceding(self, name: str, operation: Operation) -> Step[C] | None:
        """The nearest step before `name` that has something to undo; None when there is none."""
        earlier = reversed(self.steps[: self._positions[name]])
        return next((step for step in earlier if step.undoable and step.applies(operation)), None)

    def past_pivot(self, name: str) -> bool:
        """Whether the way back is closed while `name` runs: a step before it was the pivot."""
        return any(step.pivot for step in self.steps[: self._positions[name]])

    def hosts(self, operation: Operation) -> list[HostName]:
        """Every host that `operation` may have touched, in the order of its steps."""
        found = (step.host(operation) for step in self.steps if step.on_host is not None)
        return list(dict.fromkeys(host for host in found if host is not None))
