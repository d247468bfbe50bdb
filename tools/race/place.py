"""Where a contest takes place: databases that any process can open."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import MetaData

from kilonova.database.postgres import PostgresDatabase
from kilonova.database.sqlite import SqliteDatabase
from kilonova.database.tables import api_database
from kilonova.placement import tables as placement_tables
from kilonova.runtime.real import RealRuntime
from tools.postgres_server import fresh_database, server

METADATA: dict[str, MetaData] = {"placement": placement_tables.metadata, "api": api_database.metadata}
KINDS = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Place:
    """A directory of SQLite files, or a database of a server; passed from process to process."""

    at: str

    def opened(self, name: str) -> SqliteDatabase | PostgresDatabase:
        """Open one of `METADATA`."""
        if self.at.startswith("postgresql:"):
            return PostgresDatabase(name, self.at, RealRuntime())
        return SqliteDatabase(name, Path(self.at) / f"{name}.sqlite", RealRuntime())


@contextmanager
def places(kind: str) -> Iterator[Iterator[Place]]:
    """New places of one kind, as many as are asked for."""
    if kind == "postgresql":
        with server() as url:
            yield iter(lambda: Place(fresh_database(url)), None)
    else:
        with tempfile.TemporaryDirectory(prefix="kilonova-race-") as folder:
            yield iter(lambda: Place(tempfile.mkdtemp(dir=folder)), None)
