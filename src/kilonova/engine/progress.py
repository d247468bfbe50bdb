"""What becomes of an operation when an attempt at its step ends. Pure: operation and outcome in, next operation out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from kilonova.engine.plan import Plan, Step
from kilonova.kernel.ids import HostName
from kilonova.objects.operation import Operation, OperationState

BACKOFF_S = 0.5
"""Before the second attempt; doubles with each one."""
BACKOFF_MAX_S = 30.0
FAILED_ON = "failed_on"
"""The output that lists the hosts that wouldn't do it."""
DETAILS = "error_details"
"""The output that has the whole story of the error, where users are told another."""
LOST_AT = "lost_at"
"""The output that names the last step whose host was lost while it may have done it: see `Step.goes_on`."""
UNSURE = "unsure"
"""The output that says that a host did not take back what it had done: something may run there still, so nothing elsewhere."""
_ELSEWHERE = "elsewhere"
"""The output that says whether the last failure is one that another host may not have."""
UNDO_GRACE_S = 600.0
"""How long after its deadline an operation may go on undoing."""


@dataclass(frozen=True)
class Done:
    """The step is done."""

    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The attempt failed; another may succeed unless `final`."""

    reason: str
    """For the operation, and so for users."""
    final: bool = False
    details: str | None = None
    """For the log, which is the operator's: the whole story, where it is another."""

    @property
    def told(self) -> str:
        """What the log says."""
        return self.reason if self.details is None else self.details


@dataclass(frozen=True)
class Waiting:
    """Nothing went wrong, but it is too early: try again in `delay_s` without counting an attempt, until the deadline."""

    delay_s: float
    reason: str


@dataclass(frozen=True)
class Lost:
    """The host that had to do the step can't be reached."""

    reason: str


Outcome = Done | Failed | Waiting | Lost


@dataclass(frozen=True)
class Move:
    """The operation after an outcome, the line for its log, and the host that is owed a step, if one is."""

    operation: Operation
    result: str
    message: str | None = None
    owed_by: HostName | None = None


def begin(plan: Plan[Any], operation: Operation) -> Operation:
    """A new operation at its first step."""
    return _enter(operation, plan.first(operation), undoing=False, now=operation.created_at)


def after(plan: Plan[Any], operation: Operation, outcome: Outcome, now: float) -> Move:
    """What follows `outcome` of an attempt at the operation's step."""
    step = plan.step(operation.step)
    undoing = operation.state is OperationState.UNDOING
    match outcome:
        case Done():
            return _undone(plan, operation, step, now) if undoing else _done(plan, operation, step, outcome, now)
        case Waiting() if now < operation.deadline:
            return Move(
                _later(operation, now, outcome.delay_s, attempt=operation.attempt - 1), "waiting", outcome.reason
            )
        case Failed() if _may_retry(operation, step, outcome, now, undoing=undoing):
            delay_s = min(BACKOFF_MAX_S, BACKOFF_S * 2 ** max(0, operation.attempt - 1))
            return Move(_later(operation, now, delay_s, attempt=operation.attempt), "retried", outcome.told)
        case Failed() | Lost() | Waiting():
            return _given_up(plan, operation, step, outcome, now, undoing=undoing)


def _may_retry(operation: Operation, step: Step[Any], failure: Failed, now: float, *, undoing: bool) -> bool:
    if undoing:
        return now < operation.deadline + UNDO_GRACE_S
    return not failure.final and operation.attempt <= step.retries and now < operation.deadline


def _done(plan: Plan[Any], operation: Operation, step: Step[Any], done: Done, now: float) -> Move:
    operation = msgspec.structs.replace(operation, outputs={**operation.outputs, **done.outputs})
    following = plan.following(step.name, operation)
    if following is None:
        return Move(_end(plan, operation, OperationState.DONE, now), "done")
    return Move(_enter(operation, following, undoing=False, now=now), "done")


def _undone(plan: Plan[Any], operation: Operation, step: Step[Any], now: float) -> Move:
    preceding = plan.preceding(step.name, operation)
    if preceding is not None:
        return Move(_enter(operation, preceding, undoing=True, now=now), "undone")
    return Move(_all_undone(plan, operation, now), "undone")


def _all_undone(plan: Plan[Any], operation: Operation, now: float) -> Operation:
    """Nothing is left of it: begin anew on another host where that may help, else end."""
    outputs = operation.outputs
    failed_on = outputs.get(FAILED_ON, [])
    another = outputs.get(_ELSEWHERE) and not outputs.get(UNSURE)
    if not another or len(failed_on) >= plan.hosts_tried or now >= operation.deadline:
        return _end(plan, operation, OperationState.FAILED, now)
    anew = msgspec.structs.replace(operation, state=OperationState.RUNNING, outputs={FAILED_ON: failed_on})
    return _enter(anew, plan.first(anew), undoing=False, now=now)


def _given_up(
    plan: Plan[Any],
    operation: Operation,
    step: Step[Any],
    outcome: Failed | Lost | Waiting,
    now: float,
    *,
    undoing: bool,
) -> Move:
    """The step won't be done. Go on without it where its host owes it, go back where there is a way, else end."""
    told = outcome.told if isinstance(outcome, Failed) else outcome.reason
    if undoing and operation.host is None and isinstance(outcome, Failed):
        return Move(_blocked(operation, outcome.reason, now), "blocked", told)
    if undoing:
        owed_by = operation.host if step.undo_tombstone else None
        if operation.host is not None:
            operation = msgspec.structs.replace(operation, outputs={**operation.outputs, UNSURE: True})
        move = _undone(plan, operation, step, now)
        return Move(move.operation, "failed", told, owed_by)
    if step.tombstone:
        move = _done(plan, operation, step, Done(), now)
        return Move(move.operation, "failed", told, operation.host)
    if step.goes_on and isinstance(outcome, Lost):
        move = _done(plan, operation, step, Done({LOST_AT: step.name}), now)
        return Move(move.operation, "failed", told)
    operation = msgspec.structs.replace(operation, error=outcome.reason, outputs=_after_failing(operation, step))
    if told != outcome.reason:
        operation = msgspec.structs.replace(operation, outputs={**operation.outputs, DETAILS: told})
    if plan.past_pivot(step.name):
        return Move(_end(plan, operation, OperationState.FAILED, now), "failed", told)
    first = step if step.undoable else plan.preceding(step.name, operation)
    if first is None:
        return Move(_all_undone(plan, operation, now), "failed", told)
    return Move(_enter(operation, first, undoing=True, now=now), "failed", told)


def _after_failing(operation: Operation, step: Step[Any]) -> dict[str, Any]:
    """The outputs, with a note whether another host may do what this one wouldn't."""
    if not step.elsewhere or operation.host is None:
        return {**operation.outputs, _ELSEWHERE: False}
    failed_on = [*operation.outputs.get(FAILED_ON, []), operation.host]
    return {**operation.outputs, FAILED_ON: failed_on, _ELSEWHERE: True}


def _blocked(operation: Operation, reason: str, now: float) -> Operation:
    """What can't be taken back in all the time there was waits for an operator: it would be left behind otherwise."""
    return msgspec.structs.replace(
        operation,
        state=OperationState.BLOCKED,
        error=f"{operation.error or 'It failed'}; and {operation.step} can't be undone: {reason}",
        lease_until=0.0,
        owner=None,
        updated_at=now,
    )


def _enter(operation: Operation, step: Step[Any], *, undoing: bool, now: float) -> Operation:
    """The operation at `step`. A worker that goes on with it keeps its lease; when it changes hands the lease is free."""
    on_host = step.undo_on_host if undoing else step.on_host
    host = None if on_host is None else step.host(operation)
    keeps = operation.lease_until > 0 and host is None and operation.host is None
    state = OperationState.UNDOING if undoing else operation.state
    return msgspec.structs.replace(
        operation,
        state=state,
        step=step.name,
        host=host,
        attempt=1 if keeps else 0,
        not_before=now,
        lease_until=operation.lease_until if keeps else 0.0,
        owner=operation.owner if keeps else None,
        updated_at=now,
    )


def _later(operation: Operation, now: float, delay_s: float, attempt: int) -> Operation:
    return msgspec.structs.replace(
        operation, attempt=max(0, attempt), not_before=now + delay_s, lease_until=0.0, owner=None, updated_at=now
    )


def without(params: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Any]:
    """The params that are kept when an operation ends."""
    return {name: value for name, value in params.items() if name not in secrets}


def _end(plan: Plan[Any], operation: Operation, state: OperationState, now: float) -> Operation:
    return msgspec.structs.replace(
        operation,
        state=state,
        params=without(operation.params, plan.secrets),
        host=None,
        owner=None,
        lease_until=0.0,
        updated_at=now,
    )
