"""Oversight: the operations of the whole cloud, wherever they stand, and what operators may do to them."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from kilonova.database.database import Database, Transaction
from kilonova.engine import intervene, store
from kilonova.engine.intervene import NoSuchOperation
from kilonova.engine.plan import Plan
from kilonova.engine.runner import Projection, hosts_topic
from kilonova.engine.search import Search, operations_found_txn
from kilonova.kernel.errors import Conflict, Unavailable
from kilonova.kernel.ids import OperationId
from kilonova.objects.operation import Operation, OperationEvent
from kilonova.objects.server import Fault, Server, VmState
from kilonova.operations import notices, projection, requests, schedule
from kilonova.operations import store as server_store
from kilonova.operations.catalog import CELL_PLANS
from kilonova.operations.conductor import GLOBAL_PLANS
from kilonova.operations.work import Parts, Work

GLOBAL = "api"
"""What the API database is called beside the names of cells."""
ANSWER_S = 10.0
"""How long a search waits for a cell."""

log = logging.getLogger(__name__)


class NothingToSupersede(Conflict):
    """Operation {id} ends the server {server_id}, which is deleted for its user already; abandon it if it can't be finished."""

    code = "operation-ends-server"


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """An operation and where it stands."""

    cell: str
    """The cell's name, or `api` for servers that are nowhere yet."""
    operation: Operation


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search has found, the oldest first, and the cells that did not answer."""

    operations: tuple[Placed, ...]
    unanswered: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Site:
    """One database that operations stand in, and how they are carried out there."""

    name: str
    database: Database
    plans: Mapping[str, Plan[Work]]
    project: Projection
    topics: tuple[str, ...]


class Oversight:
    """Finds operations in every database, and intervenes for operators."""

    def __init__(self, parts: Parts) -> None:
        """Work with the parts of this process."""
        self._parts = parts

    async def find(self, search: Search, cell: str | None = None) -> Found:
        """What `search` asks for, in the cell called `cell` or everywhere."""
        sites = [site for site in self._sites() if cell in {None, site.name}]
        answers = await asyncio.gather(*(self._ask(site, search) for site in sites))
        unanswered = [site.name for site, answer in zip(sites, answers, strict=True) if answer is None]
        placed = [
            Placed(cell=site.name, operation=operation)
            for site, answer in zip(sites, answers, strict=True)
            for operation in answer or ()
        ]
        placed.sort(key=lambda one: (one.operation.created_at, one.operation.id))
        return Found(operations=tuple(placed[: search.limit]), unanswered=tuple(unanswered))

    async def show(self, operation_id: OperationId) -> tuple[Placed, Sequence[OperationEvent]]:
        """One operation and its log. Raises `NoSuchOperation`, `Unavailable` when it may be in a cell that doesn't answer."""
        site, operation = await self._locate(operation_id)
        events = await site.database.read(store.events_of_txn, operation_id)
        return Placed(cell=site.name, operation=operation), events

    async def retry(self, operation_id: OperationId, reason: str) -> Placed:
        """See `intervene.retry_txn`."""
        return await self._intervene(
            operation_id, lambda tx, _site, _operation: intervene.retry_txn(tx, operation_id, reason)
        )

    async def abandon(self, operation_id: OperationId, reason: str) -> Placed:
        """See `intervene.abandon_txn`."""

        def abandon_txn(tx: Transaction, site: _Site, operation: Operation) -> Operation:
            plan = site.plans[operation.kind]
            return intervene.abandon_txn(tx, plan, operation_id, reason, site.project)

        return await self._intervene(operation_id, abandon_txn)

    async def supersede(self, operation_id: OperationId, reason: str) -> Placed:
        """End an operation where it stands, and put its server in ERROR, from where it can be deleted or rebuilt.

        Raises what `intervene.supersede_txn` raises, and `NothingToSupersede` where the server is gone for its user.
        """

        def supersede_txn(tx: Transaction, site: _Site, operation: Operation) -> Operation:
            server = server_store.server_find_txn(tx, operation.server_id)
            if server is None or server.vm_state is VmState.DELETED:
                raise NothingToSupersede(id=operation_id, server_id=operation.server_id)
            ended = intervene.supersede_txn(tx, site.plans[operation.kind], operation_id, reason)
            broken = server_store.server_change_txn(
                tx, server.id, lambda server: _in_error(server, ended, reason, tx.now)
            )
            notices.ended_txn(tx, broken, ended)
            return ended

        return await self._intervene(operation_id, supersede_txn)

    async def _intervene(
        self, operation_id: OperationId, work: Callable[[Transaction, _Site, Operation], Operation]
    ) -> Placed:
        site, operation = await self._locate(operation_id)
        after = await site.database.write(work, site, operation)
        for topic in site.topics:
            self._parts.bus.hint(topic)
        return Placed(cell=site.name, operation=after)

    async def _locate(self, operation_id: OperationId) -> tuple[_Site, Operation]:
        trouble: Unavailable | None = None
        for site in reversed(self._sites()):  # a boot may be in both for a moment: the cell's is the one that goes on
            try:
                operation = await site.database.read(store.operation_get_txn, operation_id)
            except Unavailable as error:
                trouble = error
                continue
            if operation is not None:
                return site, operation
        raise trouble or NoSuchOperation(id=operation_id)

    async def _ask(self, site: _Site, search: Search) -> list[Operation] | None:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await site.database.scan(operations_found_txn, search)
        except (Unavailable, TimeoutError):
            log.warning("the database of %s does not answer: operations are listed without it", site.name)
            return None

    def _sites(self) -> list[_Site]:
        """The API database, then every cell's."""
        of_api = _Site(
            name=GLOBAL,
            database=self._parts.database,
            plans=GLOBAL_PLANS,
            project=requests.project_txn,
            topics=(schedule.TOPIC,),
        )
        of_cells = [
            _Site(
                name=cell.record.name,
                database=cell.database,
                plans=CELL_PLANS,
                project=projection.project_txn,
                topics=(cell.topic, hosts_topic(cell.topic)),
            )
            for cell in self._parts.cells.all
        ]
        return [of_api, *of_cells]


def _in_error(server: Server, ended: Operation, reason: str, now: float) -> Server:
    if server.current_op != ended.id:
        return server
    message = f"An administrator ended the {ended.kind}: {reason}"
    details = message if ended.error is None else f"{message} ({ended.error})"
    fault = Fault(code=500, message=message[:255], details=details, created_at=now)
    return msgspec.structs.replace(server, vm_state=VmState.ERROR, task_state=None, current_op=None, fault=fault)


def as_document(placed: Placed, now: float) -> dict[str, Any]:
    """An operation as operators are shown it; what was asked and what steps have left may be secret and stays inside."""
    operation = msgspec.to_builtins(placed.operation)
    shown = {name: value for name, value in operation.items() if name not in {"params", "outputs"}}
    return {"cell": placed.cell, **shown, "age_s": round(now - placed.operation.created_at, 3)}
