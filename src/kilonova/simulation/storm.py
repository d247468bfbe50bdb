"""The storm: a schedule of things that go wrong with machines, drawn from its own stream while clients work."""

import asyncio
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
    database_down: float = 1.0
    host_dark: float = 1.0
    guest_crash: float = 0.5


class Breakable(Protocol):
    """What a storm can do to a world. Each picks its victim with the number in [0, 1) that it is given."""

    def kill(self, pick: float, down_s: float) -> None:
        """Kill a process; another incarnation starts after `down_s` seconds."""

    def freeze(self, pick: float, for_s: float) -> None:
        """Freeze a process."""

    def cut_off(self, pick: float, for_s: float) -> None:
        """Let no call from or to a process through."""

    def database_down(self, pick: float, for_s: float) -> None:
        """Let a database refuse every connection."""

    def host_dark(self, pick: float, for_s: float) -> None:
        """Cut the power of an agent's hosts, agent included."""

    def guest_crash(self, pick: float) -> None:
        """End a guest."""


class Storm:
    """Breaks a world, again and again."""

    def __init__(
        self, loop: SimLoop, world: Breakable, faults: Faults, sometimes: Sometimes, weights: Weights, every_s: float
    ) -> None:
        """An event comes every `every_s` seconds on average."""
        self._world = world
        self._faults = faults
        self._sometimes = sometimes
        self._every_s = every_s
        self._stream = loop.stream("storm")
        self._events: dict[str, tuple[float, Callable[[], None]]] = {
            "kill": (weights.kill, self._kill),
            "freeze": (weights.freeze, self._freeze),
            "cut_off": (weights.cut_off, self._cut_off),
            "database_down": (weights.database_down, self._database_down),
            "host_dark": (weights.host_dark, self._host_dark),
            "guest_crash": (weights.guest_crash, self._guest_crash),
        }

    async def rage(self, for_s: float) -> None:
        """Break things for `for_s` seconds."""
        async with asyncio.timeout(for_s):
            while True:
                await asyncio.sleep(self._stream.expovariate(1.0 / self._every_s))
                names = list(self._events)
                name = self._stream.choices(names, [self._events[each][0] for each in names])[0]
                self._faults.count(name)
                self._events[name][1]()

    def _kill(self) -> None:
        self._world.kill(self._stream.random(), self._stream.random() * 10.0)

    def _freeze(self) -> None:
        for_s = self._stream.choice((0.5, 3.0, 20.0, 40.0)) * (0.5 + self._stream.random())
        if for_s > LEASE_S:
            self._sometimes("process_frozen_past_lease")
        self._world.freeze(self._stream.random(), for_s)

    def _cut_off(self) -> None:
        self._world.cut_off(self._stream.random(), self._stream.random() * 30.0)

    def _database_down(self) -> None:
        self._world.database_down(self._stream.random(), self._stream.random() * 15.0)

    def _host_dark(self) -> None:
        self._world.host_dark(self._stream.random(), self._stream.random() * 120.0)

    def _guest_crash(self) -> None:
        self._world.guest_crash(self._stream.random())
