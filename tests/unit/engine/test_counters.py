"""Counters: what happens seldom is counted in the transaction that writes it."""

import asyncio

from kilonova.engine import progress, store
from kilonova.engine.counters import Counted, counts_txn
from kilonova.engine.queue import CONTROL
from kilonova.engine.runner import move_txn
from kilonova.objects.operation import OperationState
from unit.engine.toys import Floor, Toys, operation, play


def test_takeover_and_late_report__counted_and_told_in_the_log() -> None:
    async def work(floor: Floor) -> None:
        plan = Toys().plan("one")
        server = floor.server
        server.write(lambda tx: store.operation_insert_txn(tx, progress.begin(plan, operation())))
        (held,) = server.write(lambda tx: CONTROL.claim_txn(tx, "first", 15.0, 1))
        await asyncio.sleep(16.0)
        server.write(lambda tx: CONTROL.claim_txn(tx, "second", 15.0, 1))
        assert server.write(lambda tx: move_txn(tx, plan, held, progress.Done(), floor.project)) is None
        counts = server.read(counts_txn)
        assert counts == {Counted.LEASE_TAKEOVERS: 1, Counted.EPOCHS_REJECTED: 1, Counted.UNDOS: 0}
        log = server.read(lambda tx: store.events_of_txn(tx, held.id))
        assert [event.message for event in log] == [None, "taken over from first"]

    play(work)


def test_undo__counted() -> None:
    async def work(floor: Floor) -> None:
        plan = Toys().plan("one")
        undoing = operation(state=OperationState.UNDOING, step="one")
        floor.server.write(lambda tx: store.operation_insert_txn(tx, undoing))
        floor.runner(plan)
        await asyncio.sleep(3.0)
        assert floor.server.read(counts_txn)[Counted.UNDOS] == 1

    play(work)
