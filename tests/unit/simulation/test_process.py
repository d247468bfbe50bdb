"""What can be done to a process: kill it, freeze it, kill it at a step."""

import asyncio

from kilonova.simulation.loop import SimLoop, simulate
from kilonova.simulation.process import CURRENT
from kilonova.simulation.runtime import STARTED_AT, SimRuntime


def test_killed__no_finally_and_no_except_runs():
    async def main(loop: SimLoop) -> list[str]:
        said: list[str] = []

        async def work() -> None:
            try:
                said.append("began")
                await asyncio.sleep(10)
                said.append("went on")
            except BaseException:
                said.append("except")
                raise
            finally:
                said.append("finally")

        process = loop.process("victim")
        process.spawn(work(), name="work")
        await asyncio.sleep(1)
        process.kill()
        await asyncio.sleep(20)
        return list(said)

    assert simulate(main, 1)[0] == ["began"]


def test_killed__tasks_it_spawned_die_with_it():
    async def main(loop: SimLoop) -> list[str]:
        said: list[str] = []

        async def child() -> None:
            await asyncio.sleep(5)
            said.append("child")

        async def parent() -> None:
            await asyncio.gather(child(), child())

        process = loop.process("victim")
        process.spawn(parent(), name="parent")
        await asyncio.sleep(1)
        process.kill()
        await asyncio.sleep(20)
        return said

    assert simulate(main, 1)[0] == []


def test_killed_at_each_step__goes_exactly_so_far():
    async def main(loop: SimLoop, kill_at: int) -> tuple[int, bool]:
        done = 0

        async def work() -> None:
            nonlocal done
            for _ in range(5):
                done += 1
                await asyncio.sleep(0)

        process = loop.process("victim")
        process.kill_at = kill_at
        process.spawn(work(), name="work")
        await asyncio.sleep(1)
        return done, process.alive

    reached = [simulate(lambda loop, at=at: main(loop, at), 1)[0] for at in range(7)]
    assert [done for done, _ in reached] == [0, 1, 2, 3, 4, 5, 5]
    assert [alive for _, alive in reached] == [False] * 6 + [True]


def test_frozen__goes_on_afterwards_with_what_it_believed():
    async def main(loop: SimLoop) -> list[float]:
        at: list[float] = []

        async def work() -> None:
            while True:
                await asyncio.sleep(1.0)
                at.append(round(loop.time(), 3))

        process = loop.process("sleeper")
        process.spawn(work(), name="work")
        await asyncio.sleep(2.5)
        process.freeze(10.0)
        await asyncio.sleep(10.0)
        process.kill()
        return at

    assert simulate(main, 1)[0] == [1.0, 2.0, 10.0, 11.0, 12.0]


def test_death__is_told_to_those_who_asked():
    async def main(loop: SimLoop) -> list[str]:
        told: list[str] = []
        process = loop.process("victim")
        process.on_death(lambda dead: told.append(dead.name))
        process.kill()
        process.kill()
        process.on_death(lambda dead: told.append("late " + dead.name))
        return told

    assert simulate(main, 1)[0] == ["victim", "late victim"]


def test_clock__offset_and_drift_are_the_process_own():
    async def main(loop: SimLoop) -> tuple[float, float]:
        right = SimRuntime(loop, loop.process("right"))
        wrong = SimRuntime(loop, loop.process("wrong", clock_offset_s=30.0, clock_drift=0.01))
        await right.sleep(100.0)
        return right.now() - STARTED_AT, wrong.now() - STARTED_AT

    right, wrong = simulate(main, 1)[0]
    assert round(right, 6) == 100.0
    assert round(wrong, 6) == 131.0


def test_ids__differ_by_process_and_incarnation_and_not_by_run():
    async def main(loop: SimLoop) -> list[str]:
        made = []
        for name, incarnation in (("a", 1), ("a", 2), ("b", 1)):
            runtime = SimRuntime(loop, loop.process(name, incarnation))
            made += [runtime.uuid(), runtime.token(8)]
        return made

    first = simulate(main, 1)[0]
    assert len(set(first)) == 6
    assert first == simulate(main, 1)[0]


def test_spawned_work__belongs_to_its_process_and_keeps_the_name():
    async def main(loop: SimLoop) -> tuple[str, str]:
        process = loop.process("mine")
        runtime = SimRuntime(loop, process)

        async def work() -> str:
            current = CURRENT.get()
            assert current is not None
            return current.name

        task = runtime.spawn(work(), name="named")
        blocking = await runtime.run_blocking(lambda: "ran")
        return f"{await task} {blocking}", task.get_name()

    assert simulate(main, 1)[0] == ("mine ran", "named")
