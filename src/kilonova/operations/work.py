"""What the steps of an operation work with."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property

from kilonova.bus.bus import Bus
from kilonova.cells.cells import Cells
from kilonova.cells.hosts import Hosts
from kilonova.clients.image import Images
from kilonova.clients.network import Networks
from kilonova.clients.volume import NoVolumes, Volumes
from kilonova.database.database import Database, Transaction
from kilonova.engine import store
from kilonova.engine.runner import TooEarly
from kilonova.kernel.errors import Conflict
from kilonova.objects.operation import Operation
from kilonova.objects.server import Server
from kilonova.operations.host_snapshots import HostSnapshots
from kilonova.operations.store import server_get_txn
from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Claim, Stale
from kilonova.runtime.runtime import Runtime
from kilonova.scheduler.service import Scheduler

ASK_AGAIN_S = 1.0
"""Before asking again what did not answer."""


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
    images: Images
    volumes: Volumes = field(default_factory=NoVolumes)

    @cached_property
    def snapshots(self) -> HostSnapshots:
        """What scheduling decisions look at."""
        scheduler = self.scheduler
        return HostSnapshots(self.runtime, self.database, self.cells, self.hosts, scheduler.looks_at, scheduler.aliases)


@dataclass(frozen=True)
class Work:
    """One attempt at a step: the operation as it was claimed, and the parts."""

    operation: Operation
    database: Database
    """The one the operation stands in."""
    parts: Parts

    async def check_lease(self) -> None:
        """Raise `TakenOver` when the operation was taken over: called between reading outside state and changing it."""
        await self.database.read(still_ours_txn, self.operation)

    async def server(self) -> Server:
        """The server, as its cell has it now. Raises `TakenOver` like `check_lease`."""
        return await self.database.read(_server_txn, self.operation)

    async def settle(self, settled: Callable[[], Awaitable[bool]]) -> None:
        """Ask `settled` until it says yes, even when this attempt is cut short meanwhile.

        For what must not be left behind by a worker that may have been taken over: nobody else knows of it. An attempt is
        cancelled when its time is over and when its lease turns out to be lost, and the second may come amid cleaning up.
        """
        name = f"{self.operation.step} of {self.operation.id} settles"
        await asyncio.shield(self.parts.runtime.spawn(self._until(settled), name=name))

    async def _until(self, settled: Callable[[], Awaitable[bool]]) -> None:
        while not await settled():
            await self.parts.runtime.sleep(ASK_AGAIN_S)

    async def release_claim(self, consumer: str | None = None) -> None:
        """Give back what `consumer`, or else the server, holds in placement, so that no earlier worker's claim can come after.

        This is the fence that `Placement` describes: whoever acts between reading the generation and writing wins.
        """
        consumer = consumer or self.operation.server_id
        generation = await self.parts.placement.consumer_generation(consumer)
        await self.check_lease()
        answer: object
        if generation is None:  # a release without one would take away what somebody has claimed since
            nothing = Claim(
                consumer=consumer,
                generation=None,
                allocations={},
                project_id=self.operation.project_id,
                user_id=self.operation.user_id,
            )
            answer = await self.parts.placement.claim(nothing)
        else:
            answer = await self.parts.placement.release(consumer, generation)
        if isinstance(answer, Stale):
            raise TooEarly(0.0, "another worker has just changed what the server holds")


def still_ours_txn(tx: Transaction, operation: Operation) -> None:
    """Raise `TakenOver` when somebody else has the operation now, or it has ended."""
    if not store.operation_is_ours_txn(tx, operation):
        raise TakenOver(id=operation.id)


def _server_txn(tx: Transaction, operation: Operation) -> Server:
    still_ours_txn(tx, operation)
    return server_get_txn(tx, operation.server_id)
