"""Roles of a simulated cloud: a program each, started again by its supervisor whenever it ends."""

from collections.abc import Awaitable, Callable
from typing import Any

from kilonova.kernel.errors import Unavailable
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.process import Process
from kilonova.simulation.runtime import SimRuntime

RESTART_S = 1.0
OFFSET_MAX_S = 5.0
DRIFT_MAX = 0.001

Main = Callable[["Role", SimRuntime], Awaitable[None]]


class Role:
    """One program on one machine. It serves others through `serving`, while it has something to serve."""

    def __init__(self, loop: SimLoop, name: str, main: Main, report: Callable[[str], None]) -> None:
        """`main` is the program; `report` is told when it ends by a bug."""
        self.name = name
        self.serving: Any = None
        """What calls from other processes reach; None until the program is ready."""
        self.held_down = False
        """Whether its machine is off: the supervisor waits."""
        self._loop = loop
        self._main = main
        self._report = report
        clock = loop.stream(f"clock/{name}")
        self._clock = {
            "clock_offset_s": (clock.random() - 0.5) * 2 * OFFSET_MAX_S,
            "clock_drift": (clock.random() - 0.5) * 2 * DRIFT_MAX,
        }
        self._incarnation = 0
        self._others: list[Process] = []
        self.process = self._loop.process(name, 0, **self._clock)
        self.process.kill()

    def start(self) -> None:
        """Start the program, unless it runs."""
        if self.process.alive or self.held_down:
            return
        self._begin()

    def start_beside(self) -> None:
        """Start another one while the first runs on: two that believe to be the one. Nobody looks after the first any more."""
        self.process.forget(self._died)
        self._others.append(self.process)
        self._begin()

    def _begin(self) -> None:
        self._incarnation += 1
        self.serving = None
        self.process = self._loop.process(self.name, self._incarnation, **self._clock)
        self._loop.note("start", self.name, self._incarnation)
        self.process.on_death(self._died)
        self.process.spawn(self._run(self.process), name=self.name)

    def kill(self, down_s: float) -> None:
        """Kill it; it is started again after `down_s` seconds."""
        self._loop.note("kill", self.name, f"for {down_s:.3f} s")
        self.process.forget(self._died)
        self.process.kill()
        self._loop.call_later(down_s, self.start)

    def kill_others(self) -> None:
        """Kill those that run on beside the one that is looked after."""
        for other in self._others:
            other.kill()

    @property
    def others(self) -> "list[Process]":
        """Those that run on beside the one that is looked after."""
        return [other for other in self._others if other.alive]

    def found(self) -> tuple[Process, Any] | None:
        """The process and what it serves, for callers; None while it doesn't."""
        return (self.process, self.serving) if self.process.alive and self.serving is not None else None

    @property
    def owner(self) -> str:
        """A name of this incarnation and no other."""
        return f"{self.name}#{self._incarnation}"

    def _died(self, _: Process) -> None:
        self._loop.call_later(RESTART_S, self.start)

    async def _run(self, process: Process) -> None:
        """Run the program; when it ends, so does the process, and its supervisor starts another."""
        try:
            await self._main(self, SimRuntime(self._loop, process))
        except Exception as error:  # noqa: BLE001 - whatever ended it, the process is over
            causes = list(_leaves(error))
            self._loop.note("ended", self.name, *(repr(cause) for cause in causes))
            for cause in causes:
                if not isinstance(cause, Unavailable):
                    self._report(f"{self.name} ended with {cause!r}")
        else:
            if process is self.process:
                self._report(f"{self.name} ended by itself")
        process.kill()


def _leaves(error: BaseException) -> list[BaseException]:
    """The errors inside a group, or the one itself."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]
