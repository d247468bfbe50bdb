"""The Protocol that stands between Kilonova's code and the machine's clock, chance and threads."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Runtime(Protocol):
    """Clock, ids, chance, tasks and blocking calls of one process."""

    def now(self) -> float:
        """The wall clock, in seconds since the epoch (UTC)."""

    def monotonic(self) -> float:
        """A clock that never goes back, in seconds from an arbitrary start."""

    async def sleep(self, delay_s: float) -> None:
        """Let `delay_s` seconds pass."""

    def uuid(self) -> str:
        """A new random UUID, with dashes."""

    def random(self) -> float:
        """A number in [0, 1), for jitter and for choosing among equals; not for secrets."""

    def token(self, bytes_: int = 32) -> str:
        """A secret of `bytes_` random bytes, URL-safe base64 without padding."""

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Start a task; its name shows in logs and traces. The caller keeps and ends it."""

    async def run_blocking(self, work: Callable[..., T], *args: Any) -> T:
        """Run a call that blocks (files, hashing) off the loop and wait for it."""
