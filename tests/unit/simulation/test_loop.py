"""The seeded loop: order, virtual time, trace, escapes."""

import asyncio
import contextlib
import os
import random
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from kilonova.simulation.escapes import Escape
from kilonova.simulation.loop import SimLoop, Stuck, simulate


async def _race(loop: SimLoop) -> list[int]:
    order: list[int] = []

    async def runner(number: int) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        order.append(number)

    await asyncio.gather(*(runner(number) for number in range(8)))
    return order


def test_one_seed__run_twice__same_order_and_trace():
    first, second = simulate(_race, 7), simulate(_race, 7)
    assert first[0] == second[0]
    assert first[1].trace_hash() == second[1].trace_hash()
    assert first[1].steps == second[1].steps > 20


def test_other_seed__other_order():
    orders = {tuple(simulate(_race, seed)[0]) for seed in range(10)}
    assert len(orders) > 5


def test_an_hour_of_virtual_time__takes_no_time():
    async def main(loop: SimLoop) -> float:
        await asyncio.sleep(3600.0)
        return loop.time()

    began = time.perf_counter()
    assert simulate(main, 1)[0] == pytest.approx(3600.0)
    assert time.perf_counter() - began < 5.0


def test_timeouts_work_on_virtual_time():
    async def main(loop: SimLoop) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.Event().wait()
        return loop.time()

    assert simulate(main, 1)[0] == pytest.approx(5.0)


def test_nothing_ready_and_no_timer__stuck():
    async def main(loop: SimLoop) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck, match="nothing is ready"):
        simulate(main, 1)


def test_streams__a_draw_in_one__moves_no_other():
    async def main(loop: SimLoop) -> float:
        return loop.stream("ids").random()

    async def drawing_more(loop: SimLoop) -> float:
        loop.stream("faults").random()
        return loop.stream("ids").random()

    assert simulate(main, 3)[0] == simulate(drawing_more, 3)[0]


@pytest.mark.parametrize(
    "reach",
    [
        lambda: threading.Thread(target=print).start(),
        lambda: socket.socket(),  # noqa: PLW0108 - looked up when it is called
        lambda: time.sleep(0.1),
        lambda: random.random(),  # noqa: PLW0108
        lambda: asyncio.get_running_loop().run_in_executor(None, print),
        lambda: asyncio.get_running_loop().add_signal_handler(15, print),
    ],
    ids=["thread", "socket", "sleep", "random", "executor", "signal"],
)
def test_code_reaches_for_the_machine__escape_even_if_it_was_caught(reach):
    async def main(loop: SimLoop) -> None:
        with contextlib.suppress(BaseException):
            reach()

    with pytest.raises(Escape, match=r"test_loop\.py"):
        simulate(main, 1)
    assert 0.0 <= random.random() < 1.0


def test_sets_of_tasks__any_hash_seed__one_trace():
    script = textwrap.dedent("""
        import asyncio
        from kilonova.simulation.loop import simulate

        async def worker(n, log):
            try:
                await asyncio.sleep(100)
            finally:
                log.append(n)

        async def main(loop):
            log = []
            async def fail():
                await asyncio.sleep(1)
                raise ValueError
            try:
                async with asyncio.TaskGroup() as group:
                    for n in range(20):
                        group.create_task(worker(n, log))
                    group.create_task(fail())
            except* ValueError:
                pass
            return log

        log, loop = simulate(main, 5)
        print(log, loop.trace_hash())
    """)
    said = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "random")
    }
    assert len(said) == 1
