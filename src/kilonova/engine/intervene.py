"""Interventions: what an operator may do to an operation that doesn't get on.

Each is one transaction. It raises the operation's epoch, so that whatever its last worker still reports counts for nothing, and
it says in the operation's log what was done and why.
"""

from typing import Any

import msgspec

from kilonova.database.database import Transaction
from kilonova.engine import progress, store
from kilonova.engine.plan import Plan
from kilonova.engine.runner import Projection, move_txn
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.kernel.ids import OperationId
from kilonova.objects.operation import Operation, OperationState


class NoSuchOperation(NotFound):
    """There is no operation {id}."""

    code = "no-such-operation"


class AlreadyEnded(Conflict):
    """Operation {id} has ended: it is {state}."""

    code = "operation-ended"


class AtWork(Conflict):
    """Operation {id} is being worked on by {owner}, which reports or loses its lease within {seconds:.0f} s; ask again then."""

    code = "operation-at-work"


class AlreadyDue(Conflict):
    """Operation {id} waits for nothing: it is due, and the next worker that is free takes it."""

    code = "operation-due"


class BeingUndone(Conflict):
    """Operation {id} is being undone already; if that can't be done it becomes blocked, and can then be ended for good."""

    code = "operation-being-undone"


def retry_txn(tx: Transaction, operation_id: OperationId, reason: str) -> Operation:
    """Make an operation due now that waits or is blocked. Its attempts count anew, and a blocked one goes on undoing.

    Raises `NoSuchOperation`, `AlreadyEnded`, `AtWork`, `AlreadyDue`.
    """
    operation = _live_txn(tx, operation_id)
    blocked = operation.state is OperationState.BLOCKED
    if not blocked:
        _refuse_while_leased(tx, operation)
        if operation.not_before <= tx.now:
            raise AlreadyDue(id=operation_id)
    due = msgspec.structs.replace(
        operation,
        state=OperationState.UNDOING if blocked else operation.state,
        attempt=0,
        not_before=tx.now,
        lease_until=0.0,
        owner=None,
    )
    return _written_txn(tx, operation, due, "requeued", reason)


def abandon_txn(
    tx: Transaction, plan: Plan[Any], operation_id: OperationId, reason: str, project: Projection
) -> Operation:
    """End an operation as if its time were over: through its undo, as far as there is a way back.

    One that is blocked has no way back that works: it fails for good, and what it has done stays. A worker that is at work on
    the operation loses it, and undoing begins when its lease would have ended.

    Raises `NoSuchOperation`, `AlreadyEnded`, `BeingUndone`.
    """
    operation = _live_txn(tx, operation_id)
    if operation.state is OperationState.UNDOING:
        raise BeingUndone(id=operation_id)
    if operation.state is OperationState.BLOCKED:
        return _failed_for_good_txn(tx, plan, operation, reason, project)
    over = msgspec.structs.replace(operation, deadline=min(operation.deadline, tx.now))
    taken = _written_txn(tx, operation, over, "abandoned", reason)
    moved = move_txn(tx, plan, taken, progress.Lost(reason), project)
    assert moved is not None, "the epoch was raised in this transaction"
    return moved


def supersede_txn(tx: Transaction, plan: Plan[Any], operation_id: OperationId, reason: str) -> Operation:
    """End an operation where it stands, undoing nothing; what is to become of its server is for the caller to write.

    A worker of the control plane is waited for, because what it does to other services can't be fenced from here; a host's
    report is refused by its epoch. Raises `NoSuchOperation`, `AlreadyEnded`, `AtWork`.
    """
    operation = _live_txn(tx, operation_id)
    if operation.host is None:
        _refuse_while_leased(tx, operation)
    return _written_txn(
        tx, operation, _ended(plan, operation, OperationState.SUPERSEDED, operation.error), "superseded", reason
    )


def _live_txn(tx: Transaction, operation_id: OperationId) -> Operation:
    operation = store.operation_get_txn(tx, operation_id)
    if operation is None:
        raise NoSuchOperation(id=operation_id)
    if not operation.state.live:
        raise AlreadyEnded(id=operation_id, state=operation.state)
    return operation


def _refuse_while_leased(tx: Transaction, operation: Operation) -> None:
    if operation.lease_until > tx.now:
        raise AtWork(id=operation.id, owner=operation.owner, seconds=operation.lease_until - tx.now)


def _written_txn(tx: Transaction, before: Operation, after: Operation, result: str, reason: str) -> Operation:
    """Save an operation that nobody else writes meanwhile, with its next epoch and a line in its log."""
    after = msgspec.structs.replace(after, epoch=before.epoch + 1, updated_at=tx.now)
    saved = store.operation_save_txn(tx, before, after)
    assert saved, "it was read in this transaction"
    store.event_add_txn(tx, before, result, f"by operator: {reason}")
    return after


def _failed_for_good_txn(
    tx: Transaction, plan: Plan[Any], operation: Operation, reason: str, project: Projection
) -> Operation:
    failed = _ended(plan, operation, OperationState.FAILED, f"{operation.error}; given up by an operator: {reason}")
    failed = _written_txn(tx, operation, failed, "failed", reason)
    project(tx, operation, progress.Move(failed, "failed", reason))
    return failed


def _ended(plan: Plan[Any], operation: Operation, state: OperationState, error: str | None) -> Operation:
    return msgspec.structs.replace(
        operation,
        state=state,
        params=progress.without(operation.params, plan.secrets),
        host=None,
        owner=None,
        lease_until=0.0,
        error=error,
    )
