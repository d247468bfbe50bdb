"""The crash sweep: one operation on one server, with one process killed before one of its steps; every process, every step.

A step of a process is what it does between two awaits, so that every point is met at which it can be interrupted: before and
after each transaction, call and half of a hypervisor's work.
"""

import asyncio
from collections.abc import Iterator

import msgspec

from kilonova.simulation.actions import ACTIONS
from kilonova.simulation.calm import calm
from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.faults import QUIET
from kilonova.simulation.history import History, Promise
from kilonova.simulation.loop import SimLoop, simulate
from kilonova.simulation.run import Result, judged, play
from kilonova.simulation.world import Shape, World

SHAPE = Shape(global_conductors=1, cell_conductors=1, agents=1, hosts=2)
"""The smallest cloud in which servers can move: whoever is killed, nobody else does its work meanwhile."""
ROLES = ("api", "global-conductor-1", "cell1-conductor-1", "cell1-gateway", "cell1-agent-1")
OPERATIONS = ("boot", "delete", *ACTIONS)
"""What can be swept: birth and death, and everything that clients may ask for in between."""


def sweep(operation: str, role: str, seed: int = 1, *, start: int = 0, stride: int = 1) -> Iterator[Result]:
    """Kill `role` before its step `start`, `start + stride`, ... until it has none left. A result for each."""
    step = start
    while True:
        result = crash(operation, role, step, seed)
        if "kill" not in result.fault_counts:
            return
        yield result
        step += stride


def crash(operation: str, role: str, step: int, seed: int = 1, *, timeline: bool = False) -> Result:
    """Carry `operation` out with `role` killed before the given step, counted from when the client asks for it."""
    return play(seed, lambda loop: _crash(loop, operation, role, step), timeline)


def lasted(operation: str, seed: int = 1, *, silent_bus: bool = False) -> float:
    """Virtual seconds from asking for `operation`, while nothing goes wrong, until nobody has anything left to do."""
    return simulate(lambda loop: _lasted(loop, operation, silent_bus=silent_bus), seed)[0]


async def _lasted(loop: SimLoop, operation: str, *, silent_bus: bool) -> float:
    world = World(loop, msgspec.structs.replace(SHAPE, silent_bus=silent_bus), QUIET)
    await world.warm_up()
    stage = Stage(world, History(), "client")
    task = stage.process.spawn(_timed(stage, operation), name="client")
    await asyncio.wait([task])
    world.close()
    return task.result()


async def _timed(stage: Stage, operation: str) -> float:
    promise = await _prepared(stage, operation)
    asked_at = stage.loop.time()
    await _carried_out(stage, operation, promise)
    await stage.until_quiet()
    return stage.loop.time() - asked_at


async def _crash(loop: SimLoop, operation: str, role: str, step: int) -> Result:
    world, history = World(loop, SHAPE, QUIET), History()
    await world.warm_up()
    stage = Stage(world, history, "client")
    task = stage.process.spawn(_life(stage, operation, role, step), name="client")
    await asyncio.wait([task])
    world.heal()
    await calm(world, [task])
    return judged(world, history, f"{operation}: kill {role} before step {step}")


async def _life(stage: Stage, operation: str, role: str, step: int) -> None:
    """Prepare, arm the kill, and ask. Raises TimeoutError when the server doesn't get where it should."""
    promise = await _prepared(stage, operation)
    victim = stage.breaking.kill_at_step(role, step)
    await _carried_out(stage, operation, promise)
    victim.kill_at = None


async def _prepared(stage: Stage, operation: str) -> Promise | None:
    """A server to which `operation` can be done; none where it is the one that makes it."""
    return None if operation == "boot" else await stage.ready_for(operation)


async def _carried_out(stage: Stage, operation: str, promise: Promise | None) -> None:
    """Ask for `operation`, and wait until it is done."""
    if promise is None:
        await stage.made()
    elif operation == "delete":
        await stage.delete(promise)
        await stage.until_quiet()
    else:
        await stage.acted(promise, operation)
