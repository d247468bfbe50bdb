"""What a move of an operation means for its server's row: `vm_state`, `task_state`, and what steps found out."""

from typing import Any

import msgspec

from kilonova.database.database import Transaction
from kilonova.engine.progress import Move
from kilonova.objects.guest import PowerState
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Fault, Nic, Server, VmState
from kilonova.operations import store
from kilonova.operations.states import ACTIONS, Action


def project_txn(tx: Transaction, before: Operation, move: Move) -> None:
    """Write what `move` means for the server, unless another operation has taken its place."""
    operation = move.operation
    if move.owed_by is not None:
        store.tombstone_add_txn(tx, move.owed_by, operation.server_id, operation.params["generation"])
    if operation.state is before.state and operation.step == before.step and operation.state.live:
        return  # an attempt that will be repeated: nothing that users see has changed
    action = ACTIONS[operation.kind]
    server = store.server_change_txn(tx, operation.server_id, lambda server: _shown(server, action, operation, tx.now))
    if server.vm_state is VmState.DELETED:
        store.settlement_add_txn(tx, server.id)


def _shown(server: Server, action: Action, operation: Operation, now: float) -> Server:
    """The server as it is shown after the operation's move."""
    if server.current_op != operation.id:
        return server
    changes = _found_out(operation.outputs)
    if operation.state.live:
        return msgspec.structs.replace(server, task_state=action.walk.get(operation.step, server.task_state), **changes)
    changes.update(task_state=None, current_op=None)
    if operation.state is OperationState.DONE:
        changes.update(vm_state=action.ends_in or server.vm_state, fault=None)
        if action.kind == "boot":
            changes.update(launched_at=now, progress=100)
        if action.ends_in is VmState.DELETED:
            changes.update(deleted_at=now, power_state=PowerState.NOSTATE, nics=())
    elif operation.state is OperationState.FAILED:
        changes.update(fault=_fault(operation, now), vm_state=action.fails_in or server.vm_state)
        if action.kind == "boot":
            changes.update(host=None, nics=())  # all of it was undone: a guest that shows up later is ordered away
    return msgspec.structs.replace(server, **changes)


def _found_out(outputs: dict[str, Any]) -> dict[str, Any]:
    """Fields of the server that steps have reported."""
    found: dict[str, Any] = {}
    if "nics" in outputs:
        found["nics"] = msgspec.convert(outputs["nics"], tuple[Nic, ...])
    if "power_state" in outputs:
        found["power_state"] = PowerState(outputs["power_state"])
    if "ssh_port" in outputs:
        found["ssh_port"] = outputs["ssh_port"]
    return found


def _fault(operation: Operation, now: float) -> Fault:
    reason = operation.error or "The operation did not finish."
    return Fault(code=500, message=reason[:255], details=reason, created_at=now)
