"""The publisher: hands what stands in the outboxes to a sink, at least once, in order for each server.

Design notes. A server's first notifications stand in the API database and all later ones in its cell's. So a cell's batch is
read first, then the API database's outbox is emptied, and only then the batch goes out: whatever came before it has gone before
it. A line is forgotten after the sink has it for good, so a publisher that dies in between tells it again, with the same id.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from kilonova.database.database import Database
from kilonova.kernel.errors import Unavailable
from kilonova.notifications import outbox, payloads
from kilonova.notifications.outbox import Notification
from kilonova.runtime.runtime import Runtime

POLL_S = 0.5
"""How often outboxes are looked at when nothing was there."""
BATCH = 100
BACKOFF_S, BACKOFF_MAX_S = 1.0, 60.0
"""Before a sink is asked again that took nothing; doubles each time."""

log = logging.getLogger(__name__)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is told: the envelope and its payload."""

    message_id: str
    """The same each time it is told."""
    publisher_id: str
    timestamp: str
    priority: str
    event_type: str
    payload: msgspec.Raw


class Sink(Protocol):
    """Where notifications go."""

    async def send(self, messages: Sequence[Message]) -> int:
        """Take messages in order; how many were taken for good, from the first on. Raises `Unavailable` when none were."""

    async def close(self) -> None:
        """Let go of files and connections."""


class Publisher:
    """Empties the outboxes of one cloud."""

    def __init__(
        self, runtime: Runtime, database: Database, cells: Callable[[], Sequence[Database]], sink: Sink, most: int
    ) -> None:
        """`database` is the API database; `most` lines wait in each outbox, and older ones are forgotten."""
        self._runtime = runtime
        self._database = database
        self._cells = cells
        self._sink = sink
        self._most = most

    async def run(self) -> None:
        """Publish until cancelled."""
        backoff_s = BACKOFF_S
        try:
            while True:
                try:
                    more = await self.publish()
                except Unavailable as error:
                    log.warning("notifications wait: %s", error.message)
                    await self._trim()
                    await self._runtime.sleep(backoff_s)
                    backoff_s = min(BACKOFF_MAX_S, 2 * backoff_s)
                    continue
                backoff_s = BACKOFF_S
                if not more:
                    await self._runtime.sleep(POLL_S)
        finally:
            await self._sink.close()

    async def publish(self) -> bool:
        """Publish a batch of each outbox; whether there was anything. Raises `Unavailable` when the sink takes nothing."""
        found = False
        for cell in self._cells():
            try:
                batch = await cell.read(outbox.due_txn, BATCH)
            except Unavailable as error:
                log.warning("%s", error.message)
                continue
            while await self._hand_over(self._database, await self._database.read(outbox.due_txn, BATCH)):
                found = True
            found |= await self._hand_over(cell, batch)
        return found

    async def _hand_over(self, database: Database, batch: Sequence[Notification]) -> bool:
        if not batch:
            return False
        taken = await self._sink.send([_message(database.name, line) for line in batch])
        if taken:
            await database.write(outbox.sent_txn, batch[taken - 1].seq)
        return True

    async def _trim(self) -> None:
        for database in (self._database, *self._cells()):
            try:
                lost = await database.write(outbox.trim_txn, self._most)
            except Unavailable as error:
                log.warning("%s", error.message)
                continue
            if lost:
                log.error("%d notifications of %s were dropped: nobody took them", lost, database.name)


def _message(database: str, line: Notification) -> Message:
    return Message(
        message_id=outbox.message_id(database, line),
        publisher_id=line.publisher_id,
        timestamp=payloads.stamp(line.at),
        priority=line.priority,
        event_type=line.event_type,
        payload=line.payload,
    )
