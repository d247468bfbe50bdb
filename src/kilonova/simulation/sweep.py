"""The crash sweep: one operation on one server, with one process killed before one of its steps; every process, every step.

A step of a process is what it does between two awaits, so that every point is met at which it can be interrupted: before and
after each transaction, call and half of a hypervisor's work.
"""

import asyncio
import contextlib
from collections.abc import Iterator

import msgspec

from kilonova.kernel.errors import Conflict, NotFound, Unavailable
from kilonova.kernel.ids import ProjectId
from kilonova.objects.server import VmState
from kilonova.simulation.actions import ACTIONS
from kilonova.simulation.faults import QUIET
from kilonova.simulation.history import History, Promise, Told
from kilonova.simulation.invariants import at_rest
from kilonova.simulation.loop import SimLoop, simulate
from kilonova.simulation.process import Process
from kilonova.simulation.run import Result, calm, judged, play
from kilonova.simulation.runtime import SimRuntime
from kilonova.simulation.workload import FLAVORS, Client
from kilonova.simulation.world import Shape, World

SHAPE = Shape(global_conductors=1, cell_conductors=1, agents=1, hosts=2)
"""The smallest cloud in which servers can move: whoever is killed, nobody else does its work meanwhile."""
ROLES = ("api", "global-conductor-1", "cell1-conductor-1", "cell1-gateway", "cell1-agent-1")
OPERATIONS = ("boot", "delete", *ACTIONS)
"""What can be swept: birth and death, and everything that clients may ask for in between."""
PATIENCE_S = 240.0
LOOK_EVERY_S = 0.25
_NEVER = 1 << 60
"""A step that no process gets to."""


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
    world, history = World(loop, msgspec.structs.replace(SHAPE, silent_bus=silent_bus), QUIET), History()
    life, process = await _client(loop, world, history)
    task = process.spawn(life.run(operation, "api", _NEVER), name="client")
    await asyncio.wait([task])
    task.result()
    await life.until_quiet()
    world.close()
    return loop.time() - life.asked_at


async def _crash(loop: SimLoop, operation: str, role: str, step: int) -> Result:
    world, history = World(loop, SHAPE, QUIET), History()
    life, process = await _client(loop, world, history)
    task = process.spawn(life.run(operation, role, step), name="client")
    await asyncio.wait([task])
    world.heal()
    await calm(world, [task])
    return judged(world, history, f"{operation}: kill {role} before step {step}")


async def _client(loop: SimLoop, world: World, history: History) -> "tuple[_Life, Process]":
    """What is to happen to one server, and the process of the client that asks for it."""
    await world.warm_up()
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
    return _Life(world, client), process


class _Life:
    """One server, brought to where an operation starts, and through it."""

    def __init__(self, world: World, client: Client) -> None:
        self._world = world
        self._client = client
        self.asked_at = 0.0
        """When it asked for what it is about."""

    async def run(self, operation: str, role: str, step: int) -> None:
        """Prepare, arm the kill, and ask. Raises TimeoutError when the server doesn't get where it should."""
        if operation == "boot":
            victim = self._armed(role, step)
            await self._made()
        else:
            promise = await self._made()
            before = ACTIONS[operation].after if operation in ACTIONS else ()
            for kind in before:
                await self._acted(promise, kind)
            await self.until_quiet()
            victim = self._armed(role, step)
            if operation == "delete":
                await self._client.delete(promise)
                await self.until_quiet()
            else:
                await self._acted(promise, operation)
        victim.kill_at = None

    def _armed(self, role: str, step: int) -> Process:
        self.asked_at = self._world.loop.time()
        victim = self._world.roles[role].process
        victim.kill_at = victim.steps + step
        victim.on_death(self._count_kill)
        return victim

    def _count_kill(self, _: Process) -> None:
        self._world.faults.ordered("kill")

    async def _made(self) -> Promise:
        """A server that was accepted, or turned out to be there although no answer came, and is ACTIVE."""
        promise = await self._accepted()
        await self._until(promise, VmState.ACTIVE)
        return promise

    async def _accepted(self) -> Promise:
        while True:
            (promise,) = await self._client.create(FLAVORS[0], 1)
            while promise.boot is Told.ASKED:
                try:
                    if await self._client.get(promise) is not None:
                        promise.boot = Told.ACCEPTED
                except NotFound:
                    break
                await asyncio.sleep(LOOK_EVERY_S)
            if promise.boot is Told.ACCEPTED:
                return promise

    async def _acted(self, promise: Promise, kind: str) -> None:
        """Ask until it is accepted, or done although no answer came; then wait until it is done."""
        action = ACTIONS[kind]
        while True:
            try:
                await self._client.act(promise, kind)
            except (Conflict, Unavailable):
                server = None
                with contextlib.suppress(Unavailable):
                    server = await self._client.get(promise)
                if server is not None and server.current_op is None and server.vm_state is action.ends_in:
                    return
                await asyncio.sleep(LOOK_EVERY_S)
            else:
                break
        await self._until(promise, action.ends_in)

    async def _until(self, promise: Promise, state: VmState) -> None:
        """Wait until the server is at rest in `state`."""
        give_up_at = self._world.loop.time() + PATIENCE_S
        while True:
            server = await self._client.get(promise)
            if server is not None and server.current_op is None and server.vm_state is state:
                return
            if self._world.loop.time() > give_up_at:
                shown = "nothing" if server is None else f"{server.vm_state}/{server.task_state}"
                raise TimeoutError(f"server {promise.server_id} is {shown} after {PATIENCE_S:g} s, not {state}")
            await asyncio.sleep(LOOK_EVERY_S)

    async def until_quiet(self) -> None:
        """Wait until nobody has anything left to do."""
        give_up_at = self._world.loop.time() + PATIENCE_S
        while at_rest.unfinished(self._world.durable):
            if self._world.loop.time() > give_up_at:
                return
            await asyncio.sleep(LOOK_EVERY_S)
