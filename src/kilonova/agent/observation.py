"""What the hypervisors show against what the cell says: power states are taken over or repaired, unwanted guests ordered away.

Only servers at rest are touched: while an operation lives, it decides. What may have been seen before the last operation ended
counts for nothing: that is a guest of an older generation, unless it was certainly seen later (an operation that failed before
it reached the guest leaves it at the older one). No certain state counts for nothing either. A guest that no record of this
cell knows is left alone.

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

from kilonova.database.database import Transaction
from kilonova.database.tables.cell_database import hosts, tombstones
from kilonova.engine.plan import Plan
from kilonova.kernel.ids import HostName, OperationId, ServerId
from kilonova.objects.guest import Guest, PowerState
from kilonova.objects.host_step import Order
from kilonova.objects.server import Server, VmState
from kilonova.operations import accept, store
from kilonova.operations.accept import Acceptance
from kilonova.operations.plans import power_repair, size_repair
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
_mine = select(hosts.c.name).where(hosts.c.agent == bindparam("agent"))
_living = select(
    *(servers.c[name] for name in ("id", "host", "power_state", "vm_state", "current_op", "generation", "updated_at"))
).where(servers.c.host.in_(_mine), servers.c.deleted_at.is_(None))
_debts = select(tombstones.c.host, tombstones.c.server_id).where(tombstones.c.host.in_(_mine))


@dataclass(frozen=True)
class Differences:
    """Where hypervisors and records differ."""

    changed: Sequence[Guest] = ()
    """In another power state than their servers say."""
    unexpected: Sequence[Guest] = ()
    """Of no server that lives on their host."""
    settled: Sequence[tuple[HostName, ServerId]] = ()
    """Owed by a host, and gone."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.changed or self.unexpected or self.settled)


def compare_txn(tx: Transaction, agent: str, guests: Sequence[Guest], seen_after: float) -> Differences:
    """Compare `guests`, all there are on the agent's hosts, with the records. Guests on hosts of others are passed over."""
    mine = set(tx.execute(_mine, {"agent": agent}).scalars())
    guests = [guest for guest in guests if guest.host in mine]
    known = {row.id: row for row in tx.execute(_living, {"agent": agent})}
    changed, unexpected = [], []
    for guest in guests:
        row = known.get(guest.server_id)
        if row is None or row.host != guest.host:
            unexpected.append(guest)
        elif _is_news(row, guest, seen_after):
            changed.append(guest)
    there = {(guest.host, guest.server_id) for guest in guests}
    owed = [(HostName(row.host), ServerId(row.server_id)) for row in tx.execute(_debts, {"agent": agent})]
    return Differences(changed, unexpected, [debt for debt in owed if debt not in there])


def settle_txn(
    tx: Transaction, differences: Differences, seen_after: float, new_uuid: Callable[[], str]
) -> tuple[list[Order], bool]:
    """Take over what is news still, and forget debts that are settled.

    Returns:
        The guests that must go, and whether an operation was begun that repairs a guest's power.
    """
    repairs = [_repair_txn(tx, guest, seen_after, new_uuid) for guest in differences.changed]
    for host, server_id in differences.settled:
        store.tombstone_clear_txn(tx, host, server_id)
    orders = (_order_txn(tx, guest) for guest in differences.unexpected)
    return [order for order in orders if order is not None], any(repairs)


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
        log.warning("guest %s on %s belongs to no server of this cell; it is left alone", guest.server_id, guest.host)
        return None
    lives = server.vm_state is not VmState.DELETED
    if lives and (server.current_op is not None or server.host == guest.host or _is_source(server, guest.host)):
        return None
    return Order(server_id=guest.server_id, host=guest.host, generation=server.generation, keep_disks=lives)


def _is_source(server: Server, host: HostName) -> bool:
    """Whether the host keeps what a server was, for the time until its move is confirmed or reverted."""
    return server.move is not None and server.move.source == host
