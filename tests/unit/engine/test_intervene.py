"""Interventions of operators: what each does to an operation, when it is refused, and that late reports count for nothing."""

import asyncio
from typing import Any

import msgspec
import pytest

from kilonova.engine import intervene, progress, store
from kilonova.engine.intervene import AlreadyDue, AlreadyEnded, AtWork, BeingUndone, NoSuchOperation
from kilonova.engine.plan import Plan
from kilonova.engine.queue import CONTROL
from kilonova.engine.runner import move_txn
from kilonova.engine.search import Search, operations_found_txn
from kilonova.kernel.ids import OperationId, ServerId
from kilonova.objects.operation import Operation, OperationState
from unit.engine.toys import Floor, Toys, operation, play

WHY = "the rack burns"


class Desk:
    """One operation of two undoable steps, and the operator."""

    def __init__(self, floor: Floor, **fields: Any) -> None:
        self.floor = floor
        self.toys = Toys()
        self.plan: Plan[Operation] = self.toys.plan("one", "two", secrets=("password",))
        begun = progress.begin(self.plan, operation(**fields))
        later = {name: value for name, value in fields.items() if name in Operation.__struct_fields__}
        floor.server.write(lambda tx: store.operation_insert_txn(tx, msgspec.structs.replace(begun, **later)))

    @property
    def operation(self) -> Operation:
        found = self.floor.server.read(lambda tx: store.operation_get_txn(tx, operation().id))
        assert found is not None
        return found

    @property
    def log(self) -> list[tuple[str, str | None]]:
        return [
            (e.result, e.message) for e in self.floor.server.read(lambda tx: store.events_of_txn(tx, operation().id))
        ]

    def retry(self) -> Operation:
        return self.floor.server.write(lambda tx: intervene.retry_txn(tx, operation().id, WHY))

    def abandon(self) -> Operation:
        return self.floor.server.write(
            lambda tx: intervene.abandon_txn(tx, self.plan, operation().id, WHY, self.floor.project)
        )

    def supersede(self) -> Operation:
        return self.floor.server.write(lambda tx: intervene.supersede_txn(tx, self.plan, operation().id, WHY))

    def claim(self) -> Operation:
        (taken,) = self.floor.server.write(lambda tx: CONTROL.claim_txn(tx, "worker", 15.0, 1))
        return taken

    def report(self, held: Operation) -> Operation | None:
        return self.floor.server.write(lambda tx: move_txn(tx, self.plan, held, progress.Done(), self.floor.project))


def with_desk(work: Any, **fields: Any) -> None:
    async def main(floor: Floor) -> None:
        await work(Desk(floor, **fields))

    play(main)


def test_retry__it_waits__due_at_once_with_its_attempts_before_it() -> None:
    async def work(desk: Desk) -> None:
        due = desk.retry()
        assert (due.attempt, due.epoch, due.not_before) == (0, 8, desk.floor.now)
        assert desk.log == [("requeued", f"by operator: {WHY}")]
        assert desk.claim().id == due.id
        desk.floor.runner(desk.plan)

    with_desk(work, not_before=1e12, attempt=3, epoch=7)


def test_retry__blocked__goes_on_undoing() -> None:
    async def work(desk: Desk) -> None:
        assert desk.retry().state is OperationState.UNDOING
        desk.floor.runner(desk.plan)
        await asyncio.sleep(5.0)
        assert desk.operation.state is OperationState.FAILED
        assert desk.toys.calls == ["undo two", "undo one"]

    with_desk(work, state=OperationState.BLOCKED, step="two", epoch=3)


def test_retry__nothing_to_retry__refused() -> None:
    async def work(desk: Desk) -> None:
        with pytest.raises(AlreadyDue):
            desk.retry()
        desk.claim()
        with pytest.raises(AtWork, match="worked on by worker, which reports or loses its lease within 15 s"):
            desk.retry()
        with pytest.raises(NoSuchOperation):
            desk.floor.server.write(lambda tx: intervene.retry_txn(tx, OperationId("nothing"), WHY))

    with_desk(work)


def test_abandon__under_way__undone_and_the_workers_report_refused() -> None:
    async def work(desk: Desk) -> None:
        held = desk.claim()
        after = desk.abandon()
        assert (after.state, after.step, after.error) == (OperationState.UNDOING, "two", WHY)
        assert after.deadline <= desk.floor.now
        assert desk.report(held) is None
        desk.floor.runner(desk.plan)
        await asyncio.sleep(10.0)
        assert not desk.toys.calls, "whoever was at work may be so until its lease ends"
        await asyncio.sleep(10.0)
        assert (desk.operation.state, desk.operation.error) == (OperationState.FAILED, WHY)
        assert ("abandoned", f"by operator: {WHY}") in desk.log

    with_desk(work, state=OperationState.RUNNING, step="two")


def test_abandon__blocked__fails_for_good_and_keeps_no_secret() -> None:
    async def work(desk: Desk) -> None:
        after = desk.abandon()
        assert after.state is OperationState.FAILED
        assert after.error == f"two can't be undone; given up by an operator: {WHY}"
        assert after.params == {"host": "h"}
        assert desk.log == [("failed", f"by operator: {WHY}")]
        assert desk.floor.moves == [(OperationState.FAILED, "two")]

    params = {"host": "h", "password": "secret"}
    with_desk(work, state=OperationState.BLOCKED, step="two", error="two can't be undone", params=params)


def test_abandon__being_undone_or_ended__refused() -> None:
    async def work(desk: Desk) -> None:
        with pytest.raises(BeingUndone):
            desk.abandon()
        desk.supersede()
        for again in (desk.abandon, desk.retry, desk.supersede):
            with pytest.raises(AlreadyEnded, match="it is superseded"):
                again()

    with_desk(work, state=OperationState.UNDOING, step="two")


def test_supersede__a_worker_of_the_control_plane_is_waited_for() -> None:
    async def work(desk: Desk) -> None:
        desk.claim()
        with pytest.raises(AtWork):
            desk.supersede()
        await asyncio.sleep(16.0)
        after = desk.supersede()
        assert (after.state, after.owner, after.host) == (OperationState.SUPERSEDED, None, None)
        assert desk.log[-1] == ("superseded", f"by operator: {WHY}")
        assert not desk.toys.calls

    with_desk(work)


def test_supersede__a_host_at_work__its_report_is_refused() -> None:
    async def work(desk: Desk) -> None:
        held = desk.operation
        desk.supersede()
        assert desk.report(held) is None

    with_desk(work, host="host-1", lease_until=1e12, owner="agent")


def test_search__by_state_kind_server_and_age() -> None:
    async def work(desk: Desk) -> None:
        server = desk.floor.server
        server.write(
            lambda tx: store.operation_insert_txn(tx, operation(2, kind="other", created_at=desk.floor.now + 60.0))
        )
        server.write(lambda tx: store.operation_insert_txn(tx, operation(3, state=OperationState.DONE)))

        def found(**conditions: Any) -> list[int]:
            rows = server.read(lambda tx: operations_found_txn(tx, Search(**conditions)))
            return [int(row.id[-1]) for row in rows]

        assert found() == [1, 2]
        assert found(states=(OperationState.DONE, OperationState.QUEUED)) == [1, 3, 2]
        assert found(kind="other") == [2]
        assert found(server_id=ServerId(operation(1).server_id)) == [1]
        await asyncio.sleep(90.0)
        assert found(older_s=60) == [1]
        assert found(limit=1) == [1]

    with_desk(work)
