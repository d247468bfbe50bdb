"""Queues: which operations a worker takes. Claiming one takes its lease and bumps its epoch."""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, func, select

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.engine import store
from kilonova.engine.store import operations
from kilonova.objects.operation import Operation, OperationState


class Queue:
    """The live operations of the control plane, or those whose step is for some hosts."""

    def __init__(self, place: ColumnElement[bool]) -> None:
        """`place` is a condition on the operation's host. Parameters in it are given to each call."""
        waiting = (operations.c.live == 1, place, operations.c.state != OperationState.BLOCKED)
        due = (operations.c.not_before <= bindparam("now"), operations.c.lease_until <= bindparam("now"))
        order = (operations.c.not_before, operations.c.id)
        found = select(*store.COLUMNS).where(*waiting, *due).order_by(*order)
        self._due = Prepared(found.limit(bindparam("most")))
        leased_on = operations.c.lease_until > operations.c.not_before
        due_at = case((leased_on, operations.c.lease_until), else_=operations.c.not_before)
        self._next = Prepared(select(func.min(due_at)).where(*waiting))

    def claim_txn(
        self, tx: Transaction, /, owner: str, lease_s: float, most: int, **parameters: Any
    ) -> list[Operation]:
        """Take the lease of up to `most` operations that are due, those first that have waited longest."""
        found = tx.execute(self._due, {"now": tx.now, "most": most, **parameters}).all()
        taken = (store.operation_take_txn(tx, store.operation_of(row), owner, lease_s) for row in found)
        return [operation for operation in taken if operation is not None]

    def next_due_in_txn(self, tx: Transaction, /, **parameters: Any) -> float | None:
        """Seconds until the next operation can be claimed, 0 or less for now; None when there is none."""
        due: float | None = tx.execute(self._next, parameters).scalar()
        return None if due is None else due - tx.now


CONTROL = Queue(operations.c.host.is_(None))
"""What the control plane itself has to do."""
