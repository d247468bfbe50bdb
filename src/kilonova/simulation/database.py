"""Simulated databases: SQLite in memory behind a network that refuses, delays and loses answers.

A `DatabaseServer` outlives every process. A transaction function runs inline on it, so nothing comes between its statements;
what the network does before and after is where things go wrong. Isolation anomalies can't show here: they are for tests on
real servers.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import cache
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement

from kilonova.database import functions
from kilonova.database.database import Transaction
from kilonova.engine.runner import move_txn
from kilonova.kernel.errors import Unavailable
from kilonova.simulation.faults import Faults
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.network import hop
from kilonova.simulation.process import Process
from kilonova.simulation.runtime import STARTED_AT
from kilonova.simulation.sometimes import Sometimes

P = ParamSpec("P")
T = TypeVar("T")

DEADLOCK_PAUSE_S = 0.02


class DatabaseServer:
    """One database server with one database on it, and a clock of its own that is right."""

    def __init__(self, loop: SimLoop, name: str, *schema: MetaData) -> None:
        """Create the tables of every `schema`."""
        self.name = name
        self.down_until = 0.0
        """Virtual time until which every connection is refused."""
        self.commits = 0
        self.power_cuts = 0
        """How often it lost its power, and with it all connections."""
        self.on_commit: Callable[[DatabaseServer], None] | None = None
        """Called after every commit: for whoever checks what must always hold."""
        self._loop = loop
        self._connect()
        for metadata in schema:
            self._raw.executescript(_script(metadata))

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds, from outside of the simulation; `values` take the place of its question marks."""
        return self._raw.execute(sql, values).fetchall()

    def script(self, sql: str) -> None:
        """Run statements from outside of the simulation, such as those that make triggers."""
        self._raw.executescript(sql)

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Run a reading transaction now. Raises AssertionError if it wrote."""
        before = self._raw.total_changes
        try:
            return work(self._transaction())
        except OperationalError as error:
            raise Unavailable(service=self.name, reason=str(error.orig)) from error
        finally:
            assert self._raw.total_changes == before, f"a reading transaction wrote to {self.name}"

    def write(self, work: Callable[[Transaction], T], *, commit: bool = True) -> T:
        """Run a writing transaction now, and commit it or roll it back."""
        self._raw.execute("BEGIN IMMEDIATE")
        try:
            result = work(self._transaction())
        except OperationalError as error:
            self._raw.execute("ROLLBACK")
            raise Unavailable(service=self.name, reason=str(error.orig)) from error
        except BaseException:
            self._raw.execute("ROLLBACK")
            raise
        self._raw.execute("COMMIT" if commit else "ROLLBACK")
        if commit:
            self.commits += 1
            if self.on_commit is not None:
                self.on_commit(self)
        return result

    def cut_power(self, until: float) -> None:
        """The machine goes dark until the virtual time `until`: connections and whatever isn't committed are lost.

        It comes back with what had been committed, read anew.
        """
        self.down_until = max(self.down_until, until)
        self.power_cuts += 1
        image = self._raw.serialize()
        self._connection.close()
        self._connect()
        self._raw.deserialize(image)

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()

    def _connect(self) -> None:
        self._connection = _engine().connect()
        self._raw = cast("sqlite3.Connection", self._connection.connection.dbapi_connection)

    def _transaction(self) -> Transaction:
        return Transaction(self._connection, STARTED_AT + self._loop.time(), tells=True)


class SimDatabase:
    """Implements `Database`: one process's connection to a `DatabaseServer`."""

    def __init__(
        self,
        loop: SimLoop,
        server: DatabaseServer,
        process: Process,
        faults: Faults,
        sometimes: Sometimes,
        connected: Callable[[str, str], bool] = lambda _process, _server: True,
    ) -> None:
        """Connect `process` to `server`; `connected` tells whether the network lets them."""
        self.name = server.name
        self._loop = loop
        self._server = server
        self._process = process
        self._faults = faults
        self._sometimes = sometimes
        self._connected = connected
        self._stream = loop.stream(f"database/{server.name}/{process.name}/{process.incarnation}")

    async def read(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Database.read`."""
        cuts = await self._reach()
        result = self._server.read(lambda tx: work(tx, *args, **kwargs))
        await self._answer(cuts)
        return result

    async def scan(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Database.scan`."""
        return await self.read(work, *args, **kwargs)

    async def write(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Database.write`."""
        cuts = await self._reach()
        while self._faults.strikes("db_deadlock"):
            self._server.write(lambda tx: work(tx, *args, **kwargs), commit=False)
            self._sometimes("transaction_repeated")
            await asyncio.sleep(self._stream.random() * DEADLOCK_PAUSE_S)
            self._check_connection(cuts)
        result = self._server.write(lambda tx: work(tx, *args, **kwargs))
        self._loop.note("commit", self._server.name, self._process.name, getattr(work, "__name__", "?"))
        if work is move_txn and result is None:
            self._sometimes("stale_epoch_refused")
        try:
            await self._answer(cuts, lost=self._faults.strikes("db_answer_lost"))
        except Unavailable:
            self._sometimes("commit_ambiguous")
            raise
        return result

    async def close(self) -> None:
        """See `Database.close`."""

    async def _reach(self) -> int:
        """Get through to the server; how often it had lost its power by then."""
        await self._hop()
        down = self._loop.time() < self._server.down_until
        if down or not self._connected(self._process.name, self._server.name) or self._faults.strikes("db_refused"):
            raise Unavailable(service=f"the database {self.name}", reason="connection refused")
        return self._server.power_cuts

    async def _answer(self, cuts: int, *, lost: bool = False) -> None:
        """Bring the answer back, unless it is lost or the connection broke meanwhile."""
        await self._hop()
        self._check_connection(cuts)
        if lost:
            raise Unavailable(service=f"the database {self.name}", reason="connection lost during commit")

    def _check_connection(self, cuts: int) -> None:
        if self._server.power_cuts != cuts or not self._connected(self._process.name, self._server.name):
            raise Unavailable(service=f"the database {self.name}", reason="connection lost")

    async def _hop(self) -> None:
        await hop(self._stream, slow=self._faults.strikes("db_slow"))


@cache
def _engine() -> Engine:
    """The engine of all simulated databases: each connection is a database, and compiled statements are kept with the engine."""

    def connect() -> sqlite3.Connection:
        raw = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        raw.execute("PRAGMA foreign_keys=ON")
        functions.register(raw)
        return raw

    return create_engine("sqlite://", creator=connect, poolclass=NullPool, isolation_level="AUTOCOMMIT")


@cache
def _script(metadata: MetaData) -> str:
    """What creates the tables of `metadata`, as text: reading it is much faster than asking SQLAlchemy each time."""
    dialect = _engine().dialect
    statements: list[DDLElement] = []
    for table in metadata.sorted_tables:
        statements.append(CreateTable(table))
        statements.extend(CreateIndex(index) for index in sorted(table.indexes, key=lambda index: str(index.name)))
    return "".join(f"{statement.compile(dialect=dialect)};\n" for statement in statements)
