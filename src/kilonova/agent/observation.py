"""What the hypervisors show against what the cell says: power states are taken over, guests that must not be are ordered away.

Only servers at rest are touched: while an operation lives, it decides. What was seen before the last operation ended, by an
older generation or no certain state, counts for nothing. A guest that no record of this cell knows is left alone.
"""

import logging
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, Select, select

from kilonova.database.database import Transaction
from kilonova.database.tables.cell_database import hosts, tombstones
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, PowerState
from kilonova.objects.host_step import Order
from kilonova.objects.server import Server, VmState
from kilonova.operations import store
from kilonova.operations.store import servers

log = logging.getLogger(__name__)

_OFF = frozenset({PowerState.SHUTDOWN, PowerState.CRASHED})


def observe_txn(tx: Transaction, agent: str, guests: Sequence[Guest]) -> list[Order]:
    """Take over what `guests`, all there are on the agent's hosts, show; the guests that must go."""
    known = {row.id: row for row in tx.execute(_living_on_hosts_of(agent))}
    orders: list[Order] = []
    for guest in guests:
        row = known.get(guest.server_id)
        if row is None or row.host != guest.host:
            orders += _orders_txn(tx, guest)
        elif row.current_op is None and _is_news(row, guest):
            _take_over_txn(tx, guest)
    _settle_debts_txn(tx, agent, {(guest.host, guest.server_id) for guest in guests})
    return orders


def _living_on_hosts_of(agent: str) -> Select[Any]:
    mine = select(hosts.c.name).where(hosts.c.agent == agent)
    wanted = select(servers.c.id, servers.c.host, servers.c.power_state, servers.c.current_op, servers.c.generation)
    return wanted.where(servers.c.host.in_(mine), servers.c.deleted_at.is_(None))


def _is_news(row: Row[Any], guest: Guest) -> bool:
    if guest.power_state is PowerState.NOSTATE or guest.generation < row.generation:
        return False
    return bool(row.power_state != guest.power_state)


def _orders_txn(tx: Transaction, guest: Guest) -> list[Order]:
    """The order to end a guest whose server is deleted, or lives on another host and is at rest."""
    server = store.server_find_txn(tx, guest.server_id)
    if server is None:
        log.warning("guest %s on %s belongs to no server of this cell; it is left alone", guest.server_id, guest.host)
        return []
    if server.vm_state is not VmState.DELETED and (server.current_op is not None or server.host == guest.host):
        return []
    return [Order(server_id=guest.server_id, host=guest.host, generation=server.generation)]


def _take_over_txn(tx: Transaction, guest: Guest) -> None:
    def seen(server: Server) -> Server:
        off = server.vm_state is VmState.ACTIVE and guest.power_state in _OFF
        vm_state = VmState.STOPPED if off else server.vm_state
        return msgspec.structs.replace(server, power_state=guest.power_state, vm_state=vm_state)

    store.server_change_txn(tx, guest.server_id, seen)


def _settle_debts_txn(tx: Transaction, agent: str, there: set[tuple[HostName, ServerId]]) -> None:
    """Forget tombstones of guests that are gone."""
    mine = select(hosts.c.name).where(hosts.c.agent == agent)
    for row in tx.execute(select(tombstones).where(tombstones.c.host.in_(mine))).all():
        if (row.host, row.server_id) not in there:
            store.tombstone_clear_txn(tx, row.host, row.server_id)
