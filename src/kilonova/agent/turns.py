"""Turns: whatever is done to one server is done one at a time, in the order of asking."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kilonova.kernel.ids import ServerId


class Turns:
    """The queue of each server that somebody works on or waits for."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._locks: dict[ServerId, asyncio.Lock] = {}
        self._askers: dict[ServerId, int] = {}

    @asynccontextmanager
    async def of(self, server_id: ServerId) -> AsyncIterator[bool]:
        """Wait for one's turn, and keep it for the block; gives whether it had to wait."""
        lock = self._locks.setdefault(server_id, asyncio.Lock())
        waits = self._askers.get(server_id, 0) > 0
        self._askers[server_id] = self._askers.get(server_id, 0) + 1
        try:
            async with lock:
                yield waits
        finally:
            self._askers[server_id] -= 1
            if not self._askers[server_id]:
                del self._askers[server_id], self._locks[server_id]
