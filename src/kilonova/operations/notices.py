"""What is told of servers, in the transactions that change them: see `notifications`. Nothing, where nobody is told."""

import msgspec

from kilonova.database.database import Transaction
from kilonova.notifications import payloads
from kilonova.notifications.outbox import API, ERROR, INFO, note_txn
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server

EVENTS = {
    "boot": "create",
    "schedule": "create",
    "cancel": "delete",
    "delete": "delete",
    "soft_delete": "soft_delete",
    "restore": "restore",
    "start": "power_on",
    "stop": "power_off",
    "reboot": "reboot",
    "reboot_hard": "reboot",
    "pause": "pause",
    "unpause": "unpause",
    "suspend": "suspend",
    "resume": "resume",
    "rescue": "rescue",
    "unrescue": "unrescue",
    "rebuild": "rebuild",
    "snapshot": "snapshot",
    "backup": "snapshot",
    "shelve": "shelve",
    "offload": "shelve_offload",
    "unshelve": "unshelve",
    "resize": "resize",
    "migration": "resize",
    "confirm_resize": "resize_confirm",
    "revert_resize": "resize_revert",
    "live_migration": "live_migration",
    "evacuate": "evacuate",
    "set_password": "set_password",
    "crash_dump": "trigger_crash_dump",
    "attach_interface": "interface_attach",
    "detach_interface": "interface_detach",
    "attach_volume": "volume_attach",
    "detach_volume": "volume_detach",
    "swap_volume": "volume_swap",
    "reset_state": "reset_state",
    "power_repair": "power_repair",
    "size_repair": "size_repair",
}
"""What each kind of operation is called in `instance.EVENT.start`, `.end` and `.error`."""


def started_txn(tx: Transaction, server: Server, operation: Operation) -> None:
    """An operation was accepted; `server` is as that left it."""
    if tx.tells:
        _note_txn(tx, server, operation, "start", None)


def ended_txn(tx: Transaction, server: Server, operation: Operation) -> None:
    """An operation has ended, one way or the other; nothing while it lives."""
    if not tx.tells or operation.state.live:
        return
    if operation.state is OperationState.DONE:
        _note_txn(tx, server, operation, "end", None)
    else:
        _note_txn(tx, server, operation, "error", payloads.fault(operation))


def cancelled_txn(tx: Transaction, server: Server, cancel: Operation) -> None:
    """A server was deleted before any host had it; its boot was told to begin."""
    if tx.tells:
        boot = _as_boot(cancel)
        _note_txn(tx, server, boot, "error", payloads.fault(boot))
        _note_txn(tx, server, cancel, "start", None)
        _note_txn(tx, server, cancel, "end", None)


def changed_txn(tx: Transaction, before: Server, after: Server) -> None:
    """A server's row has changed: its states, its name or its tags, or a lock was put on or taken off."""
    if not tx.tells:
        return
    if _watched(before) != _watched(after):
        note_txn(tx, "instance.update", _publisher(after), payloads.updated(before, after))
    if before.locked != after.locked:
        note_txn(tx, f"instance.{'lock' if after.locked else 'unlock'}", API, payloads.locked(after))


def _note_txn(
    tx: Transaction, server: Server, operation: Operation, phase: str, fault: payloads.Payload | None
) -> None:
    event = EVENTS[operation.kind]
    made = payloads.created if event == "create" else payloads.acted
    priority = ERROR if phase == "error" else INFO
    note_txn(tx, f"instance.{event}.{phase}", _publisher(server), made(server, operation, fault), priority)


def _publisher(server: Server) -> str:
    return API if server.host is None else f"nova-compute:{server.host}"


def _watched(server: Server) -> tuple[object, ...]:
    return server.vm_state, server.task_state, server.name, server.tags


def _as_boot(cancel: Operation) -> Operation:
    """The boot that a cancellation has taken the place of; they have one id."""
    return msgspec.structs.replace(cancel, kind="boot", state=OperationState.SUPERSEDED)
