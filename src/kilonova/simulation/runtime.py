"""The runtime of a simulated process: virtual time seen through its own clock, ids and chance from streams of its own."""

import asyncio
import base64
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from kilonova.simulation.loop import SimLoop
from kilonova.simulation.process import Process

T = TypeVar("T")

STARTED_AT = 1_767_225_600.0
"""The wall clock when virtual time is 0: 2026-01-01T00:00:00Z."""
BLOCKING_MAX_S = 0.005


class SimRuntime:
    """Implements `Runtime` for one process."""

    def __init__(self, loop: SimLoop, process: Process) -> None:
        """Draw from streams named after the process and its incarnation."""
        self._loop = loop
        self._process = process
        who = f"{process.name}/{process.incarnation}"
        self._ids = loop.stream(f"ids/{who}")
        self._chance = loop.stream(f"chance/{who}")
        self._delays = loop.stream(f"blocking/{who}")

    def now(self) -> float:
        """See `Runtime.now`; wrong by the process's clock offset and drift."""
        return STARTED_AT + self.monotonic() + self._process.clock_offset_s

    def monotonic(self) -> float:
        """See `Runtime.monotonic`; it drifts."""
        return self._loop.time() * (1.0 + self._process.clock_drift)

    async def sleep(self, delay_s: float) -> None:
        """See `Runtime.sleep`."""
        await asyncio.sleep(delay_s / (1.0 + self._process.clock_drift))

    def uuid(self) -> str:
        """See `Runtime.uuid`."""
        return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))

    def random(self) -> float:
        """See `Runtime.random`."""
        return self._chance.random()

    def token(self, bytes_: int = 32) -> str:
        """See `Runtime.token`."""
        return base64.urlsafe_b64encode(self._ids.randbytes(bytes_)).rstrip(b"=").decode()

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """See `Runtime.spawn`."""
        return self._process.spawn(work, name=name)

    async def run_blocking(self, work: Callable[..., T], *args: Any) -> T:
        """See `Runtime.run_blocking`: inline, after a moment."""
        await asyncio.sleep(self._delays.random() * BLOCKING_MAX_S)
        return work(*args)
