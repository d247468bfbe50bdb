"""What becomes of an operation when an attempt at its step ends. Pure: operation and outcome in, next operation out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from kilonova.engine.plan import Plan, Step, Where
from kilonova.kernel.ids import HostName
from kilonova.objects.operation import Operation, OperationState

BACKOFF_S = 0.5
"""Before the second attempt; doubles with each one."""
BACKOFF_MAX_S = 30.0
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
    final: bool = False


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
    """A new operation at its first step. Steps of the host fall away when `params["host"]` names none."""
    step = plan.first if _applies(plan.first, operation) else _following(plan, operation, plan.first)
    assert step is not None, f"{plan.kind} has nothing to do"
    return _enter(operation, step, undoing=False, now=operation.created_at)


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
            return Move(_later(operation, now, delay_s, attempt=operation.attempt), "retried", outcome.reason)
        case Failed() | Lost() | Waiting():
            return _given_up(plan, operation, step, outcome, now, undoing=undoing)


def _may_retry(operation: Operation, step: Step[Any], failure: Failed, now: float, *, undoing: bool) -> bool:
    if undoing:
        return now < operation.deadline + UNDO_GRACE_S
    return not failure.final and operation.attempt <= step.retries and now < operation.deadline


def _done(plan: Plan[Any], operation: Operation, step: Step[Any], done: Done, now: float) -> Move:
    operation = msgspec.structs.replace(operation, outputs={**operation.outputs, **done.outputs})
    following = _following(plan, operation, step)
    if following is None:
        return Move(_end(plan, operation, OperationState.DONE, now), "done")
    return Move(_enter(operation, following, undoing=False, now=now), "done")


def _following(plan: Plan[Any], operation: Operation, step: Step[Any]) -> Step[Any] | None:
    following = plan.following(step.name)
    while following is not None and not _applies(following, operation):
        following = plan.following(following.name)
    return following


def _applies(step: Step[Any], operation: Operation) -> bool:
    return step.where is Where.CONTROL or operation.params.get("host") is not None


def _undone(plan: Plan[Any], operation: Operation, step: Step[Any], now: float) -> Move:
    preceding = plan.preceding(step.name)
    if preceding is None:
        return Move(_end(plan, operation, OperationState.FAILED, now), "undone")
    return Move(_enter(operation, preceding, undoing=True, now=now), "undone")


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
    if undoing:
        move = _undone(plan, operation, step, now)
        owed_by = operation.host if step.undo_on_host else None
        return Move(move.operation, "failed", outcome.reason, owed_by)
    if step.tombstone:
        move = _done(plan, operation, step, Done(), now)
        return Move(move.operation, "failed", outcome.reason, operation.host)
    operation = msgspec.structs.replace(operation, error=outcome.reason)
    if plan.past_pivot(step.name):
        return Move(_end(plan, operation, OperationState.FAILED, now), "failed", outcome.reason)
    first = step if step.undo is not None or step.undo_on_host else plan.preceding(step.name)
    if first is None:
        return Move(_end(plan, operation, OperationState.FAILED, now), "failed", outcome.reason)
    return Move(_enter(operation, first, undoing=True, now=now), "failed", outcome.reason)


def _enter(operation: Operation, step: Step[Any], *, undoing: bool, now: float) -> Operation:
    """The operation at `step`. A worker that goes on with it keeps its lease; when it changes hands the lease is free."""
    on_host = step.undo_on_host if undoing else step.where is Where.HOST
    host = HostName(operation.params["host"]) if on_host else None
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
