"""One seed: a storm over a cloud that works, or the story of a case; then calm, then the question whether everything held."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Iterator
from typing import Any

import msgspec
from typing_extensions import override

from kilonova.simulation import reached
from kilonova.simulation.actions import CANARY
from kilonova.simulation.calm import calm
from kilonova.simulation.cases.case import Case
from kilonova.simulation.cases.play import played
from kilonova.simulation.cases.table import CASES
from kilonova.simulation.history import History
from kilonova.simulation.invariants import at_rest
from kilonova.simulation.loop import SimLoop, simulate
from kilonova.simulation.operator import Operator
from kilonova.simulation.process import CURRENT
from kilonova.simulation.runtime import SimRuntime
from kilonova.simulation.scenarios import Scenario, scenario
from kilonova.simulation.storm import Storm
from kilonova.simulation.workload import Client
from kilonova.simulation.world import World


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one seed."""

    seed: int
    scenario: str
    events: int = 0
    """Steps of the loop."""
    faults: int
    violations: tuple[str, ...]
    trace_hash: str = ""
    sometimes: dict[str, int]
    fault_counts: dict[str, int]
    struck: tuple[str, ...] = ()
    """Every fault by name and number, in the order in which they struck."""
    virtual_s: float
    cpu_s: float = 0.0
    timeline: tuple[str, ...] = ()


def named(name: str) -> Scenario | Case:
    """The storm or case called `name`. Raises KeyError."""
    return CASES[name] if name in CASES else scenario(name)


def run_seed(seed: int, name: str = "storm", *, timeline: bool = False) -> Result:
    """Run `seed` of the scenario `name`. Raises KeyError for a scenario that there isn't."""
    return run(seed, named(name), timeline=timeline)


def run(seed: int, chosen: Scenario | Case, *, without: Collection[str] = (), timeline: bool = False) -> Result:
    """Run `seed` of a scenario, leaving out the faults named in `without`: see `Faults`."""

    async def act(loop: SimLoop) -> Result:
        world = World(loop, chosen.shape, chosen.rates, without)
        story = played(world, chosen) if isinstance(chosen, Case) else _storm_and_calm(world, chosen)
        return judged(world, await story, chosen.name)

    return play(seed, act, timeline)


def play(seed: int, act: Callable[[SimLoop], Coroutine[Any, Any, Result]], timeline: bool = False) -> Result:
    """Run one simulation and complete its result with what only the loop knows."""
    began = time.process_time()
    with logs_in_timeline():
        found, loop = simulate(act, seed, timeline=timeline)
    return msgspec.structs.replace(
        found, trace_hash=loop.trace_hash(), events=loop.steps, cpu_s=time.process_time() - began
    )


async def _storm_and_calm(world: World, chosen: Scenario) -> History:
    """Storm, then calm; what clients asked for and were told."""
    loop, history = world.loop, History()
    await world.warm_up()
    world.add_groups([chosen.project(number) for number in range(1, chosen.clients + 1)])
    clients = _clients(loop, world, history, chosen)
    operator = loop.process("operator")
    if chosen.evacuates:
        at_work = Operator(world.servers(operator), SimRuntime(loop, operator), world.durable)
        operator.spawn(at_work.run(), name="operator")
    if chosen.storm_s > 0:
        storm = Storm(loop, world, world.faults, world.sometimes, chosen.weights, chosen.storm_every_s)
        await storm.rage(chosen.storm_s)
    operator.kill()
    world.heal(lost_hosts=chosen.lost_hosts)
    await calm(world, clients)
    return history


def judged(world: World, history: History, name: str) -> Result:
    """What came of it, now that everything is at rest. Closes the world."""
    at_rest.check(world.durable, history, world.report)
    at_rest.check_bounds(world.roles.values(), world.broker, world.report)
    history.check(world.report)
    reached.look(world.durable, world.sometimes)
    for complaint in world.loop.complaints:
        world.report(complaint)
    world.close()
    return Result(
        seed=world.loop.seed,
        scenario=name,
        faults=world.faults.total,
        violations=tuple(f"{at:.3f} s: {what}" for what, at in world.violations.items()),
        sometimes=dict(sorted(world.sometimes.counts.items())),
        struck=tuple(world.faults.struck),
        fault_counts=dict(sorted(world.faults.counts.items())),
        virtual_s=world.loop.time(),
        timeline=tuple(world.loop.timeline or ()),
    )


def _clients(loop: SimLoop, world: World, history: History, chosen: Scenario) -> "list[asyncio.Task[None]]":
    """Start the clients; each is a process that nothing happens to."""
    tasks = []
    for number in range(1, chosen.clients + 1):
        process = loop.process(f"client-{number}")
        client = Client(
            process.name,
            chosen.project(number),
            servers=world.servers(process),
            runtime=SimRuntime(loop, process),
            chance=loop.stream(f"client/{number}"),
            history=history,
            report=world.report,
            sometimes=world.sometimes,
        )
        tasks.append(process.spawn(client.run(chosen.plan), name=process.name))
    return tasks


class _TimelineLog(logging.Handler):
    """Puts warnings of simulated processes into the timeline, and reads every line for secrets."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        process = CURRENT.get()
        if process is None or not isinstance(process.loop, SimLoop):
            return
        if record.levelno >= logging.WARNING:
            process.loop.note("log", process.name, record.getMessage())
        line = self.format(record)  # with the traceback, if there is one
        if CANARY in line:
            process.loop.complaints.append(f"{process.name} wrote a secret into its log: {line}")


@contextlib.contextmanager
def logs_in_timeline() -> Iterator[None]:
    """Let warnings of the simulated cloud be told in its timeline, and nowhere else; whatever it logs has no secret in it."""
    logger, handler = logging.getLogger("kilonova"), _TimelineLog(logging.DEBUG)
    propagated, logger.propagate = logger.propagate, False
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagated
