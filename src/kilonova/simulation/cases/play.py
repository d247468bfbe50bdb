"""Playing one case."""

import asyncio

from kilonova.simulation.calm import calm
from kilonova.simulation.cases.case import Case
from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.history import History
from kilonova.simulation.world import World


async def played(world: World, case: Case) -> History:
    """Play `case`, then let everything come to rest; what its client asked for and was told."""
    history = History()
    await world.warm_up()
    stage = Stage(world, history, case.id)
    story = stage.process.spawn(case.play(stage), name=case.id)
    await asyncio.wait([story])
    world.heal()
    await calm(world, [story])
    if stage.expectations == 0:
        world.report(f"{case.id} expected nothing")
    return history
