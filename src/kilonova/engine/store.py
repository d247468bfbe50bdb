"""The only module that writes operations and their log. Every write says which epoch it believes in."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import BindParameter, MetaData, Row, bindparam, delete, func, insert, select, update

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.database.tables import operation_tables
from kilonova.engine import counters
from kilonova.engine.counters import Counted
from kilonova.kernel.ids import HostName, OperationId, ServerId
from kilonova.objects.operation import Operation, OperationEvent, OperationState

# The same two tables stand in the API database and in every cell's: statements made from these run in each.
_metadata = MetaData()
operations = operation_tables.operations(_metadata)
events = operation_tables.operation_events(_metadata)

COLUMNS = tuple(operations.c[name] for name in Operation.__struct_fields__)
"""What a query selects to find whole operations: see `operation_of`."""

_key: BindParameter[str] = bindparam("key")
_live_as_believed = (operations.c.id == _key, operations.c.epoch == bindparam("believed"), operations.c.live == 1)

_insert = Prepared(insert(operations))
_save = Prepared(update(operations).where(*_live_as_believed))
_take = Prepared(update(operations).where(*_live_as_believed))
_renew = Prepared(
    update(operations)
    .where(*_live_as_believed, operations.c.owner == bindparam("holder"))
    .values(lease_until=bindparam("until"))
)
_params_of = select(operations.c.id, operations.c.params).where(operations.c.id.in_(bindparam("keys", expanding=True)))
_forget = Prepared(delete(operations).where(operations.c.id == _key))
_by_id = Prepared(select(*COLUMNS).where(operations.c.id == _key))
_is_live = Prepared(select(operations.c.id).where(*_live_as_believed))
_live_at = select(operations.c.server_id).where(
    operations.c.live == 1, operations.c.step.in_(bindparam("steps", expanding=True))
)
_newest_first = (operations.c.created_at.desc(), operations.c.id.desc())
_by_server = Prepared(select(*COLUMNS).where(operations.c.server_id == _key).order_by(*_newest_first))

_EVENT_COLUMNS = tuple(events.c[name] for name in OperationEvent.__struct_fields__)
_events_of = Prepared(select(*_EVENT_COLUMNS).where(events.c.operation_id == _key).order_by(events.c.seq))
_events_insert = Prepared(insert(events))
_events_forget = Prepared(delete(events).where(events.c.operation_id == _key))
_next_seq = func.coalesce(func.max(events.c.seq), 0) + 1
_event_append = Prepared(
    insert(events).from_select(
        [column.name for column in _EVENT_COLUMNS],
        select(
            *(
                _next_seq if column.name == "seq" else bindparam(f"the_{column.name}", type_=column.type)
                for column in _EVENT_COLUMNS
            )
        ).where(events.c.operation_id == bindparam("the_operation_id")),
    )
)


class _Wish(msgspec.Struct):
    """The part of params that a running step is told of."""

    wish: str = ""


class AtHost(msgspec.Struct, frozen=True):
    """A live operation whose step is a host's, as far as the watch looks at it."""

    id: OperationId
    epoch: int
    kind: str
    step: str
    host: HostName
    not_before: float
    lease_until: float
    updated_at: float


class About(msgspec.Struct, frozen=True):
    """Whose an operation is, and whether it is live."""

    id: OperationId
    server_id: ServerId
    live: bool


_AT_HOST_COLUMNS = tuple(operations.c[name] for name in AtHost.__struct_fields__)
_at_hosts = Prepared(
    select(*_AT_HOST_COLUMNS).where(
        operations.c.live == 1, operations.c.host.is_not(None), operations.c.state != OperationState.BLOCKED
    )
)


def operation_insert_txn(tx: Transaction, operation: Operation) -> None:
    """Add a new operation. Raises IntegrityError when there is one with its id."""
    tx.execute(_insert, _values(operation))


def operation_get_txn(tx: Transaction, operation_id: OperationId) -> Operation | None:
    """One operation; None when there is none."""
    row = tx.execute(_by_id, {"key": operation_id}).first()
    return None if row is None else operation_of(row)


def operation_forget_txn(tx: Transaction, operation_id: OperationId) -> None:
    """Remove an operation and its log: it lives on in a cell."""
    tx.execute(_forget, {"key": operation_id})
    tx.execute(_events_forget, {"key": operation_id})


def operations_of_server_txn(tx: Transaction, server_id: ServerId) -> list[Operation]:
    """All operations of a server, newest first."""
    return [operation_of(row) for row in tx.execute(_by_server, {"key": server_id})]


def servers_at_txn(tx: Transaction, steps: Sequence[str]) -> list[ServerId]:
    """The servers of which a live operation is at one of `steps`."""
    return [ServerId(row.server_id) for row in tx.execute(_live_at, {"steps": steps})]


def operations_about_txn(tx: Transaction, ids: Collection[str]) -> list[About]:
    """Every operation that has one of `ids`, or whose server has one."""
    wanted = list(ids)
    either = operations.c.id.in_(wanted) | operations.c.server_id.in_(wanted)
    rows = tx.execute(select(operations.c.id, operations.c.server_id, operations.c.live).where(either))
    return [About(row.id, row.server_id, row.live == 1) for row in rows]


def operation_save_txn(tx: Transaction, before: Operation, after: Operation) -> bool:
    """Replace `before` by `after`, if nobody has taken it over since: False then, and nothing is written."""
    values = _values(after)
    values["key"] = values.pop("id")
    values["believed"] = before.epoch
    return tx.execute(_save, values).rowcount == 1


def operation_take_txn(tx: Transaction, before: Operation, owner: str, lease_s: float) -> Operation | None:
    """Take an operation's lease and begin an attempt at its step; None when somebody was faster."""
    changes: dict[str, Any] = {
        "state": OperationState.RUNNING if before.state is OperationState.QUEUED else before.state,
        "owner": owner,
        "lease_until": tx.now + lease_s,
        "epoch": before.epoch + 1,
        "attempt": before.attempt + 1,
        "updated_at": tx.now,
    }
    if tx.execute(_take, {"key": before.id, "believed": before.epoch, **changes}).rowcount != 1:
        return None
    taken = msgspec.structs.replace(before, **changes)
    if before.owner is not None:
        counters.count_txn(tx, Counted.LEASE_TAKEOVERS)
    event_add_txn(tx, taken, "started", None if before.owner is None else f"taken over from {before.owner}")
    return taken


def operations_renew_txn(
    tx: Transaction, owner: str, held: Sequence[tuple[OperationId, int]], lease_s: float
) -> set[OperationId]:
    """Renew the leases of `held` (id, epoch) that `owner` still has; the ids of these.

    A lease that was given back is not taken again: the step that follows may be another's.
    """
    until = tx.now + lease_s
    ours = set()
    for id_, epoch in held:
        if tx.execute(_renew, {"key": id_, "believed": epoch, "holder": owner, "until": until}).rowcount == 1:
            ours.add(id_)
    return ours


def wishes_txn(tx: Transaction, ids: Collection[OperationId]) -> dict[OperationId, str]:
    """The param `wish` of those of the operations that have one."""
    found: dict[OperationId, str] = {}
    for row in tx.execute(_params_of, {"keys": sorted(ids)}):
        wish = msgspec.json.decode(row.params, type=_Wish).wish
        if wish:
            found[row.id] = wish
    return found


def operation_is_ours_txn(tx: Transaction, operation: Operation) -> bool:
    """Whether nobody has taken the operation over, ended it or superseded it."""
    return tx.execute(_is_live, {"key": operation.id, "believed": operation.epoch}).first() is not None


def operations_at_hosts_txn(tx: Transaction) -> tuple[float, list[AtHost]]:
    """Database time, and every live operation whose step is a host's."""
    return tx.now, [AtHost(*tuple(row)) for row in tx.execute(_at_hosts)]


def leases_expire_txn(tx: Transaction) -> None:
    """Free every lease: said by a program that knows itself to be alone, such as `kilonova up` when it starts."""
    tx.execute(update(operations).where(operations.c.live == 1).values(lease_until=0.0, owner=None))


def event_add_txn(
    tx: Transaction, operation: Operation, result: str, message: str | None = None, *, step: str | None = None
) -> None:
    """Add a line to an operation's log, about `step` or the one it is at."""
    line = {
        "the_operation_id": operation.id,
        "the_step": operation.step if step is None else step,
        "the_result": result,
        "the_epoch": operation.epoch,
        "the_host": operation.host,
        "the_at": tx.now,
        "the_message": message,
    }
    tx.execute(_event_append, line)


def events_of_txn(tx: Transaction, operation_id: OperationId) -> list[OperationEvent]:
    """The log of an operation, in order."""
    rows = tx.execute(_events_of, {"key": operation_id})
    return [OperationEvent(**dict(zip(OperationEvent.__struct_fields__, row, strict=True))) for row in rows]


def events_insert_txn(tx: Transaction, lines: Sequence[OperationEvent]) -> None:
    """Add the log of an operation that came from another database, and is new here."""
    if lines:
        tx.execute(_events_insert, [msgspec.structs.asdict(line) for line in lines])


def operation_of(row: Row[Any]) -> Operation:
    """The operation in a row of COLUMNS."""
    values = dict(zip(Operation.__struct_fields__, row, strict=True))
    values["params"] = msgspec.json.decode(values["params"])
    values["outputs"] = msgspec.json.decode(values["outputs"])
    values["state"] = OperationState(values["state"])
    return Operation(**values)


def _values(operation: Operation) -> dict[str, Any]:
    values = msgspec.structs.asdict(operation)
    values["params"] = msgspec.json.encode(operation.params)
    values["outputs"] = msgspec.json.encode(operation.outputs)
    values["live"] = 1 if operation.state.live else None
    return values
