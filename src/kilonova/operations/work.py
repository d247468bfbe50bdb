"""What the steps of an operation work with."""

from dataclasses import dataclass

from kilonova.bus.bus import Bus
from kilonova.cells.cells import Cells
from kilonova.cells.hosts import Hosts
from kilonova.clients.network import Networks
from kilonova.database.database import Database
from kilonova.engine import store
from kilonova.kernel.errors import Conflict
from kilonova.objects.operation import Operation
from kilonova.objects.server import Server
from kilonova.operations.store import server_get_txn
from kilonova.placement.placement import Placement
from kilonova.runtime.runtime import Runtime
from kilonova.scheduler.service import Scheduler


class TakenOver(Conflict):
    """Operation {id} was taken over by another worker."""

    code = "taken-over"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The services behind every step; one of each in a process."""

    runtime: Runtime
    bus: Bus
    database: Database
    """The API database."""
    cells: Cells
    hosts: Hosts
    placement: Placement
    scheduler: Scheduler
    networks: Networks


@dataclass(frozen=True)
class Work:
    """One attempt at a step: the operation as it was claimed, and the parts."""

    operation: Operation
    database: Database
    """The one the operation stands in."""
    parts: Parts

    async def check_lease(self) -> None:
        """Raise `TakenOver` when the operation was taken over: called between reading outside state and changing it."""
        if not await self.database.read(store.operation_is_ours_txn, self.operation):
            raise TakenOver(id=self.operation.id)

    async def server(self) -> Server:
        """The server, as its cell has it now."""
        return await self.database.read(server_get_txn, self.operation.server_id)
