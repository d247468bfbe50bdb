"""Project health as a part: its database, and what reads its events."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kilonova.database.sqlite import SqliteDatabase
from kilonova.database.tables import health_database
from kilonova.health.ci.archive import Archive, put_in_force
from kilonova.health.ci.importing import DERIVES
from kilonova.health.store import EventStore
from kilonova.runtime.runtime import Runtime


@asynccontextmanager
async def health_opened(path: Path, runtime: Runtime) -> AsyncIterator[Archive]:
    """The archive in the database at `path`, which is made where there is none. Raises `Unavailable`."""
    database = SqliteDatabase("health", path, runtime)
    try:
        await database.create(health_database.metadata)
        yield Archive(EventStore(database, {**DERIVES, "registry": put_in_force, "signatures": put_in_force}))
    finally:
        await database.close()
