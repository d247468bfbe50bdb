"""Boot requests: servers and their boots in the API database, while they are nowhere yet."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from kilonova.cells import server_map
from kilonova.database.database import Transaction
from kilonova.engine import progress
from kilonova.engine import store as operation_store
from kilonova.engine.progress import Move
from kilonova.kernel.ids import CellId, ServerId
from kilonova.objects.boot import Boot
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Fault, Server, TaskState, VmState
from kilonova.operations import cancel, notices, quota, schedule, store
from kilonova.operations.accept import Acceptance, new_operation


def boot_txn(tx: Transaction, defaults: Mapping[str, int], boots: Sequence[Boot], asked: Sequence[Acceptance]) -> None:
    """Accept servers of one project, user and group, all or none. Raises `OverLimit`."""
    quota.ledger_add_txn(tx, defaults, [boot.server for boot in boots])
    quota.group_check_txn(tx, defaults, [boot.server for boot in boots])
    for boot, acceptance in zip(boots, asked, strict=True):
        operation = new_operation(schedule.PLAN, boot.server.id, _params(boot), acceptance, tx.now)
        operation_store.operation_insert_txn(tx, operation)
        server = msgspec.structs.replace(
            boot.server,
            image=boot.image,
            kernel=boot.kernel,
            ramdisk=boot.ramdisk,
            current_op=operation.id,
            task_state=TaskState.SCHEDULING,
        )
        store.server_insert_txn(tx, server)
        server_map.mapping_add_txn(tx, server, operation.id)
        notices.started_txn(tx, server, operation)


def change_txn(tx: Transaction, server_id: ServerId, change: Callable[[Server], Server]) -> Server:
    """Change a server that is nowhere yet. Its boot's worker loses the lease, so that no older copy is handed over."""
    server = store.server_get_txn(tx, server_id)
    changed = store.server_change_txn(tx, server_id, change)
    request = server.current_op and operation_store.operation_get_txn(tx, server.current_op)
    if request:
        freed = msgspec.structs.replace(request, epoch=request.epoch + 1, owner=None, lease_until=0.0)
        operation_store.operation_save_txn(tx, request, freed)
    return changed


def delete_txn(tx: Transaction, server_id: ServerId, asked: Acceptance) -> None:
    """Accept the delete of a server that is nowhere yet. Raises `NoSuchServer`, also when it has just been handed over."""
    server = store.server_get_txn(tx, server_id)
    request = None if server.current_op is None else operation_store.operation_get_txn(tx, server.current_op)
    if request is None:
        operation_store.operation_insert_txn(tx, new_operation(cancel.PLAN, server_id, {}, asked, tx.now))
    else:
        _cancel_txn(tx, request)
    store.server_change_txn(tx, server_id, lambda server: _gone(server, tx.now))
    server_map.mappings_deleted_txn(tx, [server_id])
    quota.ledger_remove_txn(tx, [server_id])


def project_txn(tx: Transaction, _before: Operation, move: Move) -> None:
    """When a request ends, its server is in a cell: say which, and forget it here."""
    operation = move.operation
    if operation.state is OperationState.DONE:
        outputs = operation.outputs
        server_map.mapping_set_cell_txn(tx, operation.server_id, CellId(outputs["cell_id"]), outputs.get("zone"))
        store.server_forget_txn(tx, operation.server_id)
        operation_store.operation_forget_txn(tx, operation.id)
    elif operation.state is OperationState.FAILED and operation.kind == schedule.PLAN.kind:
        stranded = store.server_change_txn(tx, operation.server_id, lambda server: _stranded(server, operation, tx.now))
        notices.ended_txn(tx, stranded, operation)


def _cancel_txn(tx: Transaction, request: Operation) -> None:
    """Turn a boot into its cancellation, which inherits what the boot has done."""
    cancelled = msgspec.structs.replace(
        request,
        kind=cancel.PLAN.kind,
        params=progress.without(request.params, schedule.PLAN.secrets),
        state=OperationState.QUEUED,
        step=cancel.PLAN.steps[0].name,
        epoch=request.epoch + 1,
        owner=None,
        lease_until=0.0,
        attempt=0,
        not_before=tx.now,
        deadline=tx.now + cancel.PLAN.deadline_s,
        updated_at=tx.now,
    )
    operation_store.operation_save_txn(tx, request, cancelled)
    operation_store.event_add_txn(tx, cancelled, "superseded")


def _stranded(server: Server, operation: Operation, now: float) -> Server:
    """A server whose boot could not even be handed over to a cell in all the time there was."""
    reason = operation.error or "The server could not be handed over to a cell."
    fault = Fault(code=500, message=reason[:255], details=reason, created_at=now)
    return msgspec.structs.replace(server, vm_state=VmState.ERROR, task_state=None, current_op=None, fault=fault)


def _gone(server: Server, now: float) -> Server:
    return msgspec.structs.replace(
        server, vm_state=VmState.DELETED, task_state=None, current_op=None, deleted_at=now, updated_at=now
    )


def _params(boot: Boot) -> dict[str, Any]:
    """What the boot needs beside the server itself."""
    params: dict[str, Any] = msgspec.to_builtins(boot)
    return {name: value for name, value in params.items() if name not in {"server", "image", "kernel", "ramdisk"}}
