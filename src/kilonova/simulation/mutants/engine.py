"""Mutants of the engine: leases, epochs, undo, the watch."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, update

from kilonova.database.database import Transaction
from kilonova.engine import progress, store
from kilonova.engine.plan import Plan
from kilonova.engine.runner import Runner
from kilonova.engine.watch import Watch
from kilonova.objects.operation import Operation
from kilonova.simulation.mutants.mutant import Change, Mutant, Replaced, nothing

_save_any = update(store.operations).where(store.operations.c.id == bindparam("key"))
_take = store.operation_take_txn
_attempt = Runner._attempt


def _save_without_epoch(tx: Transaction, before: Operation, after: Operation) -> bool:
    values = store._values(after)
    values["key"] = values.pop("id")
    return tx.execute(_save_any, values).rowcount == 1


def _take_for_ever(tx: Transaction, before: Operation, owner: str, lease_s: float) -> Operation | None:
    return _take(tx, before, owner, 1e9)


def _take_without_epoch(tx: Transaction, before: Operation, owner: str, lease_s: float) -> Operation | None:
    taken = _take(tx, before, owner, lease_s)
    if taken is None:
        return None
    same = msgspec.structs.replace(taken, epoch=before.epoch)
    store.operation_save_txn(tx, taken, same)
    return same


async def _undo_nothing(self: Runner[Any], step: Any, operation: Operation) -> progress.Outcome:
    return progress.Done() if operation.state == "undoing" else await _attempt(self, step, operation)


async def _attempt_once(self: Runner[Any], step: Any, operation: Operation) -> progress.Outcome:
    outcome = await _attempt(self, step, operation)
    return progress.Done() if isinstance(outcome, progress.Failed) and not outcome.final else outcome


async def _never_again(self: Runner[Any]) -> float:
    due_in_s = await _looked(self)
    return due_in_s if due_in_s <= 0 else 1e6


_looked = Runner._take


MUTANTS = (
    Mutant(
        name="save-without-epoch",
        breaks="an operation is saved by whoever still believes it is his",
        changes=(Replaced(store.operation_save_txn, _save_without_epoch),),
        scenarios=("freezes", "boot-delete", "storm"),
    ),
    Mutant(
        name="take-without-epoch",
        breaks="taking an operation over leaves its epoch as it was",
        changes=(Replaced(store.operation_take_txn, _take_without_epoch),),
        scenarios=("freezes", "boot-delete", "storm"),
    ),
    Mutant(
        name="lease-for-ever",
        breaks="the lease of a dead worker never runs out",
        changes=(Replaced(store.operation_take_txn, _take_for_ever),),
    ),
    Mutant(
        name="undo-skipped",
        breaks="a failed operation says that it undid its steps, and doesn't",
        changes=(Change(Runner, "_attempt", _undo_nothing),),
        scenarios=("storm", "boot-delete"),
    ),
    Mutant(
        name="undo-of-last-step-only",
        breaks="a failed operation undoes the step that failed and none before",
        changes=(Change(Plan, "preceding", lambda _plan, _name: None),),
        scenarios=("storm", "boot-delete"),
    ),
    Mutant(
        name="failure-taken-for-success",
        breaks="a step whose attempt got no answer counts as done",
        changes=(Change(Runner, "_attempt", _attempt_once),),
    ),
    Mutant(
        name="no-polling",
        breaks="a worker looks for work only when a hint wakes it",
        changes=(Change(Runner, "_take", _never_again),),
        scenarios=("silent-bus",),
    ),
    Mutant(
        name="nobody-watches-hosts",
        breaks="an operation waits for its host, however long that is dead",
        changes=(Change(Watch, "_look", nothing),),
        scenarios=("host-lost",),
    ),
)
