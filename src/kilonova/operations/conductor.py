"""The conductors: who carries operations out. One for the whole cloud, and one for each cell; any number may run beside."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from kilonova.cells.cells import Cell
from kilonova.cells.hosts import hosts_up_txn
from kilonova.engine.plan import Plan
from kilonova.engine.runner import Pace, Runner
from kilonova.engine.watch import Watch
from kilonova.objects.operation import Operation
from kilonova.operations import cancel, discovery, projection, requests, schedule
from kilonova.operations.auditor import Auditor, AuditPace
from kilonova.operations.catalog import CELL_PLANS
from kilonova.operations.settle import Settler
from kilonova.operations.timers import Timer, Timers
from kilonova.operations.work import Parts, Work

log = logging.getLogger(__name__)

GLOBAL_PLANS: Mapping[str, Plan[Work]] = MappingProxyType({plan.kind: plan for plan in (schedule.PLAN, cancel.PLAN)})
"""What is done to servers that are nowhere yet."""


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

    def __init__(
        self, parts: Parts, cell: Cell, name: str, pace: Pace | None = None, timers: Sequence[Timer] = ()
    ) -> None:
        """`name` is this incarnation's and no other's; `timers` are what begins by itself."""

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
        self._timers = Timers(parts, cell, timers)
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
        await _all(self._runner.run(), self._watch.run(), self._timers.run())


async def _all(*loops: Coroutine[Any, Any, None]) -> None:
    """Run loops that end only when cancelled, or together with the first that fails."""
    async with asyncio.TaskGroup() as group:
        for loop in loops:
            group.create_task(loop)
