"""The only module that writes operations and their log. Every write says which epoch it believes in."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import MetaData, RowMapping, Select, and_, bindparam, func, insert, or_, select, update

from kilonova.database.database import Transaction
from kilonova.database.tables import operation_tables
from kilonova.kernel.ids import HostName, OperationId, ServerId
from kilonova.objects.operation import Operation, OperationEvent, OperationState

# The same two tables stand in the API database and in every cell's: statements made from these run in each.
_metadata = MetaData()
operations = operation_tables.operations(_metadata)
events = operation_tables.operation_events(_metadata)

Hosts = Sequence[HostName] | Select[tuple[str]]
"""Names of hosts, or the query that finds them."""

_COLUMNS = tuple(column.name for column in operations.c if column.name != "live")
_insert = insert(operations)
_insert_event = insert(events)
_by_id = select(operations).where(operations.c.id == bindparam("key"))
_by_server = (
    select(operations)
    .where(operations.c.server_id == bindparam("key"))
    .order_by(operations.c.created_at.desc(), operations.c.id.desc())
)
_save = update(operations).where(
    operations.c.id == bindparam("key"), operations.c.epoch == bindparam("believed"), operations.c.live == 1
)
_next_seq = select(func.coalesce(func.max(events.c.seq), 0) + 1).where(events.c.operation_id == bindparam("key"))
_due_at = func.max(operations.c.not_before, operations.c.lease_until)  # SQLite's max of two columns, GREATEST elsewhere


def operation_insert_txn(tx: Transaction, operation: Operation) -> None:
    """Add a new operation. Raises IntegrityError when there is one with its id."""
    tx.execute(_insert, _values(operation))


def operation_get_txn(tx: Transaction, operation_id: OperationId) -> Operation | None:
    """One operation; None when there is none."""
    row = tx.execute(_by_id, {"key": operation_id}).mappings().first()
    return None if row is None else _operation(row)


def operation_forget_txn(tx: Transaction, operation_id: OperationId) -> None:
    """Remove an operation and its log: it lives on in a cell."""
    tx.execute(operations.delete().where(operations.c.id == operation_id))
    tx.execute(events.delete().where(events.c.operation_id == operation_id))


def operations_of_server_txn(tx: Transaction, server_id: ServerId) -> list[Operation]:
    """All operations of a server, newest first."""
    return [_operation(row) for row in tx.execute(_by_server, {"key": server_id}).mappings()]


def operation_save_txn(tx: Transaction, before: Operation, after: Operation) -> bool:
    """Replace `before` by `after`, if nobody has taken it over since: False then, and nothing is written."""
    values = _values(after)
    values["key"] = values.pop("id")
    values["believed"] = before.epoch
    return tx.execute(_save, values).rowcount == 1


def event_add_txn(
    tx: Transaction, operation: Operation, result: str, message: str | None = None, *, step: str | None = None
) -> None:
    """Add a line to an operation's log, about `step` or the one it is at."""
    seq = tx.execute(_next_seq, {"key": operation.id}).scalar_one()
    event = OperationEvent(
        operation_id=operation.id,
        seq=seq,
        step=operation.step if step is None else step,
        result=result,
        epoch=operation.epoch,
        host=operation.host,
        at=tx.now,
        message=message,
    )
    tx.execute(_insert_event, msgspec.structs.asdict(event))


def events_copy_txn(tx: Transaction, lines: Sequence[OperationEvent]) -> None:
    """Add the lines of an operation that came from another database; those that are there already stay."""
    if not lines:
        return
    there = set(tx.execute(select(events.c.seq).where(events.c.operation_id == lines[0].operation_id)).scalars())
    new = [msgspec.structs.asdict(line) for line in lines if line.seq not in there]
    if new:
        tx.execute(_insert_event, new)


def events_of_txn(tx: Transaction, operation_id: OperationId) -> list[OperationEvent]:
    """The log of an operation, in order."""
    rows = tx.execute(select(events).where(events.c.operation_id == operation_id).order_by(events.c.seq))
    return [OperationEvent(**row) for row in rows.mappings()]


def operations_claim_txn(
    tx: Transaction, owner: str, lease_s: float, most: int, *, hosts: Hosts | None = None
) -> list[Operation]:
    """Take the lease of up to `most` operations that are due: of the control plane, or of `hosts`. Bumps their epochs."""
    place = operations.c.host.is_(None) if hosts is None else operations.c.host.in_(hosts)
    due = (
        select(operations)
        .where(operations.c.live == 1, place, operations.c.not_before <= tx.now, operations.c.lease_until <= tx.now)
        .where(operations.c.state != OperationState.BLOCKED)
        .order_by(operations.c.not_before, operations.c.id)
        .limit(most)
    )
    claimed = []
    for before in [_operation(row) for row in tx.execute(due).mappings()]:
        state = OperationState.RUNNING if before.state is OperationState.QUEUED else before.state
        after = msgspec.structs.replace(
            before,
            state=state,
            owner=owner,
            lease_until=tx.now + lease_s,
            epoch=before.epoch + 1,
            attempt=before.attempt + 1,
            updated_at=tx.now,
        )
        if operation_save_txn(tx, before, after):
            event_add_txn(tx, after, "started")
            claimed.append(after)
    return claimed


def operations_renew_txn(
    tx: Transaction, owner: str, held: Sequence[tuple[OperationId, int]], lease_s: float
) -> set[OperationId]:
    """Renew the leases of `held` (id, epoch) that `owner` still has; the ids of these.

    A lease that was given back is not taken again: the step that follows may be another's.
    """
    if not held:
        return set()
    these = or_(*(and_(operations.c.id == id_, operations.c.epoch == epoch) for id_, epoch in held))
    mine = and_(operations.c.owner == owner, these)
    tx.execute(update(operations).where(operations.c.live == 1, mine).values(lease_until=tx.now + lease_s))
    return set(tx.execute(select(operations.c.id).where(operations.c.live == 1, mine)).scalars())


def operation_is_ours_txn(tx: Transaction, operation: Operation) -> bool:
    """Whether nobody has taken the operation over, ended it or superseded it."""
    row = tx.execute(_by_id, {"key": operation.id}).first()
    return row is not None and row.live == 1 and row.epoch == operation.epoch


def next_due_in_txn(tx: Transaction, *, hosts: Hosts | None = None) -> float | None:
    """Seconds until the next operation can be claimed, 0 or less for now; None when there is none."""
    place = operations.c.host.is_(None) if hosts is None else operations.c.host.in_(hosts)
    wanted = select(func.min(_due_at)).where(
        operations.c.live == 1, place, operations.c.state != OperationState.BLOCKED
    )
    due: float | None = tx.execute(wanted).scalar()
    return None if due is None else due - tx.now


def operations_at_hosts_txn(tx: Transaction, most: int) -> tuple[float, list[Operation]]:
    """Database time, and operations whose step waits for a host's agent or for one whose lease ran out; longest first."""
    waiting = (
        select(operations)
        .where(operations.c.live == 1, operations.c.host.is_not(None), operations.c.lease_until <= tx.now)
        .order_by(operations.c.not_before)
        .limit(most)
    )
    return tx.now, [_operation(row) for row in tx.execute(waiting).mappings()]


def leases_expire_txn(tx: Transaction) -> None:
    """Free every lease: said by a program that knows itself to be alone, such as `kilonova up` when it starts."""
    tx.execute(update(operations).where(operations.c.live == 1).values(lease_until=0.0, owner=None))


def _values(operation: Operation) -> dict[str, Any]:
    values = msgspec.structs.asdict(operation)
    values["params"] = msgspec.json.encode(operation.params)
    values["outputs"] = msgspec.json.encode(operation.outputs)
    values["live"] = 1 if operation.state.live else None
    return values


def _operation(row: RowMapping) -> Operation:
    values = {name: row[name] for name in _COLUMNS}
    values["params"] = msgspec.json.decode(values["params"])
    values["outputs"] = msgspec.json.decode(values["outputs"])
    values["state"] = OperationState(values["state"])
    return Operation(**values)
