"""The simulated network: how long a message takes, and calls from one process to another that may be lost either way."""

import asyncio
import contextvars
import inspect
import random
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

from kilonova.kernel.errors import Unavailable
from kilonova.simulation.faults import Faults
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.process import Process

T = TypeVar("T")

Find = Callable[[], tuple[Process, Any] | None]
"""Which process serves now, and with what; None while nobody does."""

HOP_MAX_S = 0.004
SLOW_MAX_S = 5.0
CALL_TIMEOUT_S = 60.0
REPEATED_MAX_S = 40.0
"""How late the repetition of a call may come."""


async def hop(stream: random.Random, *, slow: bool) -> None:
    """Let a message travel: milliseconds, or seconds when it is `slow`."""
    await asyncio.sleep(stream.random() * (SLOW_MAX_S if slow else HOP_MAX_S))


class Network:
    """Carries calls between processes."""

    def __init__(self, loop: SimLoop, faults: Faults) -> None:
        """Start with everybody connected."""
        self._loop = loop
        self._faults = faults
        self._stream = loop.stream("network")
        self._nobody = contextvars.Context()
        self.cut_off: set[str] = set()
        """Names of processes that no call comes from or reaches."""
        self.far_side: frozenset[str] = frozenset()
        """Names of processes and databases behind a partition: they reach each other, and nobody else."""

    def remote(self, protocol: Callable[..., T], caller: Process, find: Find, *, repeats: bool = False) -> T:
        """What `find` leads to, as `caller` sees it over the network: a `protocol`, class or Protocol.

        `find` is asked at each call. Only coroutine methods can be called; lost calls raise `Unavailable`, and may have
        been carried out all the same. With `repeats` a call may come again, long after it was answered.
        """
        return cast("T", _Remote(self, protocol, caller, find, repeats))

    def connected(self, one: str, other: str) -> bool:
        """Whether messages pass between two processes, or a process and a database, by their names."""
        return not ({one, other} & self.cut_off) and (one in self.far_side) == (other in self.far_side)

    async def call(self, caller: Process, find: Find, method: str, call: Any, *, repeats: bool = False) -> Any:
        """Carry one call there and its answer back."""
        faults, stream = self._faults, self._stream
        await hop(stream, slow=faults.strikes("call_slow"))
        found = find()
        if found is None or not self._passes(caller, found[0]) or faults.strikes("call_refused"):
            raise Unavailable(service=method, reason="connection refused")
        server, target = found
        if repeats and faults.strikes("call_repeated"):
            late_s = stream.random() * REPEATED_MAX_S
            self._loop.call_later(late_s, self._repeat, find, method, call, context=self._nobody)
        answer = await self._carried_out(server, method, call(target))
        await hop(stream, slow=faults.strikes("call_slow"))
        if not self._passes(caller, server) or faults.strikes("call_answer_lost"):
            raise Unavailable(service=method, reason="connection lost")
        return answer

    def _passes(self, caller: Process, server: Process) -> bool:
        return server.alive and self.connected(caller.name, server.name)

    def _repeat(self, find: Find, method: str, call: Any) -> None:
        """Carry a call out again, for nobody."""
        found = find()
        if found is not None:
            task = found[0].spawn(call(found[1]), name=f"serve {method} again")
            task.add_done_callback(_taken)

    async def _carried_out(self, server: Process, method: str, work: Any) -> Any:
        """Run `work` in the server's process; its death or silence ends the wait, not the work."""
        ended = self._loop.create_future()
        task = server.spawn(work, name=f"serve {method}")

        def answered(task: asyncio.Task[Any]) -> None:
            _taken(task)
            if not ended.done():
                ended.set_result(task)

        def died(_: Process) -> None:
            if not ended.done():
                ended.set_result(None)

        task.add_done_callback(answered)
        server.on_death(died)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                done = await ended
        except TimeoutError:
            raise Unavailable(service=method, reason="no answer in time") from None
        finally:
            server.forget(died)
        if done is None:
            raise Unavailable(service=method, reason="connection reset")
        return done.result()


def _taken(task: "asyncio.Task[Any]") -> None:
    """Take what a task ended with, even if nobody waits for it any more."""
    if not task.cancelled():
        task.exception()


class _Remote:
    """Stands for an object in another process: each coroutine method of `protocol` becomes a call."""

    def __init__(
        self, network: Network, protocol: Callable[..., Any], caller: Process, find: Find, repeats: bool
    ) -> None:
        self._network = network
        self._caller = caller
        self._find = find
        self._repeats = repeats
        for name, _ in inspect.getmembers(protocol, inspect.iscoroutinefunction):
            setattr(self, name, partial(self._call, name))

    async def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        def call(target: Any) -> Any:
            return getattr(target, method)(*args, **kwargs)

        return await self._network.call(self._caller, self._find, method, call, repeats=self._repeats)
