"""The watch: an operation whose host doesn't do its step goes on without it, and a late report counts for nothing."""

import asyncio
from typing import Any

import pytest

from kilonova.database.database import Transaction
from kilonova.database.tables.cell_database import hosts
from kilonova.engine import progress, store
from kilonova.engine.plan import Plan, Step
from kilonova.engine.queue import Queue
from kilonova.engine.runner import move_txn
from kilonova.engine.watch import LATE_S, LOOK_EVERY_S, Watch
from kilonova.kernel.ids import HostName
from kilonova.objects.operation import Operation, OperationState
from kilonova.simulation.runtime import SimRuntime
from unit.engine.toys import HOST, TOPIC, Floor, Toys, do_it, host_step, operation, play

ALL_HOSTS = Queue(store.operations.c.host.is_not(None))


class Stage:
    """A watch over one host, a runner, and an operation that waits for the host."""

    def __init__(self, floor: Floor, *steps: Step[Operation]) -> None:
        self.floor = floor
        self.plan: Plan[Operation] = Plan(kind="toy", deadline_s=3600.0, steps=steps)
        self.up = frozenset({HOST})
        self.owed: list[HostName] = []
        process = floor.runner(self.plan)
        watch = Watch(
            runtime=SimRuntime(floor.loop, process),
            database=floor.database(process),
            bus=floor.bus(process),
            topic=TOPIC,
            plans={"toy": self.plan},
            project=self._project,
            hosts_up=self._hosts_up,
        )
        process.spawn(watch.run(), name="watch")
        floor.server.write(self._install_txn)

    @property
    def operation(self) -> Operation:
        found = self.floor.server.read(lambda tx: store.operation_get_txn(tx, operation().id))
        assert found is not None
        return found

    def pull(self) -> Operation:
        """Claim the host's step as its agent does."""
        return self.floor.server.write(lambda tx: ALL_HOSTS.claim_txn(tx, "agent", 15.0, 1))[0]

    def renew(self, held: Operation) -> None:
        pair = (held.id, held.epoch)
        self.floor.server.write(lambda tx: store.operations_renew_txn(tx, "agent", [pair], 15.0))

    def report(self, held: Operation) -> Operation | None:
        """Report that the step is done, believing what was pulled."""
        return self.floor.server.write(lambda tx: move_txn(tx, self.plan, held, progress.Done(), self.floor.project))

    def _install_txn(self, tx: Transaction) -> None:
        row = {"name": HOST, "uuid": HOST, "service_uuid": HOST, "agent": "agent", "epoch": 1, "enabled": True}
        more: dict[str, Any] = {"forced_down": False, "created_at": tx.now, "updated_at": tx.now, "description": b""}
        tx.execute(hosts.insert(), {**row, **more})
        store.operation_insert_txn(tx, progress.begin(self.plan, operation()))

    def _project(self, tx: Transaction, before: Operation, move: progress.Move) -> None:
        if move.owed_by is not None:
            self.owed.append(move.owed_by)

    async def _hosts_up(self) -> frozenset[HostName]:
        return self.up


def test_host_goes_down__the_step_is_undone_and_the_host_owes_it() -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        stage = Stage(floor, toys.step("ports"), host_step("spawn", undo_on_host=do_it, undo_tombstone=True))
        await asyncio.sleep(1.0)
        assert stage.operation.step == "spawn"
        stage.up = frozenset()
        await asyncio.sleep(3 * LOOK_EVERY_S)
        assert (stage.operation.state, stage.operation.error) == (OperationState.FAILED, f"host {HOST} is down")
        assert stage.owed == [HOST]
        assert not toys.effects

    play(work)


def test_tombstone_step__host_down__the_operation_ends_well_and_the_host_owes_it() -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        stage = Stage(floor, host_step("destroy", tombstone=True), toys.step("ports"))
        stage.up = frozenset()
        await asyncio.sleep(2 * LOOK_EVERY_S)
        assert stage.operation.state is OperationState.DONE
        assert stage.owed == [HOST]
        assert toys.calls == ["ports"]

    play(work)


def test_host_is_up_and_idle__given_up_after_the_steps_timeout() -> None:
    async def work(floor: Floor) -> None:
        stage = Stage(floor, host_step("stop", timeout_s=60.0))
        await asyncio.sleep(59.0)
        assert stage.operation.state is OperationState.QUEUED
        await asyncio.sleep(2 * LOOK_EVERY_S)
        assert stage.operation.state is OperationState.FAILED

    play(work)


def test_agent_works_and_renews__left_alone_though_its_host_seems_down() -> None:
    async def work(floor: Floor) -> None:
        stage = Stage(floor, host_step("stop", timeout_s=60.0))
        held = stage.pull()
        stage.up = frozenset()
        for _ in range(8):
            await asyncio.sleep(5.0)
            stage.renew(held)
        assert stage.report(held) is not None
        assert stage.operation.state is OperationState.DONE

    play(work)


def test_driver_hangs_while_the_agent_renews__given_up_all_the_same() -> None:
    async def work(floor: Floor) -> None:
        stage = Stage(floor, host_step("stop", timeout_s=60.0))
        held = stage.pull()
        while stage.operation.state.live and floor.loop.time() < 600.0:
            await asyncio.sleep(5.0)
            stage.renew(held)
        assert stage.operation.state is OperationState.FAILED
        assert 60.0 + LATE_S < floor.loop.time() < 60.0 + LATE_S + 3 * LOOK_EVERY_S

    play(work)


@pytest.mark.parametrize("undo_on_host", [False, True])
def test_report_after_giving_up__is_refused(undo_on_host: bool) -> None:
    async def work(floor: Floor) -> None:
        stage = Stage(floor, host_step("spawn", undo_on_host=do_it if undo_on_host else None, timeout_s=20.0))
        held = stage.pull()
        await asyncio.sleep(30.0 + LATE_S)
        given_up = stage.operation
        assert given_up.epoch > held.epoch
        assert stage.report(held) is None
        assert stage.operation == given_up

    play(work)


def test_agent_pulls_just_before_the_watch_writes__the_agent_keeps_its_step() -> None:
    async def work(floor: Floor) -> None:
        stage = Stage(floor, host_step("stop", timeout_s=10.0))
        taken: list[Operation] = []
        look = floor.server.read

        def read_and_pull(work: Any) -> Any:
            seen = look(work)
            if floor.loop.time() > 10.0 and not taken:
                taken.append(stage.pull())
            return seen

        floor.server.read = read_and_pull  # type: ignore[method-assign]
        await asyncio.sleep(16.0)
        assert taken
        assert stage.report(taken[0]) is not None
        assert stage.operation.state is OperationState.DONE

    play(work)


def test_where__control_steps_are_none_of_its_business() -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()

        async def take_long(_: Toys) -> None:
            await asyncio.sleep(50.0)

        toys.before["a"] = take_long
        stage = Stage(floor, toys.step("a"))
        stage.up = frozenset()
        await asyncio.sleep(55.0)
        assert stage.operation.state is OperationState.DONE

    play(work)
