"""The only module that writes servers, tombstones and settlements."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
from sqlalchemy import MetaData, bindparam, delete, insert, select, update

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.database.tables import server_tables
from kilonova.database.tables.cell_database import settlements, tombstones
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.server import Server, VmState
from kilonova.operations import notices

# The same tables stand in every cell's database and in the API database: statements made from these run in each.
_metadata = MetaData()
servers = server_tables.servers(_metadata)
server_tags = server_tables.server_tags(_metadata)
server_metadata = server_tables.server_metadata(_metadata)

_decoder = msgspec.json.Decoder(Server)
_by_id = Prepared(select(servers.c.body, servers.c.version).where(servers.c.id == bindparam("key")))
_known = select(servers.c.id).where(servers.c.id.in_(bindparam("keys", expanding=True)))
_insert = Prepared(insert(servers))
_delete = Prepared(delete(servers).where(servers.c.id == bindparam("key")))
_tags_insert, _metadata_insert = insert(server_tags), insert(server_metadata)
_tags_delete = Prepared(delete(server_tags).where(server_tags.c.server_id == bindparam("key")))
_metadata_delete = Prepared(delete(server_metadata).where(server_metadata.c.server_id == bindparam("key")))
_settlements = Prepared(
    select(settlements)
    .where(settlements.c.created_at <= bindparam("now"))
    .order_by(settlements.c.created_at)
    .limit(bindparam("most"))
)
_may_run_on = Prepared(
    select(tombstones.c.host).where(tombstones.c.server_id == bindparam("key"), tombstones.c.may_run.is_(True))
)
_update = Prepared(update(servers).where(servers.c.id == bindparam("key"), servers.c.version == bindparam("believed")))


class NoSuchServer(NotFound):
    """Instance {id} could not be found."""

    code = "no-such-server"


def server_find_txn(tx: Transaction, server_id: ServerId) -> Server | None:
    """One server, deleted or not; None when this cell has never had it."""
    row = tx.execute(_by_id, {"key": server_id}).first()
    return None if row is None else _decoder.decode(row.body)


def server_get_txn(tx: Transaction, server_id: ServerId) -> Server:
    """One server that is not deleted. Raises `NoSuchServer`."""
    server = server_find_txn(tx, server_id)
    if server is None or server.vm_state is VmState.DELETED:
        raise NoSuchServer(id=server_id)
    return server


def bodies_living_txn(tx: Transaction, ids: Collection[str]) -> dict[ServerId, bytes]:
    """The bodies of those servers with one of `ids` that are here and not deleted."""
    living = (servers.c.id.in_(list(ids)), servers.c.vm_state != VmState.DELETED)
    rows = tx.execute(select(servers.c.id, servers.c.body).where(*living))
    return {ServerId(row.id): row.body for row in rows}


def servers_known_txn(tx: Transaction, ids: Collection[ServerId]) -> frozenset[ServerId]:
    """Those of `ids` that are servers of this cell, deleted or not."""
    if not ids:
        return frozenset()
    return frozenset(tx.execute(_known, {"keys": sorted(ids)}).scalars())


def server_insert_txn(tx: Transaction, server: Server) -> bool:
    """Add a server; False when there is one with its id already, which stays as it is."""
    if tx.execute(_by_id, {"key": server.id}).first() is not None:
        return False
    tx.execute(_insert, {**_columns(server), "version": 1})
    _index_txn(tx, None, server)
    return True


def server_change_txn(tx: Transaction, server_id: ServerId, change: Callable[[Server], Server]) -> Server:
    """Replace a server by what `change` makes of it, if that is different. Raises `NoSuchServer`, and what `change` raises."""
    return server_replace_txn(tx, server_id, change)[1]


def server_replace_txn(
    tx: Transaction, server_id: ServerId, change: Callable[[Server], Server]
) -> tuple[Server, Server]:
    """As `server_change_txn`; the server as it was and as it is.

    The write is a compare-and-swap on the row's version: the transaction is run again by its database when it loses.
    """
    row = tx.execute(_by_id, {"key": server_id}).first()
    if row is None:
        raise NoSuchServer(id=server_id)
    before = _decoder.decode(row.body)
    after = change(before)
    if after == before:
        return before, before
    after = msgspec.structs.replace(after, updated_at=tx.now)
    values = _columns(after)
    values.update(key=values.pop("id"), believed=row.version, version=row.version + 1)
    if tx.execute(_update, values).rowcount != 1:
        raise LostRace(server_id=server_id)
    _index_txn(tx, before, after)
    notices.changed_txn(tx, before, after)
    return before, after


def server_forget_txn(tx: Transaction, server_id: ServerId) -> None:
    """Remove a server's rows: it lives on in a cell."""
    for statement in (_tags_delete, _metadata_delete, _delete):
        tx.execute(statement, {"key": server_id})


def tombstone_add_txn(
    tx: Transaction, host: HostName, server_id: ServerId, generation: int, *, may_run: bool = False
) -> None:
    """Remember that `host` owes the end of a guest; `may_run` says that the guest may run there now."""
    tombstone_clear_txn(tx, host, server_id)
    values = {
        "host": host,
        "server_id": server_id,
        "generation": generation,
        "may_run": may_run,
        "created_at": tx.now,
    }
    tx.execute(insert(tombstones), values)


def tombstone_clear_txn(tx: Transaction, host: HostName, server_id: ServerId) -> None:
    """Forget a debt that is settled."""
    tx.execute(delete(tombstones).where(tombstones.c.host == host, tombstones.c.server_id == server_id))


def may_run_on_txn(tx: Transaction, server_id: ServerId) -> HostName | None:
    """A host that can't be asked and may run the server's guest, although the server lives elsewhere; None when there is none."""
    row = tx.execute(_may_run_on, {"key": server_id}).first()
    return None if row is None else HostName(row.host)


def settlement_add_txn(tx: Transaction, server_id: ServerId, due_at: float) -> None:
    """Tell the global level that a server is gone from this cell, or that its line in the ledger has to be set anew.

    Done no sooner than `due_at`, in place of what was to be done for it before.
    """
    tx.execute(delete(settlements).where(settlements.c.server_id == server_id))
    tx.execute(insert(settlements), {"server_id": server_id, "created_at": due_at})


def settlements_txn(tx: Transaction, most: int) -> dict[ServerId, float]:
    """Servers that the global level has to settle by now, longest waiting first, and since when."""
    return {ServerId(row.server_id): row.created_at for row in tx.execute(_settlements, {"now": tx.now, "most": most})}


def settlements_clear_txn(tx: Transaction, settled: Mapping[ServerId, float]) -> None:
    """Forget what is settled, unless there is something new."""
    for server_id, due_at in settled.items():
        tx.execute(delete(settlements).where(settlements.c.server_id == server_id, settlements.c.created_at == due_at))


class LostRace(Conflict):
    """Server {server_id} was changed by another writer at the same moment; please try again."""

    code = "lost-race"


def _columns(server: Server) -> dict[str, Any]:
    """The row of a server: its body, and the columns that index it."""
    return {
        "id": server.id,
        "body": msgspec.json.encode(server),
        "project_id": server.project_id,
        "user_id": server.user_id,
        "name": server.name,
        "hostname": server.hostname,
        "host": server.host,
        "flavor_id": server.flavor.id,
        "image_id": server.image_id,
        "key_name": server.key_name,
        "availability_zone": server.availability_zone,
        "description": server.description,
        "reservation_id": server.reservation_id,
        "launch_index": server.launch_index,
        "vm_state": server.vm_state,
        "task_state": server.task_state,
        "power_state": server.power_state,
        "locked": server.locked,
        "config_drive": server.config_drive,
        "current_op": server.current_op,
        "generation": server.generation,
        "access_ip_v4": server.access_ip_v4,
        "access_ip_v6": server.access_ip_v6,
        "root_device_name": server.root_device_name,
        "progress": server.progress,
        "locked_by": server.locked_by,
        "disk_config": server.disk_config,
        "kernel_id": server.image_properties.get("kernel_id"),
        "ramdisk_id": server.image_properties.get("ramdisk_id"),
        "addresses": "".join(f" {a.address} " for nic in server.nics for a in nic.addresses),
        "created_at": server.created_at,
        "updated_at": server.updated_at,
        "launched_at": server.launched_at,
        "deleted_at": server.deleted_at,
    }


def _index_txn(tx: Transaction, before: Server | None, after: Server) -> None:
    """Keep the rows that tags and metadata are searched by in step with the body."""
    had_tags, had_metadata = ((), {}) if before is None else (before.tags, before.metadata)
    if had_tags != after.tags:
        if had_tags:
            tx.execute(_tags_delete, {"key": after.id})
        if after.tags:
            tx.execute(_tags_insert, [{"server_id": after.id, "tag": tag} for tag in after.tags])
    if had_metadata != after.metadata:
        if had_metadata:
            tx.execute(_metadata_delete, {"key": after.id})
        if after.metadata:
            rows = [{"server_id": after.id, "key": key, "value": value} for key, value in after.metadata.items()]
            tx.execute(_metadata_insert, rows)
