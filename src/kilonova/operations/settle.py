"""Settling: the global level reads which servers are gone from the cells, and strikes them from the ledger and the map.

Cells call nobody: they leave a line in `settlements` in the transaction that deletes, and it is fetched here.
"""

import logging

from kilonova.cells import server_map
from kilonova.cells.cells import Cell
from kilonova.database.database import Transaction
from kilonova.engine.runner import ended_topic
from kilonova.kernel.errors import Unavailable
from kilonova.kernel.ids import ServerId
from kilonova.operations import store
from kilonova.operations.quota import ledger_remove_txn
from kilonova.operations.work import Parts

log = logging.getLogger(__name__)

POLL_S = 2.0
MOST_AT_ONCE = 500


class Settler:
    """Settles every cell's deletes."""

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
        gone = await cell.database.read(store.settlements_txn, MOST_AT_ONCE)
        if not gone:
            return False
        await self._parts.database.write(_settle_txn, gone)
        await cell.database.write(store.settlements_clear_txn, gone)
        return True


def _settle_txn(tx: Transaction, gone: list[ServerId]) -> None:
    ledger_remove_txn(tx, gone)
    server_map.mappings_deleted_txn(tx, gone)
