"""The runtime of a real process: the system's clock, the system's randomness, asyncio's tasks and threads."""

import asyncio
import random
import secrets
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class RealRuntime:
    """Implements `Runtime` on the running asyncio loop."""

    def __init__(self) -> None:
        """Keep strong references to the tasks that run, which asyncio itself does not."""
        self._tasks: set[asyncio.Task[Any]] = set()

    def now(self) -> float:
        """See `Runtime.now`."""
        return time.time()

    def monotonic(self) -> float:
        """See `Runtime.monotonic`."""
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """See `Runtime.sleep`."""
        await asyncio.sleep(delay_s)

    def uuid(self) -> str:
        """See `Runtime.uuid`."""
        return str(uuid.uuid4())

    def random(self) -> float:
        """See `Runtime.random`."""
        return random.random()

    def token(self, bytes_: int = 32) -> str:
        """See `Runtime.token`."""
        return secrets.token_urlsafe(bytes_)

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """See `Runtime.spawn`."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def run_blocking(self, work: Callable[..., T], *args: Any) -> T:
        """See `Runtime.run_blocking`."""
        return await asyncio.get_running_loop().run_in_executor(None, work, *args)
