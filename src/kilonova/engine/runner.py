"""The runner: claims operations that are due and steps them, until a host has to, or they end."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from kilonova.bus.bus import Bus
from kilonova.database.database import Database, Transaction
from kilonova.engine import counters, progress, store
from kilonova.engine.counters import Counted
from kilonova.engine.plan import Plan, Step
from kilonova.engine.queue import CONTROL
from kilonova.kernel.errors import KilonovaError, Unavailable
from kilonova.kernel.ids import OperationId
from kilonova.objects.operation import Operation, OperationState
from kilonova.runtime.runtime import Runtime
from kilonova.web import request_ids

C = TypeVar("C")
Projection = Callable[[Transaction, Operation, progress.Move], None]
"""Writes what a move means for other rows, in the move's own transaction."""

AGAIN_S = 0.01
"""Before looking again at what another runner was claiming."""

log = logging.getLogger(__name__)


def hosts_topic(topic: str) -> str:
    """What is hinted when a host's agent has something to do."""
    return f"{topic}/hosts"


def ended_topic(topic: str) -> str:
    """What is hinted when an operation has ended."""
    return f"{topic}/ended"


class TooEarly(KilonovaError):
    """{reason}"""

    code = "too-early"

    def __init__(self, delay_s: float, reason: str) -> None:
        """Raised by a step that has to wait `delay_s` seconds without being at fault."""
        super().__init__(reason=reason)
        self.delay_s = delay_s


@dataclass(frozen=True)
class Pace:
    """How often a runner looks, and how much it takes on."""

    lease_s: float = 15.0
    renew_s: float = 5.0
    poll_s: float = 1.0
    concurrency: int = 64


class Runner(Generic[C]):
    """Steps the operations of one database. Any number of runners may work on one."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        database: Database,
        bus: Bus,
        topic: str,
        plans: Mapping[str, Plan[C]],
        context: Callable[[Operation], C],
        project: Projection,
        owner: str,
        pace: Pace | None = None,
    ) -> None:
        """`topic` is hinted when an operation may be due; `owner` names this incarnation and no other."""
        self._runtime = runtime
        self._database = database
        self._bus = bus
        self._topic = topic
        self._plans = plans
        self._context = context
        self._project = project
        self._owner = owner
        self._pace = pace or Pace()
        self._working: dict[OperationId, tuple[int, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        listener = self._bus.listen(self._topic)
        renewing = self._runtime.spawn(self._renew(), name=f"{self._owner} renew")
        try:
            while True:
                delay_s = self._pace.poll_s
                with _database_trouble_logged():
                    delay_s = await self._take()
                await listener.wait(delay_s)
        finally:
            listener.close()
            renewing.cancel()
            for _, task in self._working.values():
                task.cancel()

    async def _take(self) -> float:
        """Claim what is due and set to work on it; seconds until it is worth looking again."""
        free = self._pace.concurrency - len(self._working)
        due_in_s = await self._database.read(CONTROL.next_due_in_txn)
        if due_in_s is None or not free:
            return self._pace.poll_s
        if due_in_s > 0:
            return min(self._pace.poll_s, due_in_s)
        claimed = await self._database.write(CONTROL.claim_txn, self._owner, self._pace.lease_s, free)
        for operation in claimed:
            task = self._runtime.spawn(self._work(operation), name=f"{operation.kind} {operation.id}")
            self._working[operation.id] = (operation.epoch, task)
        return 0.0 if claimed else AGAIN_S

    async def _work(self, operation: Operation) -> None:
        request_ids.current.set(operation.request_id)
        current: Operation | None = operation
        try:
            with _database_trouble_logged():
                while current is not None and current.state.live and current.lease_until > 0:
                    current = await self._step(current)
        finally:
            was_full = len(self._working) >= self._pace.concurrency
            if self._working.get(operation.id, (0, None))[0] == operation.epoch:
                del self._working[operation.id]
            if was_full or (current is not None and current.state.live):
                self._bus.hint(self._topic)

    async def _step(self, operation: Operation) -> Operation | None:
        """Attempt the step and save what came of it; None when the operation is no longer ours."""
        plan = self._plans[operation.kind]
        outcome = await self._attempt(plan.step(operation.step), operation)
        moved = await self._database.write(
            move_txn, plan, operation, outcome, self._project, lease_s=self._pace.lease_s
        )
        if moved is not None and moved.host is not None:
            self._bus.hint(hosts_topic(self._topic))
        if moved is not None and not moved.state.live:
            self._bus.hint(ended_topic(self._topic))
        return moved

    async def _attempt(self, step: Step[C], operation: Operation) -> progress.Outcome:
        context = self._context(operation)
        try:
            async with asyncio.timeout(step.timeout_s):
                if operation.state is OperationState.UNDOING:
                    if step.undo is not None:
                        await step.undo(context)
                    return progress.Done()
                assert step.ensure is not None, f"step {step.name} of {operation.kind} is the host's"
                return progress.Done(await step.ensure(context))
        except TooEarly as early:
            return progress.Waiting(early.delay_s, early.message)
        except KilonovaError as error:
            final = not isinstance(error, Unavailable)
            return progress.Failed(error.message, final=final, details=error.for_operators)
        except TimeoutError:
            return progress.Failed(f"{step.name} took longer than {step.timeout_s:g} s")
        except Exception as error:  # a bug of ours must not stop the runner: the operation says it
            log.exception("step %s of %s %s failed", step.name, operation.kind, operation.id)
            return progress.Failed(f"{step.name}: unexpected {type(error).__name__}")

    async def _renew(self) -> None:
        """Keep the leases of what is worked on; whoever lost one stops."""
        while True:
            await self._runtime.sleep(self._pace.renew_s)
            held = [(id_, epoch) for id_, (epoch, _) in sorted(self._working.items())]
            if not held:
                continue
            with _database_trouble_logged():
                ours = await self._database.write(store.operations_renew_txn, self._owner, held, self._pace.lease_s)
                for id_, epoch in held:
                    now_at, task = self._working.get(id_, (0, None))
                    if id_ not in ours and now_at == epoch and task is not None:
                        task.cancel()


def move_txn(
    tx: Transaction,
    plan: Plan[Any],
    operation: Operation,
    outcome: progress.Outcome,
    project: Projection,
    *,
    lease_s: float = 0.0,
) -> Operation | None:
    """Move an operation on, its log and what depends on it; None when it was taken over or superseded meanwhile.

    A worker that goes on with the next step renews its lease by `lease_s` seconds with this.
    """
    leased = msgspec.structs.replace(operation, lease_until=tx.now + lease_s) if lease_s else operation
    move = progress.after(plan, leased, outcome, tx.now)
    if not store.operation_save_txn(tx, operation, move.operation):
        counters.count_txn(tx, Counted.EPOCHS_REJECTED)
        return None
    if move.result == "undone":
        counters.count_txn(tx, Counted.UNDOS)
    store.event_add_txn(tx, operation, move.result, move.message)
    project(tx, operation, move)
    return move.operation


@contextlib.contextmanager
def _database_trouble_logged() -> Any:
    """A database that can't be reached ends this round, not the runner: leases run out and work is taken up again."""
    try:
        yield
    except Unavailable as error:
        log.warning("%s", error.message)
