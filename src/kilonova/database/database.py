"""What a database is to the code above: a place that runs transaction functions."""

from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from sqlalchemy import Connection, CursorResult, Executable, MetaData, inspect
from sqlalchemy.engine.interfaces import DBAPIConnection

from kilonova.database.prepared import Parameters, Prepared, Rows

P = ParamSpec("P")
T = TypeVar("T")


class Transaction:
    """One open transaction. Functions that take it run inside it and must not keep it."""

    __slots__ = ("_driver", "connection", "now", "tells")

    def __init__(self, connection: Connection, now: float, *, tells: bool = False) -> None:
        """Wrap an open connection.

        `now` is database time in seconds since the epoch, one value for the whole transaction. `tells` says whether others
        are told what happens: then it has an outbox (`notifications`).
        """
        self.connection = connection
        self.tells = tells
        self.now = now
        self._driver = driver_of(connection)

    @overload
    def execute(self, statement: Prepared, parameters: Parameters | Sequence[Parameters] = ...) -> Rows: ...

    @overload
    def execute(self, statement: Executable, parameters: Any = ...) -> CursorResult[Any]: ...

    def execute(self, statement: Prepared | Executable, parameters: Any = None) -> Rows | CursorResult[Any]:
        """Execute one SQLAlchemy Core statement; a list of dictionaries as `parameters` executes it for each."""
        if isinstance(statement, Prepared):
            return statement.run(self.connection, self._driver, parameters or {})
        return self.connection.execute(statement, parameters)


def driver_of(connection: Connection) -> DBAPIConnection:
    """The driver's own connection behind a connection."""
    driver = connection.connection.dbapi_connection
    assert driver is not None, "it is open"
    return driver


class Database(Protocol):
    """A database that keeps what it has acknowledged.

    Raises `Unavailable` (kernel.errors) when it can't be reached or its disk is full. A transaction function may be
    run again after a deadlock or a lost connection, so it has no effects but through its transaction.
    """

    name: str

    async def read(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a few point reads on one snapshot. Embedded databases answer inline, without leaving the loop."""

    async def scan(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run reads that may take long on one snapshot, off the loop."""

    async def write(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a writing transaction; when this returns, its effects are on disk. If `work` raises, nothing is kept."""

    async def close(self) -> None:
        """Finish what runs and let go of files and connections."""


def conditional(work: Callable[P, T]) -> Callable[P, T]:
    """Mark a writing transaction function whose every rule is a condition of its own writes.

    A function without the mark may decide by what it has read: databases with several writers see to it that this holds until
    the commit. One with the mark reads only what its writes ask for again (`WHERE generation = ...`), or what it has locked, and
    waits for whoever else writes the same rows rather than being run again.
    """
    vars(work)["is_conditional"] = True
    return work


def is_conditional(work: Callable[..., object]) -> bool:
    """Whether the function has the mark of `conditional`."""
    return getattr(work, "is_conditional", False)


def tables_create_txn(tx: Transaction, metadata: MetaData) -> None:
    """Create those tables of `metadata`, with their indexes, that are not there yet. Costs one query when all are."""
    there = set(inspect(tx.connection).get_table_names())
    missing = [table for table in metadata.sorted_tables if table.name not in there]
    if missing:
        metadata.create_all(tx.connection, missing, checkfirst=False)
