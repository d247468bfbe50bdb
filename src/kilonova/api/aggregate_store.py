"""Aggregates in the API database. The only module that writes them.

Rules that hold at every moment: a name is unique, and no host is in two aggregates that are different zones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from msgspec import structs
from sqlalchemy import delete, insert, select, update

from kilonova.database.database import Transaction
from kilonova.database.tables.api_database import aggregates
from kilonova.kernel.errors import Conflict, Invalid, NotFound
from kilonova.kernel.ids import HostName
from kilonova.notifications import payloads
from kilonova.notifications.outbox import API, note_txn
from kilonova.objects.aggregate import Aggregate

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Aggregate).decode


class AggregateNotFound(NotFound):
    """Aggregate {id} could not be found."""

    code = "aggregate-not-found"


class AggregateNameTaken(Conflict):
    """Aggregate {name} already exists."""

    code = "aggregate-name-taken"


class AggregateHostExists(Conflict):
    """Aggregate {id} already has host {host}."""

    code = "aggregate-host-exists"


class AggregateHostNotFound(NotFound):
    """Aggregate {id} has no host {host}."""

    code = "aggregate-host-not-found"


class AggregateRefusal(Invalid):
    """Cannot perform action '{action}' on aggregate {id}. Reason: {reason}."""

    code = "aggregate-refusal"


class AggregateConflict(Conflict):
    """Cannot perform action '{action}' on aggregate {id}. Reason: {reason}."""

    code = "aggregate-conflict"


def aggregates_txn(tx: Transaction) -> list[Aggregate]:
    """Every aggregate, in order of ids."""
    return [_decode(row.body) for row in tx.execute(select(aggregates.c.body).order_by(aggregates.c.id))]


def aggregate_find_txn(tx: Transaction, aggregate_id: int) -> Aggregate:
    """One aggregate. Raises `AggregateNotFound`."""
    row = tx.execute(select(aggregates.c.body).where(aggregates.c.id == aggregate_id)).first()
    if row is None:
        raise AggregateNotFound(id=aggregate_id)
    return _decode(row.body)


def aggregate_add_txn(tx: Transaction, aggregate: Aggregate) -> Aggregate:
    """Add an aggregate; it gets its id. Raises `AggregateNameTaken`."""
    _check_name_txn(tx, aggregate.name)
    added = tx.execute(insert(aggregates), {"name": aggregate.name, "body": b""}).inserted_primary_key
    assert added is not None
    return _save_txn(tx, structs.replace(aggregate, id=added[0]), "create")


def aggregate_change_txn(
    tx: Transaction, aggregate_id: int, change: Callable[[Aggregate], Aggregate], busy: Iterable[HostName], action: str
) -> Aggregate:
    """Replace an aggregate by `change` of it; `busy` hosts have servers, and so keep their zone.

    Raises `AggregateNotFound`, `AggregateNameTaken`, `AggregateRefusal`.
    """
    before = aggregate_find_txn(tx, aggregate_id)
    after = structs.replace(change(before), updated_at=tx.now)
    if after.name != before.name:
        _check_name_txn(tx, after.name)
    if after.zone != before.zone:
        reason = _zone_trouble(aggregates_txn(tx), after, after.hosts, busy)
        if reason is not None:
            raise AggregateRefusal(action=action, id=aggregate_id, reason=reason)
    return _save_txn(tx, after, "update_prop" if after.metadata == before.metadata else "update_metadata")


def aggregate_add_host_txn(tx: Transaction, aggregate_id: int, host: HostName, busy: Iterable[HostName]) -> Aggregate:
    """Put a host into an aggregate. Raises `AggregateNotFound`, `AggregateHostExists`, `AggregateConflict`."""
    aggregate = aggregate_find_txn(tx, aggregate_id)
    if host in aggregate.hosts:
        raise AggregateHostExists(id=aggregate_id, host=host)
    every = aggregates_txn(tx)
    if aggregate.zone is not None:
        moved = () if zones_of_hosts(every).get(host) == aggregate.zone else busy
        reason = _zone_trouble(every, aggregate, (host,), moved)
        if reason is not None:
            raise AggregateConflict(action="add_host_to_aggregate", id=aggregate_id, reason=reason)
    joined = structs.replace(aggregate, hosts=tuple(sorted({*aggregate.hosts, host})), updated_at=tx.now)
    return _save_txn(tx, joined, "add_host")


def aggregate_remove_host_txn(
    tx: Transaction, aggregate_id: int, host: HostName, busy: Iterable[HostName]
) -> Aggregate:
    """Take a host out of an aggregate. Raises `AggregateNotFound`, `AggregateHostNotFound`, `AggregateConflict`."""
    aggregate = aggregate_find_txn(tx, aggregate_id)
    if host not in aggregate.hosts:
        raise AggregateHostNotFound(id=aggregate_id, host=host)
    after = structs.replace(aggregate, hosts=tuple(name for name in aggregate.hosts if name != host), updated_at=tx.now)
    others = [after if one.id == aggregate_id else one for one in aggregates_txn(tx)]
    if host in busy and zones_of_hosts(others).get(host) != zones_of_hosts(aggregates_txn(tx)).get(host):
        reason = f"Host {host} contains servers, and would leave its availability zone"
        raise AggregateConflict(action="remove_host_from_aggregate", id=aggregate_id, reason=reason)
    return _save_txn(tx, after, "remove_host")


def aggregate_remove_txn(tx: Transaction, aggregate_id: int) -> None:
    """Remove an aggregate. Raises `AggregateNotFound`, `AggregateRefusal` while it has hosts."""
    aggregate = aggregate_find_txn(tx, aggregate_id)
    if aggregate.hosts:
        raise AggregateRefusal(action="delete", id=aggregate_id, reason="Host aggregate is not empty")
    tx.execute(delete(aggregates).where(aggregates.c.id == aggregate_id))
    _tell_txn(tx, "delete", aggregate)


def aggregates_forget_host_txn(tx: Transaction, host: HostName) -> None:
    """Take a host that is no more out of all aggregates."""
    for aggregate in aggregates_txn(tx):
        if host in aggregate.hosts:
            left = tuple(name for name in aggregate.hosts if name != host)
            _save_txn(tx, structs.replace(aggregate, hosts=left, updated_at=tx.now), "remove_host")


def zones_of_hosts(every: Iterable[Aggregate]) -> dict[HostName, str]:
    """The zone of each host that an aggregate gives one."""
    return {host: one.zone for one in every if one.zone is not None for host in one.hosts}


def _zone_trouble(
    every: Sequence[Aggregate], aggregate: Aggregate, hosts: Sequence[HostName], busy: Iterable[HostName]
) -> str | None:
    """Why `aggregate` may not have its zone for `hosts`; None when it may."""
    others: Mapping[HostName, str] = zones_of_hosts(one for one in every if one.id != aggregate.id)
    taken = sorted({others[host] for host in hosts if host in others and others[host] != aggregate.zone})
    if taken and aggregate.zone is not None:
        return f"One or more hosts already in availability zone(s) {taken}"
    if set(hosts) & set(busy):
        return "One or more hosts contain servers in this zone"
    return None


def _check_name_txn(tx: Transaction, name: str) -> None:
    if tx.execute(select(aggregates.c.id).where(aggregates.c.name == name)).first():
        raise AggregateNameTaken(name=name)


def _save_txn(tx: Transaction, aggregate: Aggregate, what: str) -> Aggregate:
    values = {"name": aggregate.name, "body": _encode(aggregate)}
    tx.execute(update(aggregates).where(aggregates.c.id == aggregate.id).values(values))
    _tell_txn(tx, what, aggregate)
    return aggregate


def _tell_txn(tx: Transaction, what: str, aggregate: Aggregate) -> None:
    """`aggregate.*`: that it begins and that it is done, which is one moment here."""
    if tx.tells:
        for phase in ("start", "end"):
            note_txn(tx, f"aggregate.{what}.{phase}", API, payloads.aggregate(aggregate))
