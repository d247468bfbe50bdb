"""Searching the operations of one database: what an operator asks for when something takes long."""

import msgspec
from sqlalchemy import select

from kilonova.database.database import Transaction
from kilonova.engine.store import COLUMNS, operation_of, operations
from kilonova.kernel.ids import ServerId
from kilonova.objects.operation import Operation, OperationState


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Every condition must hold; None asks for nothing."""

    states: tuple[OperationState, ...] | None = None
    """None: the live ones."""
    kind: str | None = None
    server_id: ServerId | None = None
    older_s: float | None = None
    """Accepted at least so many seconds ago."""
    limit: int = 1000


def operations_found_txn(tx: Transaction, search: Search) -> list[Operation]:
    """The operations that `search` asks for, the oldest first."""
    wanted = select(*COLUMNS)
    if search.states is None:
        wanted = wanted.where(operations.c.live == 1)
    else:
        wanted = wanted.where(operations.c.state.in_(search.states))
    if search.kind is not None:
        wanted = wanted.where(operations.c.kind == search.kind)
    if search.server_id is not None:
        wanted = wanted.where(operations.c.server_id == search.server_id)
    if search.older_s is not None:
        wanted = wanted.where(operations.c.created_at <= tx.now - search.older_s)
    rows = tx.execute(wanted.order_by(operations.c.created_at, operations.c.id).limit(search.limit))
    return [operation_of(row) for row in rows]
