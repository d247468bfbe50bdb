"""SQLite: one file, one writer thread that commits in groups, reads inline.

Design notes. A commit costs an fsync (WAL with `synchronous=FULL`: NORMAL loses acknowledged rows on power loss), so the
writer takes every transaction function that waits, runs each in a savepoint of its own, and commits them together: alone, a
write costs one fsync; under load they share it. Callers are answered after the commit and never before. Point reads take
5 to 20 microseconds, less than handing them to a thread, so they run on the loop; scans run on a thread of their own.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import Connection, MetaData, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from kilonova.database import functions
from kilonova.database.database import Transaction, tables_create_txn
from kilonova.kernel.errors import Unavailable
from kilonova.runtime.runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")

GROUP_MAX = 64
"""Most transactions that share one commit; bounds how long the first of them waits."""

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
    "PRAGMA mmap_size=67108864",
    "PRAGMA temp_store=MEMORY",
)


@dataclass(frozen=True, slots=True)
class _Job:
    """A transaction function that waits for the writer, and the future of its caller."""

    work: Callable[[Transaction], Any]
    answer: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class SqliteDatabase:
    """Implements `Database` on one SQLite file."""

    def __init__(self, name: str, path: Path, runtime: Runtime) -> None:
        """Open or create the file at `path`; `name` shows in logs and errors.

        Raises:
            Unavailable: the file can't be opened or is not a database.
        """
        self.name = name
        self.path = path
        self._runtime = runtime
        self._engine = create_engine("sqlite://", creator=self._open, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._reader = self._connect()
        self._scanner = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-scan")
        self._scan_connection: Connection | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_groups, name=f"{name}-write", daemon=True)
        self._writer.start()

    def _open(self) -> sqlite3.Connection:
        raw = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        for pragma in _PRAGMAS:
            raw.execute(pragma)
        functions.register(raw)
        return raw

    def _connect(self) -> Connection:
        try:
            return self._engine.connect()
        except (OperationalError, sqlite3.Error) as error:
            raise Unavailable(service=f"the database {self.path}", reason=_reason(error)) from error

    async def create(self, metadata: MetaData) -> None:
        """Create the tables of `metadata` that are not there yet, in one transaction."""
        await self.write(tables_create_txn, metadata)

    async def read(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Database.read`."""
        return self._snapshot(self._reader, lambda tx: work(tx, *args, **kwargs))

    async def scan(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Database.scan`."""

        def on_thread() -> T:
            if self._scan_connection is None:
                self._scan_connection = self._connect()
            return self._snapshot(self._scan_connection, lambda tx: work(tx, *args, **kwargs))

        return await asyncio.get_running_loop().run_in_executor(self._scanner, on_thread)

    async def write(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Database.write`."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(lambda tx: work(tx, *args, **kwargs), answer, loop))
        return await answer

    async def close(self) -> None:
        """See `Database.close`. Transactions that wait are carried out first."""
        self._jobs.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._writer.join)
        self._scanner.shutdown()
        for connection in (self._reader, self._scan_connection):
            if connection is not None:
                connection.close()

    def _snapshot(self, connection: Connection, work: Callable[[Transaction], T]) -> T:
        raw = _raw(connection)
        raw.execute("BEGIN")
        try:
            return work(Transaction(connection, self._runtime.now()))
        except OperationalError as error:
            raise _translated(self.name, error) from error
        finally:
            raw.execute("COMMIT")

    def _write_groups(self) -> None:
        connection = self._connect()
        while group := self._next_group():
            _answer(group, self._commit(connection, [job.work for job in group]))
        connection.close()

    def _next_group(self) -> list[_Job]:
        """Wait for a job and take along those that wait with it; empty when the database closes."""
        group: list[_Job] = []
        following = self._jobs.get()
        while following is not None:
            group.append(following)
            if len(group) == GROUP_MAX:
                return group
            try:
                following = self._jobs.get_nowait()
            except queue.Empty:
                return group
        if group:
            self._jobs.put(None)
        return group

    def _commit(self, connection: Connection, works: list[Callable[[Transaction], Any]]) -> list[Any]:
        """Run all of `works` and commit once; the results, an exception in place of each that failed."""
        raw = _raw(connection)
        try:
            raw.execute("BEGIN IMMEDIATE")
            transaction = Transaction(connection, self._runtime.now())
            results = [self._in_savepoint(raw, transaction, work) for work in works]
            raw.execute("COMMIT")
        except sqlite3.Error as error:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            return [Unavailable(service=f"the database {self.name}", reason=_reason(error)) for _ in works]
        return results

    def _in_savepoint(
        self, raw: sqlite3.Connection, transaction: Transaction, work: Callable[[Transaction], Any]
    ) -> Any:
        """What `work` returns, or the exception that it raised; then nothing of it is kept."""
        raw.execute("SAVEPOINT one")
        try:
            result = work(transaction)
        except Exception as error:  # noqa: BLE001 - handed to the caller, who knows what it means
            raw.execute("ROLLBACK TO one")
            result = _translated(self.name, error)
        raw.execute("RELEASE one")
        return result


def _raw(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def _reason(error: Exception) -> str:
    return str(error.orig if isinstance(error, OperationalError) else error)


def _translated(name: str, error: Exception) -> Exception:
    """Trouble with the database itself becomes `Unavailable`; whatever the transaction function raised stays.

    SQLITE_ERROR is trouble with the statement, so it is ours.
    """
    if isinstance(error, OperationalError) and getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
        return Unavailable(service=f"the database {name}", reason=_reason(error))
    return error


def _answer(group: Iterable[_Job], results: list[Any]) -> None:
    """Tell every caller of a group, with one hop to each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for job, result in zip(group, results, strict=True):
        by_loop.setdefault(job.loop, []).append((job.answer, result))
    for loop, answers in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, answers)


def _settle(answers: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, result in answers:
        if future.done():
            continue
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
