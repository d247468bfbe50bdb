"""Runners step operations to their end, whatever happens to them on the way. Time is virtual."""

import asyncio
from typing import Any

import pytest

from kilonova.engine import store
from kilonova.engine.plan import Plan
from kilonova.engine.runner import TooEarly, ended_topic, hosts_topic
from kilonova.kernel.errors import Conflict, Unavailable
from kilonova.objects.operation import Operation, OperationState
from unit.engine.toys import HOST, TOPIC, Floor, Toys, host_step, operation, play, rates

STEPS = ("a", "b", "c")
PATIENCE_S = 300.0


async def insert(floor: Floor, plan: Plan[Operation], **fields: Any) -> Operation:
    """Accept an operation, and hint it."""
    one = operation(step=plan.steps[0].name, **fields)
    floor.server.write(lambda tx: store.operation_insert_txn(tx, one))
    floor.broker.publish(TOPIC)
    return one


async def ended(floor: Floor, one: Operation) -> Operation:
    """The operation once it has ended."""
    give_up_at = floor.loop.time() + PATIENCE_S
    while floor.loop.time() < give_up_at:
        found = floor.server.read(lambda tx: store.operation_get_txn(tx, one.id))
        assert found is not None
        if not found.state.live:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"{found} did not end")


def log_of(floor: Floor, one: Operation) -> list[tuple[str, str]]:
    return [(event.step, event.result) for event in floor.server.read(lambda tx: store.events_of_txn(tx, one.id))]


def test_plan__every_step_once_and_done() -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        plan = toys.plan(*STEPS)
        floor.runner(plan)
        one = await insert(floor, plan)
        done = await ended(floor, one)
        assert done.state is OperationState.DONE
        assert toys.calls == list(STEPS)
        assert done.outputs == {"a": 1, "b": 1, "c": 1}
        assert log_of(floor, one) == [("a", "started"), ("a", "done"), ("b", "done"), ("c", "done")]
        assert floor.moves[-1] == (OperationState.DONE, "c")
        assert floor.loop.time() < 1.0, "a hint starts it at once"

    play(work)


def test_lost_hint__costs_a_poll_period_at_most() -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        plan = toys.plan(*STEPS)
        floor.runner(plan, poll_s=2.0)
        await asyncio.sleep(0.5)
        await ended(floor, await insert(floor, plan))
        assert floor.loop.time() < 3.0

    play(work, rates(bus_drop=1.0))


def test_step_fails_for_good__the_others_are_undone_in_reverse() -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        plan = toys.plan(*STEPS)

        async def refuse(_: Toys) -> None:
            raise Conflict(reason="no room")

        toys.before["c"] = refuse
        floor.runner(plan)
        failed = await ended(floor, await insert(floor, plan))
        assert (failed.state, failed.error) == (OperationState.FAILED, "no room")
        assert toys.calls == ["a", "b", "c", "undo c", "undo b", "undo a"]
        assert not toys.effects

    play(work)


@pytest.mark.parametrize("error", [Unavailable(service="x", reason="y"), RuntimeError("a bug")])
def test_step_fails_once__it_is_told_and_tried_again(error: Exception) -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        plan = toys.plan(*STEPS)

        async def fail_once(toys: Toys) -> None:
            if toys.calls.count("b") == 1:
                raise error

        toys.before["b"] = fail_once
        floor.runner(plan)
        one = await insert(floor, plan)
        assert (await ended(floor, one)).state is OperationState.DONE
        assert toys.calls == ["a", "b", "b", "c"]
        events = floor.server.read(lambda tx: store.events_of_txn(tx, one.id))
        (told,) = [event for event in events if event.result == "retried"]
        assert told.message == (error.message if isinstance(error, Unavailable) else "b: unexpected RuntimeError")

    play(work)


def test_step_hangs__its_timeout_ends_the_attempt() -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()

        async def hang_once(toys: Toys) -> None:
            if toys.calls.count("a") == 1:
                await asyncio.Event().wait()

        toys.before["a"] = hang_once
        plan: Plan[Operation] = Plan(kind="toy", deadline_s=3600.0, steps=(toys.step("a", timeout_s=20.0),))
        floor.runner(plan)
        assert (await ended(floor, await insert(floor, plan))).state is OperationState.DONE
        assert toys.calls == ["a", "a"]
        assert 20.0 < floor.loop.time() < 25.0

    play(work)


def test_too_early__waits_as_long_as_it_says_without_counting() -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        plan = toys.plan("a")

        async def wait_often(toys: Toys) -> None:
            if len(toys.calls) <= 10:
                raise TooEarly(3.0, "the other still has its lease")

        toys.before["a"] = wait_often
        floor.runner(plan)
        assert (await ended(floor, await insert(floor, plan))).state is OperationState.DONE
        assert len(toys.calls) == 11
        assert 30.0 <= floor.loop.time() < 31.0

    play(work)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_worker_is_killed_at_a_step__another_finishes(step: str, when: str) -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        plan = toys.plan(*STEPS)
        first = floor.runner(plan, "first")

        async def die(toys: Toys) -> None:
            if toys.calls.count(step) == 1:
                first.kill()
                await asyncio.sleep(0)

        getattr(toys, when)[step] = die
        one = await insert(floor, plan)
        await asyncio.sleep(1.0)
        floor.runner(plan, "second")
        done = await ended(floor, one)
        assert (done.state, done.epoch) == (OperationState.DONE, 2)
        assert toys.calls.count(step) == 2, "an unfinished step is done again"
        assert toys.effects == set(STEPS)
        assert floor.loop.time() < 20.0, "a lease, and a little"

    play(work)


@pytest.mark.parametrize("step", STEPS)
def test_worker_is_killed_at_an_undo__another_undoes_the_rest(step: str) -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        plan = toys.plan(*STEPS)
        first = floor.runner(plan, "first")

        async def refuse(_: Toys) -> None:
            raise Conflict(reason="no room")

        async def die(toys: Toys) -> None:
            if toys.calls.count(f"undo {step}") == 1:
                first.kill()
                await asyncio.sleep(0)

        toys.before["c"], toys.before[f"undo {step}"] = refuse, die
        one = await insert(floor, plan)
        await asyncio.sleep(1.0)
        floor.runner(plan, "second")
        assert (await ended(floor, one)).state is OperationState.FAILED
        assert not toys.effects
        assert toys.calls.count(f"undo {step}") == 2

    play(work)


def test_frozen_worker__wakes_to_find_its_work_taken_and_stops() -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        plan = toys.plan(*STEPS)
        first = floor.runner(plan, "first")

        async def freeze(toys: Toys) -> None:
            if toys.calls.count("b") == 1:
                first.freeze(floor.loop.time() + 60.0)
                await asyncio.sleep(0)

        toys.after["b"] = freeze
        one = await insert(floor, plan)
        await asyncio.sleep(1.0)
        floor.runner(plan, "second")
        done = await ended(floor, one)
        assert done.outputs == {"a": 1, "b": 2, "c": 2}
        await asyncio.sleep(90.0)
        assert floor.server.read(lambda tx: store.operation_get_txn(tx, one.id)) == done
        assert toys.calls == ["a", "b", "b", "c"], "the first did nothing more"

    play(work)


def test_long_steps__the_lease_is_renewed_and_nobody_else_takes_over() -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        plan = toys.plan(*STEPS)

        async def take_long(_: Toys) -> None:
            await asyncio.sleep(40.0)

        for step in STEPS:
            toys.before[step] = take_long
        for name in ("first", "second"):
            floor.runner(plan, name)
        done = await ended(floor, await insert(floor, plan))
        assert (done.state, done.epoch) == (OperationState.DONE, 1)
        assert toys.calls == list(STEPS)

    play(work)


def test_lease_is_lost_under_way__the_worker_is_stopped() -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        plan = toys.plan("a")
        stopped: list[float] = []

        async def take_long(_: Toys) -> None:
            try:
                await asyncio.sleep(55.0)
            except asyncio.CancelledError:
                stopped.append(floor.loop.time())
                raise

        toys.before["a"] = take_long
        floor.runner(plan)
        one = await insert(floor, plan)
        await asyncio.sleep(2.0)

        def supersede_txn(tx: Any) -> None:
            found = store.operation_get_txn(tx, one.id)
            assert found is not None
            over = operation(step="a", state=OperationState.SUPERSEDED, epoch=found.epoch + 1)
            assert store.operation_save_txn(tx, found, over)

        floor.server.write(supersede_txn)
        await asyncio.sleep(20.0)
        assert len(stopped) == 1
        assert stopped[0] < 10.0
        assert not toys.effects

    play(work)


def test_many_operations_and_two_runners__each_step_is_done_once() -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        plan = toys.plan(*STEPS)
        many = [operation(number, step="a") for number in range(1, 101)]
        for one in many:
            floor.server.write(lambda tx, one=one: store.operation_insert_txn(tx, one))
        for name in ("first", "second"):
            floor.runner(plan, name, concurrency=8)
        for one in many:
            assert (await ended(floor, one)).epoch == 1
        assert len(toys.calls) == 300

    play(work)


@pytest.mark.parametrize("seed", range(10))
def test_lost_answers_and_deadlocks__every_operation_ends_with_all_effects(seed: int) -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        plan = toys.plan(*STEPS)
        many = [operation(number, step="a") for number in range(1, 11)]
        for one in many:
            floor.server.write(lambda tx, one=one: store.operation_insert_txn(tx, one))
        for name in ("first", "second"):
            floor.runner(plan, name)
        for one in many:
            assert (await ended(floor, one)).state is OperationState.DONE
        assert toys.effects == set(STEPS)

    play(work, rates(db_answer_lost=0.1, db_deadlock=0.1, db_refused=0.05), seed=seed)


def test_step_of_a_host__is_left_to_it_and_hinted() -> None:
    async def work(floor: Floor) -> None:
        toys = Toys()
        plan: Plan[Operation] = Plan(
            kind="toy", deadline_s=3600.0, steps=(toys.step("a"), host_step("spawn"), toys.step("b"))
        )
        process = floor.runner(plan)
        hints = floor.bus(process).listen(hosts_topic(TOPIC))
        one = await insert(floor, plan)
        assert await hints.wait(5.0)
        found = floor.server.read(lambda tx: store.operation_get_txn(tx, one.id))
        assert found is not None
        assert (found.step, found.host, found.owner, found.lease_until) == ("spawn", HOST, None, 0.0)
        await asyncio.sleep(30.0)
        assert toys.calls == ["a"]

    play(work)


def test_end_of_an_operation__is_hinted() -> None:
    async def work(floor: Floor) -> None:
        plan = Toys().plan("a")
        process = floor.runner(plan)
        hints = floor.bus(process).listen(ended_topic(TOPIC))
        await insert(floor, plan)
        assert await hints.wait(5.0)

    play(work)
