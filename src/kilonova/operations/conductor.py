"""The conductors: who carries operations out. One for the whole cloud, and one for each cell; any number may run beside."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from kilonova.cells.cells import Cell
from kilonova.cells.hosts import hosts_up_txn
from kilonova.engine.runner import Pace, Runner
from kilonova.engine.watch import Watch
from kilonova.objects.operation import Operation
from kilonova.operations import discovery, projection, requests, schedule
from kilonova.operations.auditor import Auditor, AuditPace
from kilonova.operations.plans import CELL_PLANS, GLOBAL_PLANS
from kilonova.operations.settle import Settler
from kilonova.operations.work import Parts, Work

log = logging.getLogger(__name__)


class GlobalConductor:
    """Finds hosts for servers that are nowhere, maps new hosts, settles what cells have deleted, and audits what is left."""

    def __init__(self, parts: Parts, name: str, pace: Pace | None = None, audit: AuditPace | None = None) -> None:
        """`name` is this incarnation's and no other's."""
        self._parts = parts
        self._auditor = Auditor(parts, audit)
        self._discovery = discovery.Discovery(parts)
        self._settler = Settler(parts)
        self._runner: Runner[Work] = Runner(
            runtime=parts.runtime,
            database=parts.database,
            bus=parts.bus,
            topic=schedule.TOPIC,
            plans=GLOBAL_PLANS,
            context=lambda operation: Work(operation, parts.database, parts),
            project=requests.project_txn,
            owner=name,
            pace=pace,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        settling = [self._settler.run(cell) for cell in self._parts.cells.all]
        await _all(self._runner.run(), self._discovery.run(), self._auditor.run(), *settling)


class CellConductor:
    """Carries out the operations of one cell."""

    def __init__(self, parts: Parts, cell: Cell, name: str, pace: Pace | None = None) -> None:
        """`name` is this incarnation's and no other's."""

        def work(operation: Operation) -> Work:
            return Work(operation, cell.database, parts)

        self._runner: Runner[Work] = Runner(
            runtime=parts.runtime,
            database=cell.database,
            bus=parts.bus,
            topic=cell.topic,
            plans=CELL_PLANS,
            context=work,
            project=projection.project_txn,
            owner=name,
            pace=pace,
        )
        self._watch = Watch(
            runtime=parts.runtime,
            database=cell.database,
            bus=parts.bus,
            topic=cell.topic,
            plans=CELL_PLANS,
            project=projection.project_txn,
            hosts_up=lambda: cell.database.scan(hosts_up_txn),
        )

    async def run(self) -> None:
        """Work until cancelled."""
        await _all(self._runner.run(), self._watch.run())


async def _all(*loops: Coroutine[Any, Any, None]) -> None:
    """Run loops that end only when cancelled, or together with the first that fails."""
    async with asyncio.TaskGroup() as group:
        for loop in loops:
            group.create_task(loop)
