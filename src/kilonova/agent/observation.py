"""What the hypervisors show against what the cell says: power states are taken over or repaired, unwanted guests ordered away.

Only servers at rest are touched: while an operation lives, it decides. What may have been seen before the last operation ended
counts for nothing: that is a guest of an older generation, unless it was certainly seen later (an operation that failed before
it reached the guest leaves it at the older one). No certain state counts for nothing either. A server at rest
whose guest stays away for too long is put in ERROR. A guest that no record of this cell knows is noted, and destroyed only where
the operator has said so, and if it was made for this very cell: a database that was brought back from an old copy knows less
than the hypervisors.

Comparing costs a read of every server on the agent's hosts, and mostly finds nothing: it is done first and apart, and what
differs is looked at again in the transaction that writes.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, select

from kilonova.cells.hosts import hosts_settle_txn
from kilonova.database.database import Transaction
from kilonova.database.tables.cell_database import hosts, tombstones
from kilonova.engine.plan import Plan
from kilonova.kernel.ids import CellId, HostName, OperationId, ServerId
from kilonova.objects.guest import Guest, PowerState
from kilonova.objects.host_step import Order
from kilonova.objects.server import Server, VmState
from kilonova.operations import accept, sightings, store
from kilonova.operations.accept import Acceptance
from kilonova.operations.plans import power_repair, size_repair
from kilonova.operations.sightings import Unknown
from kilonova.operations.store import servers
from kilonova.operations.work import Work

log = logging.getLogger(__name__)

_OFF = frozenset({PowerState.SHUTDOWN, PowerState.CRASHED})
_MUST_STOP: Mapping[VmState, frozenset[PowerState]] = MappingProxyType(
    {
        VmState.ACTIVE: frozenset({PowerState.SUSPENDED}),
        VmState.STOPPED: frozenset({PowerState.RUNNING, PowerState.PAUSED}),
        VmState.SOFT_DELETED: frozenset({PowerState.RUNNING, PowerState.PAUSED}),
    }
)
"""What a guest may not be when its server is at rest in a state."""
_mine = select(hosts.c.name).where(hosts.c.agent == bindparam("agent"), hosts.c.epoch == bindparam("epoch"))
_in_quarantine = _mine.where(hosts.c.quarantined_at > 0.0)
_living = select(
    *(servers.c[name] for name in ("id", "host", "power_state", "vm_state", "current_op", "generation", "updated_at"))
).where(servers.c.host.in_(_mine), servers.c.deleted_at.is_(None))
# Asked of each debt, of which there are few, and not the other way round: an agent may serve thousands of hosts.
_debts = select(tombstones.c.host, tombstones.c.server_id).where(
    _mine.where(hosts.c.name == tombstones.c.host).exists()
)


@dataclass(frozen=True, kw_only=True)
class Strays:
    """What becomes of guests that no record knows, and of records whose guests are gone."""

    destroyed: bool = False
    """Whether guests that no record knows are destroyed, if they were made for this cell; else they are only reported."""
    missing_after_s: float = 60.0
    """How long a guest may be missing before its server is put in ERROR."""


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What an agent says that it sees."""

    guests: Sequence[Guest]
    """All there are on its hosts."""
    seen_after: float
    """When it began to look at the earliest, in the cell's time."""
    cell_id: CellId
    strays: Strays


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Where hypervisors and records differ."""

    changed: Sequence[Guest] = ()
    """In another power state than their servers say."""
    unexpected: Sequence[Guest] = ()
    """Of servers of this cell that don't live on their host."""
    unknown: Sequence[Guest] = ()
    """Of no server of this cell: not noted yet, or to be destroyed."""
    known: Sequence[Unknown] = ()
    """Noted as unknown, and so no longer."""
    missing: Sequence[tuple[HostName, ServerId]] = ()
    """Servers at rest without their guests: not noted yet, or for too long."""
    found: Sequence[ServerId] = ()
    """Servers noted as missing their guests, which do so no longer."""
    settled: Sequence[tuple[HostName, ServerId]] = ()
    """Owed by a host, and gone."""
    in_quarantine: bool = False
    """Whether there are hosts that came back, and had not settled before this."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self.in_quarantine or any(
            (self.changed, self.unexpected, self.unknown, self.known, self.missing, self.found, self.settled)
        )


@dataclass(frozen=True)
class Settled:
    """What came of differences."""

    orders: list[Order]
    """The guests that must go."""
    work: bool
    """Whether there is something to do for the agent's hosts that was not before."""


def compare_txn(tx: Transaction, agent: str, epoch: int, sight: Sight) -> Differences:
    """Compare what an agent sees with the records. Guests on hosts of others are passed over."""
    whose = {"agent": agent, "epoch": epoch}
    mine = {HostName(name) for name in tx.execute(_mine, whose).scalars()}
    guests = [guest for guest in sight.guests if guest.host in mine]
    living = {row.id: row for row in tx.execute(_living, whose)}
    changed, elsewhere = [], []
    for guest in guests:
        row = living.get(guest.server_id)
        if row is None or row.host != guest.host:
            elsewhere.append(guest)
        elif _is_news(row, guest, sight.seen_after):
            changed.append(guest)
    there = {(guest.host, guest.server_id) for guest in guests}
    gone = {row.id: row for row in living.values() if (row.host, row.id) not in there and _rests(row, sight)}
    owed = [(HostName(row.host), ServerId(row.server_id)) for row in tx.execute(_debts, whose)]
    missing, found = _missing_txn(tx, whose, gone, sight)
    unexpected, unknown, known = _strangers_txn(tx, whose, elsewhere, sight)
    return Differences(
        changed=changed,
        unexpected=unexpected,
        unknown=unknown,
        known=known,
        missing=missing,
        found=found,
        settled=[debt for debt in owed if debt not in there],
        in_quarantine=tx.execute(_in_quarantine, whose).first() is not None,
    )


def _rests(row: Row[Any], sight: Sight) -> bool:
    """Whether a server has been at rest since before the agent looked, in a state that needs a guest."""
    return row.current_op is None and row.vm_state in sightings.NEED_GUESTS and row.updated_at <= sight.seen_after


def _missing_txn(
    tx: Transaction, whose: Mapping[str, Any], gone: Mapping[ServerId, Row[Any]], sight: Sight
) -> tuple[list[tuple[HostName, ServerId]], list[ServerId]]:
    """Servers whose guests have to be missed from now on, or have been for too long; and those that are missed no more."""
    since = sightings.missing_since_txn(tx, whose["agent"], whose["epoch"])
    due = tx.now - sight.strays.missing_after_s
    missing = [(row.host, id_) for id_, row in gone.items() if since.get(id_, due) <= due]
    return missing, [id_ for id_ in since if id_ not in gone]


def _strangers_txn(
    tx: Transaction, whose: Mapping[str, Any], guests: Sequence[Guest], sight: Sight
) -> tuple[list[Guest], list[Guest], list[Unknown]]:
    """Which of `guests` belong to servers of this cell, which to none, and what is noted of others that are so no longer."""
    ours = store.servers_known_txn(tx, {guest.server_id for guest in guests})
    noted = {(one.host, one.server_id): one for one in sightings.unknown_txn(tx, whose["agent"], whose["epoch"])}
    strangers = [guest for guest in guests if guest.server_id not in ours]
    unknown = [guest for guest in strangers if (guest.host, guest.server_id) not in noted or _goes(guest, sight)]
    seen = {(guest.host, guest.server_id) for guest in strangers}
    known = [one for key, one in noted.items() if key not in seen]
    return [guest for guest in guests if guest.server_id in ours], unknown, known


def _goes(guest: Guest, sight: Sight) -> bool:
    """Whether a guest of no server is to be destroyed: by policy, and only one that was made for this very cell."""
    return sight.strays.destroyed and guest.cell_id == sight.cell_id


def settle_txn(
    tx: Transaction, agent: str, epoch: int, differences: Differences, sight: Sight, new_uuid: Callable[[], str]
) -> Settled:
    """Take over what is news still, forget debts that are settled, and end the quarantine of hosts that owe nothing more.

    What another agent has taken since it was compared is passed over.
    """
    mine = set(tx.execute(_mine, {"agent": agent, "epoch": epoch}).scalars())
    changed = [guest for guest in differences.changed if guest.host in mine]
    repairs = [_repair_txn(tx, guest, sight.seen_after, new_uuid) for guest in changed]
    for host, server_id in differences.settled:
        if host in mine:
            store.tombstone_clear_txn(tx, host, server_id)
    for host, server_id in differences.missing:
        if host in mine:
            _miss_txn(tx, host, server_id, sight)
    for server_id in differences.found:
        sightings.missing_forget_txn(tx, server_id)
    for one in differences.known:
        sightings.unknown_forget_txn(tx, one.host, one.server_id)
    orders = [_order_txn(tx, guest) for guest in differences.unexpected if guest.host in mine]
    orders += [_stranger_txn(tx, guest, sight) for guest in differences.unknown if guest.host in mine]
    given = [order for order in orders if order is not None]
    released = hosts_settle_txn(tx, agent, epoch, sight.seen_after, {order.host for order in given})
    return Settled(given, any(repairs) or released)


def _miss_txn(tx: Transaction, host: HostName, server_id: ServerId, sight: Sight) -> None:
    """Note that a server's guest is missing; when it has been for too long, say so with the server."""
    since = sightings.missing_find_txn(tx, server_id)
    if since is None:
        sightings.missing_add_txn(tx, host, server_id)
        log.warning("the guest of server %s is not on %s any more", server_id, host)
    elif since <= tx.now - sight.strays.missing_after_s:
        if sightings.lost_txn(tx, server_id, host, sight.seen_after):
            log.error("server %s is in ERROR: its guest has been missing on %s", server_id, host)
        sightings.missing_forget_txn(tx, server_id)


def _stranger_txn(tx: Transaction, guest: Guest, sight: Sight) -> Order | None:
    """Note a guest of no server; the order to end it if it goes."""
    if store.server_find_txn(tx, guest.server_id) is not None:
        return None
    if not sightings.unknown_has_txn(tx, guest.host, guest.server_id):
        what = "is destroyed" if _goes(guest, sight) else "is left alone"
        log.warning("guest %s on %s belongs to no server of this cell; it %s", guest.server_id, guest.host, what)
        sightings.unknown_add_txn(tx, guest)
    if not _goes(guest, sight):
        return None
    return Order(server_id=guest.server_id, host=guest.host, generation=guest.generation)


def _repair_txn(tx: Transaction, guest: Guest, seen_after: float, new_uuid: Callable[[], str]) -> bool:
    """Let the server follow what its guest shows, or the guest what its server says; whether an operation does the latter."""
    was = store.server_find_txn(tx, guest.server_id)
    if was is None or not _is_news(was, guest, seen_after):
        return False
    server = store.server_change_txn(tx, guest.server_id, partial(_seen, guest))
    repair = _repair_of(server, guest)
    if repair is None:
        return False
    asked = Acceptance(
        operation_id=OperationId(new_uuid()),
        request_id=f"req-{new_uuid()}",
        project_id=server.project_id,
        user_id=server.user_id,
    )
    plan, params = repair
    accept.act_txn(tx, server.id, plan, params, asked)
    log.warning(
        "guest %s on %s is %s and its server %s: %s begins",
        server.id,
        guest.host,
        f"{guest.power_state.name}{', resized' if guest.resized else ''}",
        server.vm_state,
        plan.kind,
    )
    return True


def _repair_of(server: Server, guest: Guest) -> tuple[Plan[Work], dict[str, Any]] | None:
    """What has to be done to a guest so that it is what its server says."""
    if guest.power_state in _MUST_STOP.get(server.vm_state, frozenset()):
        return power_repair.PLAN, {}
    if _has_wrong_size(server.vm_state, guest):
        return size_repair.PLAN, {"run": guest.power_state is PowerState.RUNNING}
    return None


def _is_news(known: Row[Any] | Server, guest: Guest, seen_after: float) -> bool:
    if known.current_op is not None or known.host != guest.host or known.vm_state == VmState.DELETED:
        return False
    may_be_old = guest.generation < known.generation and known.updated_at > seen_after
    if guest.power_state is PowerState.NOSTATE or may_be_old:
        return False
    state = VmState(known.vm_state)
    contradicts = guest.power_state in _MUST_STOP.get(state, frozenset()) or _has_gone_off(state, guest)
    return contradicts or _has_wrong_size(state, guest) or bool(known.power_state != guest.power_state)


def _has_gone_off(state: VmState, guest: Guest) -> bool:
    """Whether the guest has ended by itself. An operation may have reported it that left the server's state as it was."""
    return state in {VmState.ACTIVE, VmState.PAUSED} and guest.power_state in _OFF


def _has_wrong_size(state: VmState, guest: Guest) -> bool:
    """Whether a resize that came to nothing was not undone: of servers at rest, only one that is RESIZED keeps what it was."""
    return guest.resized and state in size_repair.ACTION.starts_in


def _seen(guest: Guest, server: Server) -> Server:
    vm_state = VmState.STOPPED if _has_gone_off(server.vm_state, guest) else server.vm_state
    return msgspec.structs.replace(server, power_state=guest.power_state, vm_state=vm_state)


def _order_txn(tx: Transaction, guest: Guest) -> Order | None:
    """The order to end a guest whose server is deleted, or is at rest and not on this host, and may not go back to it."""
    server = store.server_find_txn(tx, guest.server_id)
    if server is None:
        return None
    lives = server.vm_state is not VmState.DELETED
    if lives and (server.current_op is not None or server.host == guest.host or _is_source(server, guest.host)):
        return None
    return Order(server_id=guest.server_id, host=guest.host, generation=server.generation, keep_disks=lives)


def _is_source(server: Server, host: HostName) -> bool:
    """Whether the host keeps what a server was, for the time until its move is confirmed or reverted."""
    return server.move is not None and server.move.source == host
