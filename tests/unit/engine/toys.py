"""What the tests of the engine share: a plan of toy steps over a world that remembers every effect, and a cloud's clock."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from kilonova.bus.bus import Bus
from kilonova.database.tables import cell_database
from kilonova.engine import progress
from kilonova.engine.plan import Plan, Step
from kilonova.engine.runner import Pace, Runner
from kilonova.kernel.ids import HostName, OperationId, ProjectId, ServerId, UserId
from kilonova.objects.operation import Operation, OperationState
from kilonova.simulation.bus import Broker, SimBus
from kilonova.simulation.database import DatabaseServer, SimDatabase
from kilonova.simulation.faults import QUIET, Faults, Rates
from kilonova.simulation.loop import SimLoop, simulate
from kilonova.simulation.process import Process
from kilonova.simulation.runtime import STARTED_AT, SimRuntime
from kilonova.simulation.sometimes import Sometimes

TOPIC = "toys"
HOST = HostName("host-1")


def operation(number: int = 1, **fields: Any) -> Operation:
    """An operation of the plan `toy` that nobody has begun."""
    known: dict[str, Any] = {
        "id": OperationId(f"00000000-0000-4000-8000-{number:012}"),
        "server_id": ServerId(f"11111111-0000-4000-8000-{number:012}"),
        "project_id": ProjectId("project"),
        "user_id": UserId("user"),
        "request_id": "req-1",
        "kind": "toy",
        "params": {"host": HOST},
        "deadline": STARTED_AT + 3600.0,
        "created_at": STARTED_AT,
        "updated_at": STARTED_AT,
    }
    return Operation(**{**known, **fields})


@dataclass
class Toys:
    """The world that toy steps change: which effects there are, and what was called."""

    effects: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    before: dict[str, Callable[["Toys"], Awaitable[None]]] = field(default_factory=dict)
    """What happens in a step before its effect."""
    after: dict[str, Callable[["Toys"], Awaitable[None]]] = field(default_factory=dict)
    """What happens in a step after its effect, before anybody hears of it."""

    def plan(self, *names: str, **options: Any) -> Plan[Operation]:
        """A plan with these control steps, each with an undo."""
        return Plan(kind="toy", deadline_s=3600.0, steps=tuple(self.step(name) for name in names), **options)

    def step(self, name: str, **options: Any) -> Step[Operation]:
        """A step whose effect is its name."""

        async def ensure(operation: Operation) -> dict[str, Any]:
            self.calls.append(name)
            if name in self.before:
                await self.before[name](self)
            self.effects.add(name)
            if name in self.after:
                await self.after[name](self)
            return {name: operation.epoch}

        async def undo(operation: Operation) -> None:
            self.calls.append(f"undo {name}")
            if f"undo {name}" in self.before:
                await self.before[f"undo {name}"](self)
            self.effects.discard(name)

        return Step(name=name, ensure=ensure, **{"undo": undo, **options})


def host_step(name: str, **options: Any) -> Step[Any]:
    """A step that a host's agent does."""
    return Step(name=name, on_host=do_it, **options)


def do_it(_: Any) -> str:
    """What a host is asked to do, or to undo."""
    return "it"


class Floor:
    """One database, and processes with runners on it, in virtual time."""

    def __init__(self, loop: SimLoop, rates: Rates) -> None:
        self.loop = loop
        self.faults, self.sometimes = Faults(rates), Sometimes()
        self.server = DatabaseServer(loop, "cell", cell_database.metadata)
        self.broker = Broker(loop, self.faults, self.sometimes)
        self.moves: list[tuple[OperationState, str]] = []
        """State and step of every move, as the projection saw it."""

    @property
    def now(self) -> float:
        return STARTED_AT + self.loop.time()

    def database(self, process: Process) -> SimDatabase:
        return SimDatabase(self.loop, self.server, process, self.faults, self.sometimes)

    def bus(self, process: Process) -> Bus:
        return SimBus(self.broker, process)

    def project(self, tx: Any, before: Operation, move: progress.Move) -> None:
        self.moves.append((move.operation.state, move.operation.step))

    def runner(self, plan: Plan[Operation], name: str = "runner", incarnation: int = 1, **pace: Any) -> Process:
        """Start a runner in a process of its own."""
        process = self.loop.process(name, incarnation)
        runner: Runner[Operation] = Runner(
            runtime=SimRuntime(self.loop, process),
            database=self.database(process),
            bus=self.bus(process),
            topic=TOPIC,
            plans={"toy": plan},
            context=lambda operation: operation,
            project=self.project,
            owner=f"{name}#{incarnation}",
            pace=Pace(**pace),
        )
        process.spawn(runner.run(), name=name)
        return process


def play(work: Callable[[Floor], Awaitable[Any]], rates: Rates = QUIET, seed: int = 1) -> Any:
    """Run `work` on a floor in virtual time; what it returned. Complaints of the loop fail the test."""

    async def main(loop: SimLoop) -> Any:
        floor = Floor(loop, rates)
        try:
            return await work(floor)
        finally:
            floor.server.close()

    result, loop = simulate(main, seed)
    assert not loop.complaints
    return result


def rates(**chosen: float) -> Rates:
    return msgspec.structs.replace(QUIET, **chosen)
