"""The watch: operations whose host does not do its step are moved on without it. Nothing waits for a dead host."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from kilonova.bus.bus import Bus
from kilonova.database.database import Database, Transaction
from kilonova.engine import progress, store
from kilonova.engine.plan import Plan
from kilonova.engine.runner import Projection, move_txn
from kilonova.engine.store import AtHost
from kilonova.kernel.errors import Unavailable
from kilonova.kernel.ids import HostName
from kilonova.runtime.runtime import Runtime

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
LATE_S = 5.0
"""How much longer than its timeout a step may take that an agent is doing: the agent should say so itself."""


class Watch:
    """Looks after the host steps of one cell."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        database: Database,
        bus: Bus,
        topic: str,
        plans: Mapping[str, Plan[Any]],
        project: Projection,
        hosts_up: Callable[[], Awaitable[frozenset[HostName]]],
    ) -> None:
        """`hosts_up` tells which hosts are there; `topic` is hinted when an operation moved on."""
        self._runtime = runtime
        self._database = database
        self._bus = bus
        self._topic = topic
        self._plans = plans
        self._project = project
        self._hosts_up = hosts_up

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._runtime.sleep(LOOK_EVERY_S)
            try:
                await self._look()
            except Unavailable as error:
                log.warning("%s", error.message)

    async def _look(self) -> None:
        now, at_hosts = await self._database.scan(store.operations_at_hosts_txn)
        if not at_hosts:
            return
        up = await self._hosts_up()
        for operation in at_hosts:
            reason = self._lost(operation, up, now)
            if reason is not None:
                await self._database.write(self._give_up_txn, operation, reason)
                self._bus.hint(self._topic)

    def _lost(self, operation: AtHost, up: frozenset[HostName], now: float) -> str | None:
        """Why its host won't do the step; None while it still may."""
        leased = operation.lease_until > now
        if operation.host not in up and not leased:
            return f"host {operation.host} is down"
        step = self._plans[operation.kind].step(operation.step)
        since = operation.updated_at if leased else operation.not_before
        if now > since + step.timeout_s + (LATE_S if leased else 0.0):
            return f"host {operation.host} did not finish {step.name} within {step.timeout_s:g} s"
        return None

    def _give_up_txn(self, tx: Transaction, seen: AtHost, reason: str) -> None:
        """Take the operation over, so that a late report is refused, and move it on."""
        operation = store.operation_get_txn(tx, seen.id)
        if operation is None or operation.epoch != seen.epoch or operation.host != seen.host:
            return
        taken = msgspec.structs.replace(operation, epoch=operation.epoch + 1)
        if store.operation_save_txn(tx, operation, taken):
            move_txn(tx, self._plans[operation.kind], taken, progress.Lost(reason), self._project)
