"""Mutants of the operations: acceptance, hand-over, projection, quota, settlement, lists."""

import logging
from collections.abc import Sequence

import msgspec

from kilonova.cells import server_map
from kilonova.cells.cells import Cell
from kilonova.database.database import Transaction
from kilonova.engine import progress
from kilonova.engine import store as operation_store
from kilonova.kernel.errors import Unavailable
from kilonova.kernel.ids import ServerId
from kilonova.objects.boot import Boot
from kilonova.objects.caller import Caller
from kilonova.objects.operation import Operation
from kilonova.objects.server import Server, VmState
from kilonova.operations import accept, cancel, listing, notices, projection, quota, settle, states, store
from kilonova.operations.plans import delete
from kilonova.operations.servers import Servers
from kilonova.operations.settle import Settler
from kilonova.operations.states import Action
from kilonova.simulation.mutants.mutant import Change, Mutant, Replaced, no_effect, nothing, of_step

log = logging.getLogger(__name__)
REMEMBERED_S = 60.0

_boot = Servers.boot
_get = Servers.get
_shown = projection._shown
_insert = store.server_insert_txn


async def _boot_and_hope(self: Servers, caller: Caller, request_id: str, boots: Sequence[Boot]) -> None:
    try:
        await _boot(self, caller, request_id, boots)
    except Unavailable:
        return


def _shown_anyway(server: Server, action: Action, operation: Operation, now: float) -> Server:
    return _shown(msgspec.structs.replace(server, current_op=operation.id), action, operation, now)


def _insert_over(tx: Transaction, server: Server) -> bool:
    if not _insert(tx, server):
        store.server_change_txn(tx, server.id, lambda _: server)
        return False
    return True


def _insert_always_new(tx: Transaction, server: Server) -> bool:
    there = store.server_find_txn(tx, server.id)
    if there is not None:
        store.server_forget_txn(tx, server.id)
    return _insert(tx, server)


def _bury_nothing(tx: Transaction, operation: Operation, server: Server, new_id: str) -> bool:
    return False


def _find_even_deleted(tx: Transaction, server_id: ServerId) -> Server:
    server = store.server_find_txn(tx, server_id)
    if server is None:
        raise store.NoSuchServer(id=server_id)
    return server


async def _boot_and_tell(self: Servers, caller: Caller, request_id: str, boots: Sequence[Boot]) -> None:
    log.info("%s asks for %s", caller.user_id, boots)
    await _boot(self, caller, request_id, boots)


async def _get_from_memory(self: Servers, server_id: ServerId) -> Server:
    server, now = await _get(self, server_id), self._runtime.now()
    remembered: dict[ServerId, tuple[Server, float]] = vars(self).setdefault("remembered", {})
    kept, since = remembered.get(server_id, (server, now))
    if now - since > REMEMBERED_S or kept.vm_state is VmState.BUILDING:
        kept, since = server, now
    remembered[server_id] = kept, since
    return kept


async def _settle_late(self: Settler, cell: Cell) -> bool:
    due, living = await cell.database.read(settle._due_txn)
    if not due:
        return False
    await cell.database.write(store.settlements_clear_txn, due)
    await self._parts.database.write(settle._settle_txn, list(due), living)
    return True


MUTANTS = (
    Mutant(
        name="accepted-before-commit",
        breaks="a create is accepted although its transaction may not have been committed",
        changes=(Change(Servers, "boot", _boot_and_hope),),
    ),
    Mutant(
        name="two-operations-at-once",
        breaks="an action starts while another operation is under way",
        changes=(Replaced(states.admit, no_effect),),
        scenarios=("storm", "cells"),
    ),
    Mutant(
        name="delete-leaves-others-live",
        breaks="a delete does not end the operation that it interrupts",
        changes=(Replaced(accept._supersede_txn, no_effect),),
    ),
    Mutant(
        name="late-move-shown",
        breaks="an operation whose place another has taken still changes what its server shows",
        changes=(Replaced(projection._shown, _shown_anyway), Replaced(accept._supersede_txn, no_effect)),
    ),
    Mutant(
        name="handed-over-twice",
        breaks="a second hand-over puts the server back to where it began",
        changes=(Replaced(store.server_insert_txn, _insert_over),),
        scenarios=("freezes", "boot-delete", "storm"),
    ),
    Mutant(
        name="handed-over-anew",
        breaks="a hand-over takes the place of what the cell has already",
        changes=(Replaced(store.server_insert_txn, _insert_always_new),),
        scenarios=("freezes", "boot-delete", "storm"),
    ),
    Mutant(
        name="cancel-buries-nothing",
        breaks="the delete of a server that has no cell yet leaves its id free for a late hand-over",
        changes=(Replaced(cancel._bury_txn, _bury_nothing),),
        scenarios=("freezes", "boot-delete"),
    ),
    Mutant(
        name="cancel-keeps-claim",
        breaks="the delete of a server that has no cell yet does not give its claim back",
        changes=of_step(cancel.PLAN, "release", ensure=nothing),
    ),
    Mutant(
        name="cell-never-told",
        breaks="a server that was handed over is not found where it is",
        changes=(Replaced(server_map.mapping_set_cell_txn, no_effect),),
    ),
    Mutant(
        name="request-not-forgotten",
        breaks="a server that was handed over stays in the API database too",
        changes=(Replaced(store.server_forget_txn, no_effect),),
    ),
    Mutant(
        name="quota-not-in-transaction",
        breaks="what a project may have is no condition of the insert",
        changes=(Replaced(quota._check, no_effect),),
    ),
    Mutant(
        name="end-not-told",
        breaks="others are told that an operation begins, and not that it was superseded or has ended",
        changes=(Replaced(notices.ended_txn, no_effect),),
    ),
    Mutant(
        name="ledger-not-struck",
        breaks="a deleted server goes on counting against its project's quota",
        changes=(Replaced(quota.ledger_remove_txn, no_effect),),
    ),
    Mutant(
        name="no-settlement",
        breaks="a cell does not leave word of the servers it has deleted",
        changes=(Replaced(store.settlement_add_txn, no_effect),),
    ),
    Mutant(
        name="settled-before-done",
        breaks="word of deleted servers is struck out first and acted upon afterwards",
        changes=(Change(Settler, "_settle", _settle_late),),
    ),
    Mutant(
        name="delete-keeps-claim",
        breaks="a delete does not give the claim back",
        changes=of_step(delete.PLAN, "allocation", ensure=nothing),
    ),
    Mutant(
        name="delete-looks-once",
        breaks="a delete does not look again when the worker that it interrupted must have stopped",
        changes=of_step(delete.PLAN, "sweep", ensure=nothing),
        scenarios=("slow-services",),
    ),
    Mutant(
        name="no-tombstone",
        breaks="a delete forgets the guest on a host that doesn't answer",
        changes=(Replaced(store.tombstone_add_txn, no_effect),),
        scenarios=("host-lost",),
    ),
    Mutant(
        name="secrets-kept",
        breaks="passwords and injected files outlive the boot",
        changes=(Replaced(progress.without, lambda params, _secrets: dict(params)),),
    ),
    Mutant(
        name="secrets-logged",
        breaks="what a boot was asked for stands in the log, passwords and injected files included",
        changes=(Change(Servers, "boot", _boot_and_tell),),
    ),
    Mutant(
        name="deleted-are-shown",
        breaks="a server that is deleted is still found",
        changes=(Replaced(store.server_get_txn, _find_even_deleted),),
    ),
    Mutant(
        name="shown-from-memory",
        breaks="a server that is made is shown as it was a while ago",
        changes=(Change(Servers, "get", _get_from_memory),),
        scenarios=("moves",),
    ),
    Mutant(
        name="cancelled-are-listed",
        breaks="a list shows a server that was deleted on its way to a cell",
        changes=(Replaced(listing._without, lambda _coming, page: page),),
        scenarios=("freezes", "boot-delete"),
    ),
    Mutant(
        name="log-not-written",
        breaks="an operation ends without a line in its log",
        changes=(Replaced(operation_store.event_add_txn, no_effect),),
    ),
)
