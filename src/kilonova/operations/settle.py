"""Settling: the global level reads which servers are gone from the cells, and which have changed, and keeps its books by it.

Cells call nobody: they leave a line in `settlements` in the transaction that deletes, resizes, rebuilds or moves, and it is
fetched here.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from kilonova.cells import server_map
from kilonova.cells.cells import Cell
from kilonova.database.database import Transaction
from kilonova.engine.runner import ended_topic
from kilonova.engine.store import operation_get_txn
from kilonova.kernel.errors import Unavailable
from kilonova.kernel.ids import ServerId
from kilonova.objects.flavor import Flavor
from kilonova.objects.server import Server, VmState
from kilonova.operations import store
from kilonova.operations.quota import Size, ledger_remove_txn, ledger_set_txn, size_of
from kilonova.operations.work import Parts

log = logging.getLogger(__name__)

POLL_S = 1.0
MOST_AT_ONCE = 500


class Settler:
    """Settles every cell's deletes and resizes."""

    def __init__(self, parts: Parts) -> None:
        """Work with the parts of this process."""
        self._parts = parts

    async def run(self, cell: Cell) -> None:
        """Settle one cell until cancelled."""
        listener = self._parts.bus.listen(ended_topic(cell.topic))
        try:
            while True:
                try:
                    while await self._settle(cell):
                        pass
                except Unavailable as error:
                    log.warning("%s", error.message)
                await listener.wait(POLL_S)
        finally:
            listener.close()

    async def _settle(self, cell: Cell) -> bool:
        """Settle a batch; whether there was one."""
        due, living = await cell.database.read(_due_txn)
        if not due:
            return False
        await self._parts.database.write(_settle_txn, list(due), living)
        await cell.database.write(store.settlements_clear_txn, due)
        return True


@dataclass(frozen=True)
class _Living:
    """A server that lives, and what its project is charged for it."""

    server: Server
    size: Size


def _due_txn(tx: Transaction) -> tuple[dict[ServerId, float], dict[ServerId, _Living]]:
    """What is to be settled, and those of the servers that live."""
    due = store.settlements_txn(tx, MOST_AT_ONCE)
    living = {}
    for server_id in due:
        server = store.server_find_txn(tx, server_id)
        if server is not None and server.vm_state is not VmState.DELETED:
            living[server_id] = _Living(server, size_of(*_flavors_txn(tx, server)))
    return due, living


def _flavors_txn(tx: Transaction, server: Server) -> list[Flavor]:
    """The flavors that a server has, may go back to, or is just being given."""
    found = [server.flavor]
    if server.move is not None:
        found += [server.move.old_flavor, server.move.new_flavor]
    live = None if server.current_op is None else operation_get_txn(tx, server.current_op)
    if live is not None and "flavor" in live.params:
        found.append(msgspec.convert(live.params["flavor"], Flavor))
    return found


def _settle_txn(tx: Transaction, settled: list[ServerId], living: Mapping[ServerId, _Living]) -> None:
    gone = [server_id for server_id in settled if server_id not in living]
    ledger_remove_txn(tx, gone)
    server_map.mappings_deleted_txn(tx, gone)
    ledger_set_txn(tx, {server_id: one.size for server_id, one in living.items()})
    for server_id, one in living.items():
        server = one.server
        server_map.mapping_set_outline_txn(tx, server_id, server.flavor, server.image_id, server.availability_zone)
