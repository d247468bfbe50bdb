"""What every part of a cloud is made from."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from sqlalchemy import MetaData

from kilonova.app import databases
from kilonova.app.config import Config
from kilonova.app.state import State
from kilonova.bus.local import LocalBus
from kilonova.database.database import Database, tables_create_txn
from kilonova.runtime.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """Given to whatever makes a part."""

    config: Config
    state: State
    runtime: Runtime
    bus: LocalBus
    url: str
    """Where clients find the cloud, without a slash at its end."""
    parts: AsyncExitStack
    """Closes the parts, the last one first."""

    @property
    def _tells(self) -> bool:
        """Whether others are told what happens."""
        return self.config.notifications.sink != "none"

    def database(self, name: str) -> Database:
        """Open the database `name`, as it is configured."""
        database = databases.opened(self.config, self.state, self.runtime, name, tells=self._tells)
        self.parts.push_async_callback(database.close)
        return database

    async def database_with(self, name: str, metadata: MetaData) -> Database:
        """Open the database `name`, with its tables made."""
        database = self.database(name)
        await database.write(tables_create_txn, metadata)
        return database

    def run(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run a role until the cloud closes. A role that fails is a bug: the loop's exception handler says so."""
        task = self.runtime.spawn(work, name=name)

        async def stop() -> None:
            task.cancel()
            await asyncio.wait([task])

        self.parts.push_async_callback(stop)
