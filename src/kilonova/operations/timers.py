"""Timers: operations that begin by themselves, in the service's name, when a server has been in a state for long enough."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import bindparam, select

from kilonova.cells.cells import Cell
from kilonova.database.database import Transaction
from kilonova.engine.runner import hosts_topic
from kilonova.kernel.errors import Conflict, NotFound, Unavailable
from kilonova.kernel.ids import OperationId, ServerId
from kilonova.objects.server import Server, VmState
from kilonova.operations import accept
from kilonova.operations.accept import Acceptance
from kilonova.operations.plans import confirm_resize, offload
from kilonova.operations.store import servers
from kilonova.operations.work import Parts

log = logging.getLogger(__name__)

LOOK_EVERY_S = 10.0

_resting = select(servers.c.body).where(
    servers.c.vm_state == bindparam("state"), servers.c.current_op.is_(None), servers.c.deleted_at.is_(None)
)
_decode = msgspec.json.Decoder(Server).decode


@dataclass(frozen=True, kw_only=True)
class Timer:
    """One kind of operation that begins by itself."""

    name: str
    vm_state: VmState
    """The state in which servers wait for it."""
    since: Callable[[Server], float | None]
    """Since when a server has waited; None: it doesn't."""
    after_s: float
    accept: Callable[[Transaction, ServerId, Acceptance], object]
    """Begins it. Raises `Conflict` and `NotFound` for a server that has changed meanwhile."""


class Timers:
    """The timers of one cell. Any number may run beside one another: a server's row decides who begins an operation."""

    def __init__(self, parts: Parts, cell: Cell, timers: Sequence[Timer]) -> None:
        """Look after the servers of `cell`."""
        self._parts = parts
        self._cell = cell
        self._timers = timers

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._parts.runtime.sleep(LOOK_EVERY_S)
            for timer in self._timers:
                try:
                    await self._look(timer)
                except Unavailable as error:
                    log.warning("%s", error.message)

    async def _look(self, timer: Timer) -> None:
        due = await self._cell.database.scan(_due_txn, timer)
        for server in due:
            asked = Acceptance(
                operation_id=OperationId(self._parts.runtime.uuid()),
                request_id=f"req-{self._parts.runtime.uuid()}",
                project_id=server.project_id,
                user_id=server.user_id,
            )
            try:
                await self._cell.database.write(timer.accept, server.id, asked)
            except (Conflict, NotFound) as error:
                log.info("%s of %s does not begin: %s", timer.name, server.id, error.message)
        if due:
            self._parts.bus.hint(self._cell.topic)
            self._parts.bus.hint(hosts_topic(self._cell.topic))


def resize_confirmation(window_s: float) -> Timer:
    """Confirm resizes and migrations that nobody has confirmed or reverted within `window_s` seconds."""
    return Timer(
        name="the automatic confirmation",
        vm_state=VmState.RESIZED,
        since=lambda server: None if server.move is None else server.move.finished_at,
        after_s=window_s,
        accept=lambda tx, server_id, asked: accept.act_txn(tx, server_id, confirm_resize.PLAN, {}, asked),
    )


def shelved_offload(after_s: float) -> Timer:
    """Let shelved servers leave their hosts `after_s` seconds after they were shelved."""
    return Timer(
        name="the offload",
        vm_state=VmState.SHELVED,
        since=lambda server: None if server.shelved is None else server.shelved.at,
        after_s=after_s,
        accept=lambda tx, server_id, asked: accept.act_txn(tx, server_id, offload.PLAN, {}, asked),
    )


def reclaim(after_s: float) -> Timer:
    """Delete soft-deleted servers `after_s` seconds after they were."""
    return Timer(
        name="the reclaim",
        vm_state=VmState.SOFT_DELETED,
        since=lambda server: server.soft_deleted_at,
        after_s=after_s,
        accept=accept.delete_txn,
    )


def _due_txn(tx: Transaction, timer: Timer) -> list[Server]:
    """The servers whose time has come."""
    found = []
    for row in tx.execute(_resting, {"state": timer.vm_state}):
        server = _decode(row.body)
        since = timer.since(server)
        if since is not None and since + timer.after_s <= tx.now:
            found.append(server)
    return found
