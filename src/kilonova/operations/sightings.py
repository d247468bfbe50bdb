"""Sightings: guests that should be on a host and aren't, and guests on a host that no record knows.

The only module that writes `missing_guests` and `unknown_guests`.
"""

import msgspec
from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, select

from kilonova.database.database import Transaction
from kilonova.database.tables.cell_database import hosts, missing_guests, unknown_guests
from kilonova.kernel.ids import CellId, HostName, ServerId
from kilonova.objects.guest import Guest, PowerState
from kilonova.objects.server import Fault, Server, VmState
from kilonova.operations import store

NEED_GUESTS = frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.PAUSED, VmState.SUSPENDED, VmState.RESCUED})
"""States at rest whose servers can do nothing without a guest.

Shelved, resized and soft-deleted ones have something to come back from, and are left as they are.
"""


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """A guest that no record of its host's cell knows."""

    host: HostName
    server_id: ServerId
    cell_id: CellId
    """Of the cell that it was made for; empty where it doesn't say."""
    first_seen_at: float


# Asked of each sighting, of which there are few, and not the other way round: an agent may serve thousands of hosts.
_of_agent = select(hosts.c.name).where(hosts.c.agent == bindparam("agent"), hosts.c.epoch == bindparam("epoch"))
_missing = select(missing_guests).where(_of_agent.where(hosts.c.name == missing_guests.c.host).exists())
_unknown = select(unknown_guests).order_by(unknown_guests.c.host, unknown_guests.c.server_id)
_unknown_of_agent = _unknown.where(_of_agent.where(hosts.c.name == unknown_guests.c.host).exists())


def missing_since_txn(tx: Transaction, agent: str, epoch: int) -> dict[ServerId, float]:
    """The servers on an agent's hosts whose guests are missed, and since when."""
    return {ServerId(row.server_id): row.since for row in tx.execute(_missing, {"agent": agent, "epoch": epoch})}


def missing_find_txn(tx: Transaction, server_id: ServerId) -> float | None:
    """Since when a server's guest is missed; None when it isn't."""
    since: float | None = tx.execute(
        select(missing_guests.c.since).where(missing_guests.c.server_id == server_id)
    ).scalar()
    return since


def missing_add_txn(tx: Transaction, host: HostName, server_id: ServerId) -> None:
    """A server's guest is missed from now on."""
    missing_forget_txn(tx, server_id)
    tx.execute(insert(missing_guests), {"server_id": server_id, "host": host, "since": tx.now})


def missing_forget_txn(tx: Transaction, server_id: ServerId) -> None:
    """It is missed no more."""
    tx.execute(delete(missing_guests).where(missing_guests.c.server_id == server_id))


def lost_txn(tx: Transaction, server_id: ServerId, host: HostName, seen_after: float) -> bool:
    """Put a server in ERROR whose guest is gone; whether it was still one that misses it."""

    def lost(server: Server) -> Server:
        if not _rests_on(server, host, seen_after):
            return server
        fault = Fault(
            code=500,
            message="The server's guest is no longer on its host. Rebuild the server, or delete it.",
            details=f"The hypervisor on {host} has no guest of this server, and nobody asked for its end.",
            created_at=tx.now,
        )
        return msgspec.structs.replace(server, vm_state=VmState.ERROR, power_state=PowerState.NOSTATE, fault=fault)

    return store.server_change_txn(tx, server_id, lost).vm_state is VmState.ERROR


def _rests_on(server: Server, host: HostName, seen_after: float) -> bool:
    at_rest = server.current_op is None and server.vm_state in NEED_GUESTS
    return at_rest and server.host == host and server.updated_at <= seen_after


def unknown_txn(tx: Transaction, agent: str, epoch: int) -> list[Unknown]:
    """The guests on an agent's hosts that no record knows."""
    rows = tx.execute(_unknown_of_agent, {"agent": agent, "epoch": epoch})
    return [Unknown(**row) for row in rows.mappings()]


def unknown_all_txn(tx: Transaction) -> list[Unknown]:
    """Every guest in the cell that no record knows."""
    return [Unknown(**row) for row in tx.execute(_unknown).mappings()]


def unknown_has_txn(tx: Transaction, host: HostName, server_id: ServerId) -> bool:
    """Whether a guest is noted."""
    return tx.execute(select(unknown_guests.c.host).where(_is(host, server_id))).first() is not None


def unknown_add_txn(tx: Transaction, guest: Guest) -> None:
    """Note a guest that no record knows."""
    unknown_forget_txn(tx, guest.host, guest.server_id)
    key = {"host": guest.host, "server_id": guest.server_id}
    tx.execute(insert(unknown_guests), {**key, "cell_id": guest.cell_id, "first_seen_at": tx.now})


def unknown_forget_txn(tx: Transaction, host: HostName, server_id: ServerId) -> None:
    """It is gone, or has a record."""
    tx.execute(delete(unknown_guests).where(_is(host, server_id)))


def _is(host: HostName, server_id: ServerId) -> ColumnElement[bool]:
    return and_(unknown_guests.c.host == host, unknown_guests.c.server_id == server_id)
