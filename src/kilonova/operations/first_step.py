"""The first step of an operation, done in the request that the operation was accepted with, while the caller is there to be told.

The operation is durable before that and does the step itself when the API does not come to it.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from kilonova.database.database import Transaction
from kilonova.engine import store as operation_store
from kilonova.engine.plan import Plan
from kilonova.engine.progress import Done, Failed, Outcome
from kilonova.engine.runner import Projection, move_txn
from kilonova.kernel.ids import OperationId
from kilonova.objects.operation import Operation, OperationState
from kilonova.operations.work import Work

_BEFORE = frozenset({OperationState.QUEUED, OperationState.RUNNING})


def done_txn(
    tx: Transaction, operation_id: OperationId, plan: Plan[Work], outputs: Mapping[str, Any], project: Projection
) -> Operation | None:
    """The step is done: go on with the next one. None when the operation has gone on meanwhile."""
    return _moved_txn(tx, operation_id, plan, Done(outputs), project)


def refused_txn(
    tx: Transaction, operation_id: OperationId, plan: Plan[Work], reason: str, project: Projection
) -> Operation | None:
    """The caller may not have it: end the operation. None when it has gone on meanwhile."""
    return _moved_txn(tx, operation_id, plan, Failed(reason, final=True), project)


def _moved_txn(
    tx: Transaction, operation_id: OperationId, plan: Plan[Work], outcome: Outcome, project: Projection
) -> Operation | None:
    operation = operation_store.operation_get_txn(tx, operation_id)
    if operation is None or operation.step != plan.steps[0].name or operation.state not in _BEFORE:
        return None
    taken = msgspec.structs.replace(operation, state=OperationState.RUNNING, epoch=operation.epoch + 1)
    if not operation_store.operation_save_txn(tx, operation, taken):
        return None
    return move_txn(tx, plan, taken, outcome, project)
