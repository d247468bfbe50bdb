"""Simulated processes: what the operating system would know of one, and what it can do to it."""

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Process:
    """One incarnation of a program. Its tasks are stepped by the loop while it is alive and not frozen."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        name: str,
        incarnation: int = 1,
        *,
        clock_offset_s: float = 0.0,
        clock_drift: float = 0.0,
    ) -> None:
        """`clock_offset_s` and `clock_drift` (seconds a second) say how wrong the clock of its machine is."""
        self.loop = loop
        self.name = name
        self.incarnation = incarnation
        self.clock_offset_s = clock_offset_s
        self.clock_drift = clock_drift
        self.alive = True
        self.frozen_until = 0.0
        """Virtual time until which nothing of it runs."""
        self.steps = 0
        """How often one of its callbacks ran."""
        self.kill_at: int | None = None
        """Killed before this step, which may be any await of any of its tasks."""
        self._tasks: list[asyncio.Task[Any]] = []
        self._buried: list[object] = []
        self._mourners: list[Callable[[Process], None]] = []

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Start a task that belongs to this process, whoever calls; context variables are the caller's."""
        context = contextvars.copy_context()
        context.run(CURRENT.set, self)
        return self.loop.create_task(work, name=name, context=context)

    def kill(self) -> None:
        """End it like SIGKILL: no `finally`, no `except`, no `__aexit__` of it ever runs.

        Everything it had is kept until the seed ends, because Python would unwind what it collects.
        """
        if not self.alive:
            return
        self.alive = False
        mourners, self._mourners = self._mourners, []
        for mourner in mourners:
            mourner(self)

    def freeze(self, until: float) -> None:
        """Stop it like SIGSTOP until the virtual time `until`; then it goes on with what it believed before."""
        self.frozen_until = max(self.frozen_until, until)

    def on_death(self, mourner: Callable[["Process"], None]) -> None:
        """Call `mourner` when it is killed; at once if that has happened."""
        if self.alive:
            self._mourners.append(mourner)
        else:
            mourner(self)

    def forget(self, mourner: Callable[["Process"], None]) -> None:
        """Take back `on_death`."""
        if mourner in self._mourners:
            self._mourners.remove(mourner)

    def owns(self, task: asyncio.Task[Any]) -> None:
        """Keep hold of a task for as long as the process could be killed with it."""
        self._tasks.append(task)
        if self.alive and len(self._tasks) > 64:
            self._tasks = [kept for kept in self._tasks if not kept.done()]

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """Its tasks that have not ended."""
        return [task for task in self._tasks if not task.done()]

    def bury(self, thing: object) -> None:
        """Keep hold of what a dead process would have run."""
        self._buried.append(thing)

    def let_go(self) -> None:
        """Drop everything; only after the loop has stopped for good.

        What it would have gone on with is unwound here, whoever still holds it: an error's traceback, for instance.
        """
        for task in self._tasks:
            coroutine = task.get_coro()
            if coroutine is not None and not task.done():
                with contextlib.suppress(BaseException):
                    coroutine.close()
        self._tasks.clear()
        self._buried.clear()
        self._mourners.clear()


CURRENT: contextvars.ContextVar[Process | None] = contextvars.ContextVar("simulated_process", default=None)
"""The process that the running code belongs to; None for the world around them."""
