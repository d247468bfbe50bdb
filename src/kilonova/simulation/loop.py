"""A seeded asyncio loop with virtual time.

One integer decides which callback that is ready runs next, and through streams of its own every fault, delay and id. Nothing here
reads the machine's clock, opens a socket or starts a thread; code that tries raises `Escape`. The trace hash covers every
step: two runs of a seed with one hash did the same things in the same order, whatever PYTHONHASHSEED is.

Order must come from nowhere else: sets of tasks iterate by birth (a task's own hash is its address), and the garbage
collector rests during a run, because it would run finalizers at moments of the machine's choosing.
"""

# ruff: noqa: SLF001 - a loop has to look into asyncio's handles, which offer no other way

import asyncio
import contextvars
import gc
import hashlib
import heapq
import math
import random
import sys
import warnings
from asyncio import base_events, events
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from typing_extensions import override

from kilonova.simulation.escapes import Escape, sealed
from kilonova.simulation.process import CURRENT, Process

T = TypeVar("T")

STEPS_MAX = 3_000_000
"""A seed that takes more steps than this never ends."""


class Stuck(BaseException):
    """Nothing is ready and no timer is set, or the steps never end: the simulated cloud hangs."""


class SimTask(asyncio.Task[Any]):
    """A task that hashes by birth number."""

    def __init__(self, coro: Any, *, loop: "SimLoop", name: str | None = None, context: Any = None) -> None:
        """Take the next number."""
        self.number = loop.next_number()
        super().__init__(coro, loop=loop, name=name, context=context)

    @override
    def __hash__(self) -> int:
        return self.number


class SimFuture(asyncio.Future[Any]):
    """A future that hashes by birth number."""

    def __init__(self, *, loop: "SimLoop") -> None:
        """Take the next number."""
        self.number = loop.next_number()
        super().__init__(loop=loop)

    @override
    def __hash__(self) -> int:
        return self.number


class SimLoop(base_events.BaseEventLoop):
    """The loop. `stream(name)` gives independent randomness: a new draw in one place reshuffles no other."""

    _ready: list[events.Handle]  # asyncio's own is a deque; any of these may be next
    _scheduled: list[events.TimerHandle]

    def __init__(self, seed: int, *, timeline: bool = False) -> None:
        """With `timeline`, keep a readable line of everything noted, for people who replay the seed."""
        super().__init__()
        self.seed = seed
        self.steps = 0
        self.timeline: list[str] | None = [] if timeline else None
        self.complaints: list[str] = []
        """What asyncio reported: exceptions that nobody took."""
        self._processes: list[Process] = []
        self._now = 0.0
        self._number = 0
        self._ready = []
        self._frozen: list[tuple[float, int, events.Handle]] = []
        self._schedule = self.stream("schedule")
        self._trace = hashlib.blake2b(digest_size=16)
        self.set_task_factory(SimLoop._make_task)
        self.set_exception_handler(
            lambda _, said: self.complaints.append(f"{said['message']}: {said.get('exception')!r}")
        )

    @staticmethod
    def _make_task(loop: Any, coro: Any, **options: Any) -> SimTask:
        return SimTask(coro, loop=loop, **options)

    def stream(self, name: str) -> random.Random:
        """Randomness that only `name` draws from."""
        return random.Random(f"{self.seed}/{name}")

    def next_number(self) -> int:
        """Count births of tasks and futures."""
        self._number += 1
        return self._number

    def process(self, name: str, incarnation: int = 1, **clock: float) -> Process:
        """Start a simulated process; `clock` as `Process` takes it."""
        process = Process(self, name, incarnation, **clock)
        self._processes.append(process)
        return process

    def note(self, *words: object) -> None:
        """Put something that happened into the trace, and into the timeline if one is kept."""
        line = f"{self._now:.6f} {' '.join(map(str, words))}"
        self._trace.update(line.encode())
        if self.timeline is not None:
            self.timeline.append(line)

    def trace_hash(self) -> str:
        """A digest of all steps and notes so far."""
        return self._trace.hexdigest()

    @override
    def time(self) -> float:
        return self._now

    @override
    def create_future(self) -> SimFuture:
        return SimFuture(loop=self)

    @override
    def create_task(self, coro: Any, *, name: Any = None, context: contextvars.Context | None = None) -> Any:
        task = super().create_task(coro, name=name, context=context)
        process = CURRENT.get() if context is None else context.get(CURRENT)
        if process is not None:
            process.owns(task)
        return task

    def _run_once(self) -> None:
        """Run one callback: any that is ready. Time moves only when none is."""
        handle = self._next()
        if handle is None or handle.cancelled():
            return
        process = handle._context.get(CURRENT)  # type: ignore[attr-defined]
        if process is not None and not self._may_step(process, handle):
            return
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Stuck(f"more than {STEPS_MAX} steps")
        callback = handle._callback  # type: ignore[attr-defined]
        number = getattr(getattr(callback, "__self__", None), "number", 0)
        place = process.name if process is not None else "-"
        self._trace.update(f"{self._now:.9f}{place}{number}".encode())
        handle._run()

    def _next(self) -> events.Handle | None:
        """Take a callback that is ready, by lot."""
        ready, timers, frozen = self._ready, self._scheduled, self._frozen
        if not ready:
            while timers and timers[0].cancelled():
                heapq.heappop(timers)
            if not timers and not frozen:
                raise Stuck(f"nothing is ready and no timer is set at {self._now:.3f} s")
            soonest = min(timers[0].when() if timers else math.inf, frozen[0][0] if frozen else math.inf)
            self._now = max(self._now, soonest)
        while timers and timers[0].when() <= self._now:
            ready.append(heapq.heappop(timers))
        while frozen and frozen[0][0] <= self._now:
            ready.append(heapq.heappop(frozen)[2])
        count = len(ready)
        if count == 0:
            return None
        at = int(self._schedule.random() * count) if count > 1 else 0
        chosen = ready[at]
        ready[at] = ready[-1]
        ready.pop()
        return chosen

    def _may_step(self, process: Process, handle: events.Handle) -> bool:
        """Whether the process can run this callback now; otherwise it is buried or put off."""
        if process.alive and process.kill_at is not None and process.steps >= process.kill_at:
            self.note("kill", process.name, "before step", process.steps)
            process.kill()
        if not process.alive:
            process.bury(handle)
            return False
        if process.frozen_until > self._now:
            heapq.heappush(self._frozen, (process.frozen_until, self.next_number(), handle))
            return False
        process.steps += 1
        return True

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        """Nothing to count: a cancelled timer is passed over when its time comes."""

    def _process_events(self, event_list: Any) -> None: ...

    def _write_to_self(self) -> None: ...

    call_soon_threadsafe = base_events.BaseEventLoop.call_soon  # there is one thread

    run_in_executor = Escape.here
    create_connection = Escape.here
    create_server = Escape.here
    create_datagram_endpoint = Escape.here
    create_unix_connection = Escape.here
    create_unix_server = Escape.here
    subprocess_exec = Escape.here
    subprocess_shell = Escape.here
    getaddrinfo = Escape.here
    add_reader = Escape.here
    add_writer = Escape.here
    add_signal_handler = Escape.here

    def let_go(self) -> None:
        """Drop what killed processes left behind; it unwinds into nothing, and its complaints would keep it alive."""
        self.set_exception_handler(lambda *_: None)
        self._ready.clear()
        self._scheduled.clear()
        self._frozen.clear()
        for process in self._processes:
            process.let_go()
        self._processes.clear()


def simulate(
    main: Callable[[SimLoop], Coroutine[Any, Any, T]], seed: int, *, timeline: bool = False
) -> tuple[T, SimLoop]:
    """Run `main` to its end under `seed`; its result, and the loop with steps, trace hash and timeline.

    Raises:
        Escape: code left the simulation.
        Stuck: the simulated cloud hangs.
    """
    with opened(seed, timeline=timeline) as loop, sealed() as escapes:
        result = loop.run_until_complete(main(loop))
        if escapes:
            raise escapes[0]
        return result, loop


@contextmanager
def opened(seed: int, *, timeline: bool = False) -> Iterator[SimLoop]:
    """A loop for a simulation in pieces, each of which the caller seals. What is left in the end is dropped."""
    with _collector_resting():
        loop = SimLoop(seed, timeline=timeline)
        try:
            yield loop
        finally:
            with _unwinding_silenced():
                loop.let_go()
                loop.close()
                gc.collect()


@contextmanager
def _collector_resting() -> Iterator[None]:
    """No collection during a run; what was there before isn't looked at again after it, which would cost more than a run."""
    was_enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


@contextmanager
def _unwinding_silenced() -> Iterator[None]:
    """Coroutines of killed processes complain when they are collected; that is their end, not news."""
    told, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = told
