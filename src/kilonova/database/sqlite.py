"""SQLite: one file, reads and transaction functions on the loop, commits in groups on a thread.

Design notes. A commit costs an fsync (WAL with `synchronous=FULL`: NORMAL loses acknowledged rows on power loss), and only that
is handed to a thread. While a commit is on its way, further transaction functions wait; then all of them run, each in a
savepoint of its own, and are committed together: alone, a write costs one fsync, and is the whole transaction; under load they
share it. Callers are answered after the commit and never before. The functions themselves take tens of microseconds, most of it
Python: on a thread of their own they would fight the loop for the interpreter, which doubled the cost of a boot. Scans, which may
take long, have a thread.
"""

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import Connection, MetaData, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from kilonova.database import functions
from kilonova.database.database import Transaction, driver_of, tables_create_txn
from kilonova.kernel.errors import Unavailable
from kilonova.runtime.runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")

GROUP_MAX = 64
"""Most transactions that share one commit; bounds how long the first of them waits."""

BUSY_MS = 20_000
"""How long a transaction waits for other processes that write, in milliseconds."""

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_MS}",
    "PRAGMA mmap_size=67108864",
    "PRAGMA cache_size=-16384",  # KiB: else a large transaction goes to the file before its commit, and again with it
    "PRAGMA temp_store=MEMORY",
)


@dataclass(frozen=True, slots=True)
class _Job:
    """A transaction function that waits for its group, and the future of its caller."""

    work: Callable[[Transaction], Any]
    answer: asyncio.Future[Any]


class SqliteDatabase:
    """Implements `Database` on one SQLite file."""

    def __init__(self, name: str, path: Path, runtime: Runtime, *, tells: bool = False) -> None:
        """Open or create the file at `path`; `name` shows in logs and errors; `tells` is for `Transaction`.

        Raises:
            Unavailable: the file can't be opened or is not a database.
        """
        self.name = name
        self.path = path
        self._runtime = runtime
        self._tells = tells
        self._engine = create_engine("sqlite://", creator=self._open, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._reader = self._connect()
        self._scanner = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-scan")
        self._scan_connection: Connection | None = None
        self._writer = self._connect()
        _raw(self._writer).execute("PRAGMA busy_timeout=0")  # nobody waits on the loop: see `_begin_group`
        self._committer = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-commit")
        self._waiting: deque[_Job] = deque()
        self._at_work = False

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
        self._waiting.append(_Job(lambda tx: work(tx, *args, **kwargs), answer))
        if not self._at_work:
            self._at_work = True
            loop.call_soon(self._begin_group, loop)
        return await answer

    async def close(self) -> None:
        """See `Database.close`. Transactions that wait are carried out first."""
        with contextlib.suppress(Unavailable):
            await self.write(lambda _tx: None)  # answered after all that were asked before it
        self._committer.shutdown()
        self._scanner.shutdown()
        for connection in (self._writer, self._reader, self._scan_connection):
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

    def _begin_group(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run the transaction functions that wait, and send them to the disk."""
        try:
            _raw(self._writer).execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:  # another process writes
                waiting = loop.run_in_executor(self._committer, self._begin_patiently)
                waiting.add_done_callback(lambda done: self._go_on(loop, done.exception()))
                return
            self._go_on(loop, error)
        else:
            self._go_on(loop, None)

    def _begin_patiently(self) -> None:
        """On a thread: begin once no other process writes. Raises sqlite3.OperationalError after a while."""
        raw = _raw(self._writer)
        raw.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        try:
            raw.execute("BEGIN IMMEDIATE")
        finally:
            raw.execute("PRAGMA busy_timeout=0")

    def _go_on(self, loop: asyncio.AbstractEventLoop, refused: BaseException | None) -> None:
        """With the transaction begun, run its functions; or, when it was `refused`, tell why."""
        group = [self._waiting.popleft() for _ in range(min(GROUP_MAX, len(self._waiting)))]
        if refused is not None:
            self._end_group(loop, group, self._all_failed(group, refused))
            return
        try:
            results = self._run([job.work for job in group])
        except sqlite3.Error as error:
            self._end_group(loop, group, self._all_failed(group, error))
            return
        if not _raw(self._writer).in_transaction:  # the only function failed
            self._end_group(loop, group, results)
            return
        commit = loop.run_in_executor(self._committer, _raw(self._writer).execute, "COMMIT")
        commit.add_done_callback(lambda done: self._committed(loop, group, results, done))

    def _run(self, works: Sequence[Callable[[Transaction], Any]]) -> list[Any]:
        """The results of `works`, an exception in place of each that failed. Raises sqlite3.Error when none can be kept."""
        raw = _raw(self._writer)
        transaction = Transaction(self._writer, self._runtime.now(), tells=self._tells)
        if len(works) == 1:
            return [self._alone(raw, transaction, works[0])]
        return [self._in_savepoint(raw, transaction, work) for work in works]

    def _alone(self, raw: sqlite3.Connection, transaction: Transaction, work: Callable[[Transaction], Any]) -> Any:
        """What `work` returns, or the exception that it raised; then the transaction is rolled back."""
        try:
            return work(transaction)
        except Exception as error:  # noqa: BLE001 - handed to the caller, who knows what it means
            if raw.in_transaction:  # a full disk has ended it already
                raw.execute("ROLLBACK")
            return _translated(self.name, error)

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

    def _committed(
        self, loop: asyncio.AbstractEventLoop, group: list[_Job], results: list[Any], commit: "asyncio.Future[Any]"
    ) -> None:
        error = commit.exception()
        self._end_group(loop, group, results if error is None else self._all_failed(group, error))

    def _all_failed(self, group: list[_Job], error: BaseException) -> list[Any]:
        """Nothing of the group is kept, and each of its callers is told."""
        raw = _raw(self._writer)
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        return [Unavailable(service=f"the database {self.name}", reason=_reason(error)) for _ in group]

    def _end_group(self, loop: asyncio.AbstractEventLoop, group: list[_Job], results: list[Any]) -> None:
        """Answer the callers, and go on with those that came meanwhile."""
        for job, result in zip(group, results, strict=True):
            if not job.answer.done():
                _settle(job.answer, result)
        if self._waiting:
            self._begin_group(loop)
        else:
            self._at_work = False


def _raw(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", driver_of(connection))


def _reason(error: BaseException) -> str:
    return str(error.orig if isinstance(error, OperationalError) else error)


def _translated(name: str, error: Exception) -> Exception:
    """Trouble with the database itself becomes `Unavailable`; whatever the transaction function raised stays.

    SQLITE_ERROR is trouble with the statement, so it is ours.
    """
    if isinstance(error, OperationalError) and getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
        return Unavailable(service=f"the database {name}", reason=_reason(error))
    return error


def _settle(answer: asyncio.Future[Any], result: Any) -> None:
    if isinstance(result, BaseException):
        answer.set_exception(result)
    else:
        answer.set_result(result)
