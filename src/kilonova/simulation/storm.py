"""The storm: a schedule of things that go wrong with machines, drawn from its own stream while clients work."""

import asyncio
import random
from collections.abc import Callable
from typing import Protocol

import msgspec

from kilonova.simulation.faults import Faults
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.sometimes import Sometimes

LEASE_S = 15.0
"""What operations are leased for; who is frozen longer has lost them."""


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """How often each event comes, against the others."""

    kill: float = 5.0
    freeze: float = 3.0
    cut_off: float = 1.0
    partition: float = 0.7
    database_down: float = 1.0
    database_power_cut: float = 0.7
    host_dark: float = 1.0
    guest_crash: float = 0.5
    agent_twice: float = 0.0
    guest_vanishes: float = 0.0
    guest_planted: float = 0.0


class Breakable(Protocol):
    """What a storm can do to a world. Each picks its victim with the number in [0, 1) that it is given."""

    def kill(self, pick: float, down_s: float) -> None:
        """Kill a process; another incarnation starts after `down_s` seconds."""

    def freeze(self, pick: float, for_s: float) -> None:
        """Freeze a process."""

    def cut_off(self, pick: float, for_s: float) -> None:
        """Let no call from or to a process through."""

    def partition(self, pick: float, for_s: float) -> None:
        """Split processes and databases into two sides that don't reach each other."""

    def database_power_cut(self, pick: float, for_s: float) -> None:
        """Cut the power of a database: it comes back with what it had committed, and nothing else."""

    def database_down(self, pick: float, for_s: float) -> None:
        """Let a database refuse every connection."""

    def host_dark(self, pick: float, for_s: float) -> None:
        """Cut the power of an agent's hosts, agent included."""

    def guest_crash(self, pick: float) -> None:
        """End a guest."""

    def agent_twice(self, pick: float, for_s: float) -> None:
        """Start an agent that runs already, or one of another name for the same hosts; the first is frozen for a while."""

    def guest_vanishes(self, pick: float) -> None:
        """Remove a guest whose server is at rest, with its disk."""

    def guest_planted(self, pick: float) -> None:
        """Let a guest run that no record knows, with the mark of its cell or without one."""


class Storm:
    """Breaks a world, again and again. Each kind of event comes at times of its own, from a stream of its own."""

    def __init__(
        self, loop: SimLoop, world: Breakable, faults: Faults, sometimes: Sometimes, weights: Weights, every_s: float
    ) -> None:
        """An event comes every `every_s` seconds on average."""
        self._loop = loop
        self._faults = faults
        self._sometimes = sometimes
        self._every_s = every_s
        self._weights = msgspec.structs.asdict(weights)
        self._events: dict[str, Callable[[random.Random], None]] = {
            "kill": lambda chance: world.kill(chance.random(), chance.random() * 10.0),
            "freeze": lambda chance: world.freeze(chance.random(), self._frozen_for(chance)),
            "cut_off": lambda chance: world.cut_off(chance.random(), chance.random() * 30.0),
            "partition": lambda chance: world.partition(chance.random(), chance.random() * 30.0),
            "database_down": lambda chance: world.database_down(chance.random(), chance.random() * 15.0),
            "database_power_cut": lambda chance: world.database_power_cut(chance.random(), chance.random() * 10.0),
            "host_dark": lambda chance: world.host_dark(chance.random(), chance.random() * 120.0),
            "guest_crash": lambda chance: world.guest_crash(chance.random()),
            "agent_twice": lambda chance: world.agent_twice(chance.random(), self._frozen_for(chance)),
            "guest_vanishes": lambda chance: world.guest_vanishes(chance.random()),
            "guest_planted": lambda chance: world.guest_planted(chance.random()),
        }

    async def rage(self, for_s: float) -> None:
        """Break things for `for_s` seconds."""
        total = sum(self._weights.values())
        until = self._loop.time() + for_s
        for name, weight in self._weights.items():
            if weight > 0:
                chance = self._loop.stream(f"storm/{name}")
                self._next(name, chance, self._every_s * total / weight, until)
        await asyncio.sleep(for_s)

    def _next(self, name: str, chance: random.Random, every_s: float, until: float) -> None:
        """Set the time of the next event of a kind."""
        at = self._loop.time() + chance.expovariate(1.0 / every_s)
        if at < until:
            self._loop.call_at(at, self._strike, name, chance, every_s, until)

    def _strike(self, name: str, chance: random.Random, every_s: float, until: float) -> None:
        one = random.Random(chance.random())  # what is left out draws no less
        if self._faults.ordered(name):
            self._events[name](one)
        self._next(name, chance, every_s, until)

    def _frozen_for(self, chance: random.Random) -> float:
        for_s = chance.choice((0.5, 3.0, 20.0, 40.0)) * (0.5 + chance.random())
        if for_s > LEASE_S:
            self._sometimes("process_frozen_past_lease")
        return for_s
