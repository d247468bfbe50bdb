"""The simulated network: how long a message takes, and calls from one process to another that may be lost either way."""

import asyncio
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
        self.cut_off: set[str] = set()
        """Names of processes that no call comes from or reaches."""

    def remote(self, protocol: Callable[..., T], caller: Process, find: Find) -> T:
        """What `find` leads to, as `caller` sees it over the network: a `protocol`, class or Protocol.

        `find` is asked at each call. Only coroutine methods can be called; lost calls raise `Unavailable`, and may have
        been carried out all the same.
        """
        return cast("T", _Remote(self, protocol, caller, find))

    async def call(self, caller: Process, find: Find, method: str, call: Any) -> Any:
        """Carry one call there and its answer back."""
        faults, stream = self._faults, self._stream
        await hop(stream, slow=faults.strikes(stream, "call_slow"))
        found = find()
        if found is None or self._cut(caller, found[0]) or faults.strikes(stream, "call_refused"):
            raise Unavailable(service=method, reason="connection refused")
        server, target = found
        answer = await self._carried_out(server, method, call(target))
        await hop(stream, slow=faults.strikes(stream, "call_slow"))
        if self._cut(caller, server) or faults.strikes(stream, "call_answer_lost"):
            raise Unavailable(service=method, reason="connection lost")
        return answer

    def _cut(self, caller: Process, server: Process) -> bool:
        return not server.alive or caller.name in self.cut_off or server.name in self.cut_off

    async def _carried_out(self, server: Process, method: str, work: Any) -> Any:
        """Run `work` in the server's process; its death or silence ends the wait, not the work."""
        ended = self._loop.create_future()
        task = server.spawn(work, name=f"serve {method}")

        def answered(task: asyncio.Task[Any]) -> None:
            if not task.cancelled():
                task.exception()  # taken, even if nobody waits for it any more
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


class _Remote:
    """Stands for an object in another process: each coroutine method of `protocol` becomes a call."""

    def __init__(self, network: Network, protocol: Callable[..., Any], caller: Process, find: Find) -> None:
        for name, _ in inspect.getmembers(protocol, inspect.iscoroutinefunction):
            setattr(self, name, partial(self._call, network, caller, find, name))

    @staticmethod
    async def _call(
        network: Network,
        caller: Process,
        find: Find,
        method: str,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        return await network.call(caller, find, method, lambda target: getattr(target, method)(*args, **kwargs))
