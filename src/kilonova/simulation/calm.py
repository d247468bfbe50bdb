"""Calm: no fault strikes any more, and everything has to come to rest in bounded time."""

import asyncio
from typing import Any

from kilonova.simulation.invariants import at_rest
from kilonova.simulation.world import World

CALM_MAX_S = 300.0
"""Virtual seconds after the last fault in which everything has to finish."""
RECONCILED_S = 25.0
"""How long agents may take to see what their hypervisors show, once nothing else happens: a beat, and a look after it."""
LOOK_EVERY_S = 2.0


async def calm(world: World, asking: "list[asyncio.Task[Any]]") -> None:
    """Wait until everything has finished, tasks of clients included; what hasn't after `CALM_MAX_S` is a violation."""
    loop = world.loop
    give_up_at = loop.time() + CALM_MAX_S
    waiting = ["the clients"]
    while waiting and loop.time() < give_up_at:
        await asyncio.sleep(LOOK_EVERY_S)
        waiting = [f"{task.get_name()} is still asking" for task in asking if not task.done()]
        waiting = waiting or at_rest.unfinished(world.durable) or _frozen(world)
    for what in waiting:
        world.report(f"not finished {CALM_MAX_S:g} s after the last fault: {what}")
    for task in asking:
        if task.done() and task.exception() is not None:
            world.report(f"{task.get_name()} ended with {task.exception()!r}")
    await asyncio.sleep(RECONCILED_S)


def _frozen(world: World) -> list[str]:
    """Processes that have yet to go on with what they believed before."""
    processes = [role.process for role in world.roles.values()]
    return [f"{one.name} is frozen" for one in processes if one.alive and one.frozen_until > world.loop.time()]
