"""What a move of an operation means for its server's row: `vm_state`, `task_state`, and what steps found out."""

from typing import Any

import msgspec

from kilonova.cells.hosts import host_known_txn
from kilonova.database.database import Transaction
from kilonova.engine.progress import DETAILS, Move
from kilonova.objects.guest import PowerState
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Fault, Server, VmState
from kilonova.operations import migrations, notices, store
from kilonova.operations.catalog import ACTIONS
from kilonova.operations.states import Action


def project_txn(tx: Transaction, before: Operation, move: Move) -> None:
    """Write what `move` means for the server, unless another operation has taken its place."""
    operation = move.operation
    if move.owed_by is not None and host_known_txn(tx, move.owed_by):
        may_run = before.state is OperationState.UNDOING and ACTIONS[operation.kind].strays
        generation = operation.params["generation"]
        store.tombstone_add_txn(tx, move.owed_by, operation.server_id, generation, may_run=may_run)
    if operation.state is before.state and operation.step == before.step and operation.state.live:
        return  # an attempt that will be repeated: nothing that users see has changed
    action = ACTIONS[operation.kind]
    was, server = store.server_replace_txn(
        tx, operation.server_id, lambda server: _shown(server, action, operation, tx.now)
    )
    migrations.moved_txn(tx, operation, was)
    notices.ended_txn(tx, server, operation)
    resized = action.resizes and not operation.state.live
    if server.vm_state is VmState.DELETED or resized or _outline(was) != _outline(server):
        store.settlement_add_txn(tx, server.id, tx.now)


def _outline(server: Server) -> tuple[str, str | None, str | None]:
    """What the global level shows of a server while its cell doesn't answer."""
    return server.flavor.id, server.image_id, server.availability_zone


def _shown(server: Server, action: Action, operation: Operation, now: float) -> Server:
    """The server as it is shown after the operation's move."""
    if server.current_op != operation.id:
        return server
    changes = _reported(operation.outputs)
    if operation.state.live:
        changes["task_state"] = action.walk.get(operation.step, server.task_state)
    else:
        changes.update(task_state=None, current_op=None)
    if operation.state is OperationState.DONE:
        changes.update(vm_state=action.ends_in or server.vm_state, fault=None)
    elif operation.state is OperationState.FAILED:
        changes.update(vm_state=action.fails_in or server.vm_state, fault=_fault(operation, now))
    return action.effect(msgspec.structs.replace(server, **changes), operation, now)


def _reported(outputs: dict[str, Any]) -> dict[str, Any]:
    """What hosts have said of the guest."""
    found: dict[str, Any] = {}
    if "power_state" in outputs:
        found["power_state"] = PowerState(outputs["power_state"])
    if "ssh_port" in outputs:
        found["ssh_port"] = outputs["ssh_port"]
    return found


def _fault(operation: Operation, now: float) -> Fault:
    reason = operation.error or "The operation did not finish."
    return Fault(code=500, message=reason[:255], details=operation.outputs.get(DETAILS, reason), created_at=now)
