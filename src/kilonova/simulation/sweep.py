"""The crash sweep: one boot and one delete, with one process killed before one of its steps; every process, every step."""

import asyncio
from collections.abc import Iterator

from kilonova.kernel.errors import NotFound
from kilonova.kernel.ids import ProjectId
from kilonova.objects.server import VmState
from kilonova.simulation.faults import QUIET
from kilonova.simulation.history import History, Promise, Told
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.run import Result, calm, judged, play
from kilonova.simulation.runtime import SimRuntime
from kilonova.simulation.workload import FLAVORS, Client
from kilonova.simulation.world import Shape, World

SHAPE = Shape(global_conductors=1, cell_conductors=1, agents=1)
"""The smallest cloud: whoever is killed, nobody else does its work meanwhile."""
ROLES = ("api", "global-conductor-1", "cell1-conductor-1", "cell1-gateway", "cell1-agent-1")
BOOT_MAX_S = 120.0


def sweep(role: str, seed: int = 1, *, start: int = 0, stride: int = 1) -> Iterator[Result]:
    """Kill `role` before its step `start`, `start + stride`, ... until it has none left. A result for each."""
    step = start
    while True:
        result = crash(role, step, seed)
        if "kill" not in result.fault_counts:
            return
        yield result
        step += stride


def crash(role: str, step: int, seed: int = 1, *, timeline: bool = False) -> Result:
    """Boot and delete a server, with `role` killed before the given step, counted from when the client begins."""
    return play(seed, lambda loop: _boot_and_delete(loop, role, step), timeline)


async def _boot_and_delete(loop: SimLoop, role: str, step: int) -> Result:
    world, history = World(loop, SHAPE, QUIET), History()
    await world.warm_up()
    victim = world.roles[role].process
    victim.kill_at = victim.steps + step
    victim.on_death(lambda _: world.faults.count("kill"))
    process = loop.process("client")
    client = Client(
        process.name,
        ProjectId("project"),
        servers=world.servers(process),
        runtime=SimRuntime(loop, process),
        chance=loop.stream("client"),
        history=history,
        report=world.report,
        sometimes=world.sometimes,
    )
    task = process.spawn(_live(client, loop), name="client")
    await asyncio.wait([task])
    victim.kill_at = None
    world.heal()
    await calm(world, [task])
    return judged(world, history, f"kill {role} before step {step}")


async def _live(client: Client, loop: SimLoop) -> None:
    """A server's life: asked for until it is there, waited for, deleted."""
    promise = await _made(client)
    give_up_at = loop.time() + BOOT_MAX_S
    while (state := await client.state(promise)) is VmState.BUILDING or state is None:
        if loop.time() > give_up_at:
            raise TimeoutError(f"server {promise.server_id} is {state} after {BOOT_MAX_S:g} s")
        await asyncio.sleep(0.25)
    assert state is VmState.ACTIVE, f"server {promise.server_id} is {state}"
    await client.delete(promise)


async def _made(client: Client) -> Promise:
    """A server that was accepted, or turned out to be there although no answer came."""
    while True:
        (promise,) = await client.create(FLAVORS[0], 1)
        while promise.boot is Told.ASKED:
            try:
                if await client.state(promise) is not None:
                    promise.boot = Told.ACCEPTED
            except NotFound:
                break
            await asyncio.sleep(0.25)
        if promise.boot is Told.ACCEPTED:
            return promise
