"""Boot, the global part: find a host and claim it, then hand the server over to the host's cell.

A server that gets no host is handed to cell0, in ERROR and with the reasons. The hand-over is repeatable: the server's id is a
primary key in the cell, and the request here ends only after the cell has it.
"""

from typing import Any

import msgspec

from kilonova.database.database import Transaction
from kilonova.engine import progress
from kilonova.engine import store as operation_store
from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.engine.runner import TooEarly
from kilonova.kernel.errors import KilonovaError, Unavailable
from kilonova.kernel.ids import CELL0, CellId, HostName
from kilonova.objects.operation import Operation, OperationEvent, OperationState
from kilonova.objects.server import Fault, Server, TaskState, VmState
from kilonova.operations import notices, portions, store
from kilonova.operations.accept import Acceptance, new_operation
from kilonova.operations.plans import boot
from kilonova.operations.work import TakenOver, Work, still_ours_txn
from kilonova.scheduler.decide import NoValidHost
from kilonova.scheduler.service import Owner, Placed

TOPIC = "requests"
"""Hinted when a server wants a host."""

PATIENCE_S = 300.0
"""How long placement may be out of reach before the boot is given up."""


async def schedule(work: Work) -> Outputs:
    """Choose a host and claim what the server takes there; a server that can't have one gets its refusal."""
    try:
        return await _place(work)
    except (Unavailable, TakenOver, TooEarly) as error:
        if work.parts.runtime.now() < work.operation.created_at + PATIENCE_S:
            raise
        return _refused("No valid host was found: the placement service did not answer.", error.message)
    except KilonovaError as error:
        return _refused(error.message, error.message)


async def _place(work: Work) -> Outputs:
    generation = await work.parts.placement.consumer_generation(work.operation.server_id)
    server = await work.server()
    request, hosts = await work.parts.snapshots.take(server)
    owner = Owner(consumer=server.id, generation=generation, project_id=server.project_id, user_id=server.user_id)
    answer = await work.parts.scheduler.place(request, hosts, owner)
    match answer:
        case Placed():
            found = {"cell_id": answer.host.cell_id, "host": answer.host.name, "zone": answer.host.zone}
            return {**found, **portions.told(answer.portion)}
        case NoValidHost():
            if generation is not None:
                await work.release_claim()  # an earlier attempt may have claimed a host and never heard of it
            return _refused(answer.message, answer.details)
        case _:
            raise TooEarly(0.0, "another worker has just changed what the server holds")


async def handover(work: Work) -> Outputs:
    """Give the server to the cell that was chosen; to cell0 when none was."""
    operation = work.operation
    cell = work.parts.cells.get(CellId(operation.outputs["cell_id"]))
    server, log = await work.database.read(_request_txn, operation)
    if cell.id == CELL0:
        await cell.database.write(_bury_txn, operation, server, log)
    else:
        await cell.database.write(_hand_over_txn, operation, server, log)
        work.parts.bus.hint(cell.topic)
    return {}


def _request_txn(tx: Transaction, operation: Operation) -> tuple[Server, list[OperationEvent]]:
    """The server and the log of its boot. Raises `TakenOver`."""
    still_ours_txn(tx, operation)
    server = store.server_get_txn(tx, operation.server_id)
    log = operation_store.events_of_txn(tx, operation.id)
    return msgspec.structs.replace(server, request_epoch=operation.epoch), log


def _refused(message: str, details: str) -> Outputs:
    return {"cell_id": CELL0, "refusal": {"message": message, "details": details}}


def _hand_over_txn(tx: Transaction, request: Operation, server: Server, log: list[OperationEvent]) -> None:
    outputs = request.outputs
    operation = _cell_operation(request, {"host": outputs["host"], "generation": server.generation}, tx.now)
    placed = msgspec.structs.replace(
        server,
        host=HostName(outputs["host"]),
        availability_zone=outputs["zone"],
        portion=portions.of(outputs),
        task_state=TaskState.NETWORKING,
        current_op=operation.id,
    )
    if store.server_insert_txn(tx, placed):
        operation_store.operation_insert_txn(tx, operation)
        operation_store.events_insert_txn(tx, log)
    else:
        store.server_change_txn(tx, server.id, lambda there: _carried(there, server))


def _bury_txn(tx: Transaction, request: Operation, server: Server, log: list[OperationEvent]) -> None:
    refusal = request.outputs["refusal"]
    fault = Fault(code=500, message=refusal["message"], details=refusal["details"], created_at=tx.now)
    buried = msgspec.structs.replace(
        server, vm_state=VmState.ERROR, task_state=None, current_op=None, fault=fault, updated_at=tx.now
    )
    if store.server_insert_txn(tx, buried):
        ended = _cell_operation(request, {}, tx.now)
        params = progress.without(ended.params, boot.SECRETS)
        operation = msgspec.structs.replace(ended, state=OperationState.FAILED, params=params, error=fault.message)
        operation_store.operation_insert_txn(tx, operation)
        operation_store.events_insert_txn(tx, log)
        operation_store.event_add_txn(tx, operation, "failed", fault.details, step="schedule")
        notices.ended_txn(tx, buried, operation)
    else:
        store.server_change_txn(tx, server.id, lambda there: _carried(there, server))


def _cell_operation(request: Operation, params: dict[str, Any], now: float) -> Operation:
    """The cell's part of the boot: the same operation, with the plan of the cell."""
    asked = Acceptance(
        operation_id=request.id,
        request_id=request.request_id,
        project_id=request.project_id,
        user_id=request.user_id,
    )
    operation = new_operation(boot.PLAN, request.server_id, {"host": None, **request.params, **params}, asked, now)
    return msgspec.structs.replace(operation, created_at=request.created_at)


def _carried(there: Server, server: Server) -> Server:
    """What the user changed since an earlier attempt at the hand-over; a late attempt with an older copy changes nothing."""
    if there.vm_state is VmState.DELETED or there.request_epoch >= server.request_epoch:
        return there
    return msgspec.structs.replace(
        there,
        request_epoch=server.request_epoch,
        name=server.name,
        hostname=server.hostname,
        description=server.description,
        metadata=server.metadata,
        tags=server.tags,
        access_ip_v4=server.access_ip_v4,
        access_ip_v6=server.access_ip_v6,
        disk_config=server.disk_config,
        locked=server.locked,
        locked_by=server.locked_by,
        locked_reason=server.locked_reason,
    )


PLAN: Plan[Work] = Plan(
    kind="boot",
    deadline_s=24 * 3600.0,
    secrets=boot.SECRETS,
    steps=(
        Step(name="schedule", ensure=schedule, retries=1_000_000, timeout_s=30.0),
        Step(name="handover", ensure=handover, retries=1_000_000, timeout_s=30.0),
    ),
)
