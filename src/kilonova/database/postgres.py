"""PostgreSQL: a schema of a server for each database, transaction functions on threads, serializable.

Design notes (decision 0011). Transaction functions are written as if each ran alone. On SQLite each does; here many processes
write at once, and SERIALIZABLE makes it so: whatever two transactions could not have seen one after the other is refused by the
server, and the one that was refused is run again. Functions whose every rule is a condition of their own writes say so
(`database.conditional`) and run at READ COMMITTED, where they wait for a row rather than start again. Reads have one snapshot.

A transaction that lost its connection before COMMIT is run again; where the answer to COMMIT is lost, nobody can know, and that
is `Unavailable`. The server ends transactions that sleep, so a frozen process holds no row for long. Time is the server's.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import psycopg
from psycopg import errors, sql
from sqlalchemy import Connection, MetaData, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from kilonova.database import postgres_dialect
from kilonova.database.database import Transaction, driver_of, is_conditional, tables_create_txn
from kilonova.database.postgres_errors import is_lost, refused, translated, version_checked
from kilonova.runtime.runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")

TRIES_MAX = 30
"""How often a transaction is run before the database counts as too busy."""
PAUSE_S = 0.002
"""The first pause before another try, a random part of it; doubled each time up to `PAUSE_MOST_S`."""
PAUSE_MOST_S = 0.25
CONNECT_S = 10
"""How long a server may take to let us in, in seconds."""

_OPTIONS = "-c statement_timeout=30s -c lock_timeout=20s -c idle_in_transaction_session_timeout=20s -c timezone=UTC"
"""Whoever sleeps amid a transaction loses it, and the rows that it holds."""
_NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"
_READ = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_NOW}"
_SERIALIZABLE = f"BEGIN ISOLATION LEVEL SERIALIZABLE; {_NOW}"
_CONDITIONAL = f"BEGIN ISOLATION LEVEL READ COMMITTED; {_NOW}"
_AGAIN = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.UniqueViolation,  # another one inserted the row meanwhile: run again, the function sees it
    errors.DuplicateTable,
    errors.DuplicateObject,
)


@dataclass(frozen=True)
class _Session:
    """A connection, as SQLAlchemy has it and as the driver has it."""

    connection: Connection
    raw: "psycopg.Connection[Any]"


class _Repeat(Exception):
    """The transaction has to be run again; nothing of it was kept."""

    def __init__(self, cause: Exception) -> None:
        """`cause` is what the server or the driver said."""
        super().__init__(str(cause))
        self.cause = cause


class PostgresDatabase:
    """Implements `Database` on a schema of a PostgreSQL server."""

    def __init__(self, name: str, url: str, runtime: Runtime, connections: int = 4, *, tells: bool = False) -> None:
        """Nothing is connected before it is used.

        Args:
            name: of the database, and of its schema; shows in logs and errors.
            url: of the server's database, as libpq reads it: `postgresql://USER@HOST/DATABASE`.
            runtime: sleeps between tries.
            connections: most connections for transactions; scans have one more.
            tells: for `Transaction`.
        """
        self.name = name
        self._url = url
        self._runtime = runtime
        self._tells = tells
        self._engine = create_engine(
            "postgresql+kilonova://", creator=self._open, poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        self._workers = ThreadPoolExecutor(connections, thread_name_prefix=f"{name}-work")
        self._scanner = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-scan")
        self._idle: deque[_Session] = deque()
        self.repeated = 0
        """How often a transaction was run again."""

    async def create(self, metadata: MetaData) -> None:
        """Create the tables of `metadata` that are not there yet, in one transaction. Raises `DatabaseUnusable`."""
        await self.write(tables_create_txn, metadata)

    async def read(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Database.read`."""
        return await self._run(self._workers, _READ, lambda tx: work(tx, *args, **kwargs))

    async def scan(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Database.scan`."""
        return await self._run(self._scanner, _READ, lambda tx: work(tx, *args, **kwargs))

    async def write(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Database.write`."""
        begin = _CONDITIONAL if is_conditional(work) else _SERIALIZABLE
        return await self._run(self._workers, begin, lambda tx: work(tx, *args, **kwargs))

    async def close(self) -> None:
        """See `Database.close`. Transactions that wait are carried out first."""
        await asyncio.get_running_loop().run_in_executor(None, self._shut)

    def _shut(self) -> None:
        self._workers.shutdown()
        self._scanner.shutdown()
        while self._idle:
            self._idle.pop().connection.close()

    async def _run(self, threads: ThreadPoolExecutor, begin: str, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction, as often as it takes. Raises `Unavailable`, and what `work` raises."""
        loop, pause_s = asyncio.get_running_loop(), PAUSE_S
        for _ in range(TRIES_MAX - 1):
            with contextlib.suppress(_Repeat):
                return await loop.run_in_executor(threads, self._once, begin, work)
            self.repeated += 1
            await self._runtime.sleep(pause_s * self._runtime.random())
            pause_s = min(pause_s * 2, PAUSE_MOST_S)
        try:
            return await loop.run_in_executor(threads, self._once, begin, work)
        except _Repeat as repeat:
            raise translated(self.name, repeat.cause) from repeat.cause

    def _once(self, begin: str, work: Callable[[Transaction], T]) -> T:
        """Run `work` once, on this thread. Raises `_Repeat`."""
        session = self._session()
        try:
            return self._within(session, begin, work)
        finally:
            self._put_back(session)

    def _within(self, session: _Session, begin: str, work: Callable[[Transaction], T]) -> T:
        raw = session.raw
        try:
            result = work(Transaction(session.connection, _begun(raw, begin), tells=self._tells))
        except (DBAPIError, psycopg.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if isinstance(cause, _AGAIN) or is_lost(cause, raw):
                raise _Repeat(error) from error
            raise translated(self.name, error) from error
        self._commit(raw)
        return result

    def _commit(self, raw: "psycopg.Connection[Any]") -> None:
        """Commit. Raises `_Repeat` when the server says that it did not, `Unavailable` when nobody knows."""
        try:
            raw.execute("COMMIT")
        except _AGAIN as error:
            raise _Repeat(error) from error
        except psycopg.Error as error:
            raise translated(self.name, error) from error

    def _put_back(self, session: _Session) -> None:
        """Keep the connection for the next one, without a transaction; or let it go, if it is broken."""
        raw = session.raw
        try:
            if not raw.closed and raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                raw.execute("ROLLBACK")
        except psycopg.Error:
            raw.close()
        if raw.closed:
            with contextlib.suppress(SQLAlchemyError):
                session.connection.invalidate()
                session.connection.close()
        else:
            self._idle.append(session)

    def _session(self) -> _Session:
        """A connection that nobody uses, or a new one."""
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        try:
            connection = self._engine.connect()
        except (DBAPIError, psycopg.Error) as error:
            raise refused(self.name, error) from error
        return _Session(connection, cast("psycopg.Connection[Any]", driver_of(connection)))

    def _open(self) -> "psycopg.Connection[Any]":
        """A connection of the driver, whose schema is there. Raises `DatabaseUnusable`, `Unavailable`."""
        try:
            raw = psycopg.connect(
                self._url, autocommit=True, application_name="kilonova", connect_timeout=CONNECT_S, options=_OPTIONS
            )
        except psycopg.Error as error:
            raise refused(self.name, error) from error
        try:
            self._enter_schema(raw)
        except psycopg.Error as error:
            raw.close()
            raise refused(self.name, error) from error
        except BaseException:
            raw.close()
            raise
        postgres_dialect.prepare(raw)
        return raw

    def _enter_schema(self, raw: "psycopg.Connection[Any]") -> None:
        version_checked(self.name, raw.info.server_version)
        schema = sql.Identifier(self.name)
        there = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
        if raw.execute(there, [self.name]).fetchone() is None:
            try:
                with raw.transaction():
                    raw.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
                    raw.execute(sql.SQL("SET LOCAL search_path TO {}").format(schema))
                    raw.execute(postgres_dialect.FUNCTIONS)
            except (errors.UniqueViolation, errors.DuplicateSchema):
                pass  # another process was faster
        raw.execute(sql.SQL("SET search_path TO {}").format(schema))
        raw.execute(
            "SET enable_seqscan TO off"
        )  # a scan of a small table would stand in the way of all who write to it


def _begun(raw: "psycopg.Connection[Any]", begin: str) -> float:
    """Begin a transaction; the server's time."""
    cursor = raw.execute(begin, prepare=False)
    cursor.nextset()
    row = cursor.fetchone()
    assert row is not None
    return float(row[0])
