"""Passwords and secrets: hashed with Argon2id, checked in equal time whether or not there is such a user."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from kilonova.kernel.errors import Unavailable
from kilonova.runtime.runtime import Runtime

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")

AT_ONCE = 2
"""Hashes computed at the same time: bounds the memory that a flood of logins takes."""
WAITING_MAX = 200
"""Logins that may wait for their turn; more are told to come back."""


@dataclass(frozen=True, kw_only=True)
class HashCost:
    """What one hash costs: about 30 ms. Of the equally strong pairs in OWASP's password storage guide, the smallest in memory."""

    time_cost: int = 5
    """Passes over the memory."""
    memory_kib: int = 7 * 1024
    lanes: int = 1
    """Threads of one hash."""


class Passwords:
    """Hashes secrets and checks them, off the event loop."""

    def __init__(self, runtime: Runtime, cost: HashCost) -> None:
        """`cost` applies to new hashes; a stored one keeps its own."""
        self._runtime = runtime
        self._cost = cost
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def hash(self, secret: str) -> str:
        """The text to store for `secret`: algorithm, cost, salt and digest. Raises `Unavailable` when too many wait."""
        salt = self._runtime.token(12).encode()
        return await self._in_turn(lambda: self._hasher.hash(secret, salt=salt))

    async def matches(self, stored: str | None, secret: str) -> bool:
        """Whether `secret` is the one stored. With nothing stored it takes as long, and is not."""
        if stored is None:
            await self.hash(secret)
            return False
        return await self._in_turn(lambda: self._verify(stored, secret))

    @cached_property
    def _hasher(self) -> "PasswordHasher":
        from argon2 import PasswordHasher  # noqa: PLC0415 - not before somebody logs in

        return PasswordHasher(self._cost.time_cost, self._cost.memory_kib, self._cost.lanes)

    def _verify(self, stored: str, secret: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - as above

        try:
            return self._hasher.verify(stored, secret)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MAX:
            raise Unavailable(service="the identity service", reason="too many logins are waiting")
        self._waiting += 1
        try:
            async with self._turns:
                return await self._runtime.run_blocking(work)
        finally:
            self._waiting -= 1
