"""Statements that are executed again and again: compiled once, and from then on given to the driver as they are.

SQLAlchemy works out at every execution how a statement is written, how its parameters are passed and how its rows are read. For a
point read on SQLite that is three quarters of the time. A prepared statement has it worked out once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

Parameters = Mapping[str, Any]
Statement = Select[Any] | Insert | Update | Delete
_Processes = tuple[tuple[int, Callable[[Any], Any]], ...]
"""What is done to values, by position: nothing to most."""


class Rows(IteratorResult[Any]):
    """What a prepared statement found, read to its end already; or how many rows it wrote."""

    def __init__(self, columns: SimpleResultMetaData, found: Iterable[Any], rowcount: int) -> None:
        """`rowcount` is the number of rows that were written."""
        super().__init__(columns, iter(found))
        self.rowcount = rowcount


@dataclass(frozen=True, slots=True)
class _Form:
    """A statement as one kind of database is told it, with one set of parameters."""

    sql: str
    sql_many: str | None
    """The same for lists of values; None where there is no such statement."""
    order: tuple[str, ...]
    """The names of the parameters, as their values are passed."""
    fixed: Parameters
    """The values that the statement itself has."""
    passed: _Processes
    """What is done to values before they are passed."""
    columns: SimpleResultMetaData
    found: _Processes
    """What is done to the values of a row before it is returned."""

    def values(self, parameters: Parameters) -> list[Any]:
        """The values to pass. Raises KeyError for a parameter that is not there."""
        if self.fixed:
            parameters = {**self.fixed, **parameters}
        return _processed([parameters[name] for name in self.order], self.passed)

    def rows(self, rows: Sequence[Any]) -> Iterable[Any]:
        """Rows as they are returned."""
        return (_processed(list(row), self.found) for row in rows) if self.found else rows


class Prepared:
    """A statement that `Transaction.execute` runs with little ado.

    It may have no list that is bound as one parameter (`in_` of a collection), returns no rows unless it is a SELECT, and makes
    no values of its own, such as numbers of rows: those are for plain statements.
    """

    def __init__(self, statement: Statement) -> None:
        """It is compiled when it is first used."""
        self._statement = statement
        self._forms: dict[tuple[str, ...], _Form] = {}

    def run(
        self, connection: Connection, driver: DBAPIConnection, parameters: Parameters | Sequence[Parameters]
    ) -> Rows:
        """Execute it for `parameters`, or for each of a sequence of them. Raises what SQLAlchemy raises.

        `driver` is the driver's own connection behind `connection`.
        """
        cursor = driver.cursor()
        form = self._form(connection.dialect, parameters if isinstance(parameters, Mapping) else parameters[0])
        try:
            if isinstance(parameters, Mapping):
                cursor.execute(form.sql, form.values(parameters))
            else:
                self._run_many(cursor, form, [form.values(one) for one in parameters])
        except connection.dialect.loaded_dbapi.Error as error:
            raise _told(form.sql, error, connection.dialect) from error
        found = cursor.fetchall() if cursor.description else ()
        return Rows(form.columns, form.rows(found), cursor.rowcount)

    @staticmethod
    def _run_many(cursor: DBAPICursor, form: _Form, rows: Sequence[Sequence[Any]]) -> None:
        """Execute it for each of `rows`; where it can be, all of them in one statement, a list for each column."""
        if form.sql_many is None or len(rows) == 1:
            cursor.executemany(form.sql, rows)
        else:
            cursor.execute(form.sql_many, [list(column) for column in zip(*rows, strict=True)])

    def _form(self, dialect: Dialect, parameters: Parameters) -> _Form:
        key = (dialect.name, *parameters)
        form = self._forms.get(key)
        if form is None:
            form = self._forms[key] = _compiled(self._statement, dialect, list(parameters))
        return form


def _compiled(statement: Statement, dialect: Dialect, names: list[str]) -> _Form:
    compiled = statement.compile(dialect=dialect, column_keys=names)
    assert isinstance(compiled, SQLCompiler)
    assert "POSTCOMPILE" not in compiled.string, f"a list is bound in {compiled.string}"
    assert not compiled.prefetch, f"values are made by {compiled.string}"
    order = compiled.positiontup or []
    bound = {compiled.bind_names[bind]: bind for bind in compiled.binds.values()}
    returned = statement.selected_columns if isinstance(statement, Select) else ()
    passed = (bound[name].type.dialect_impl(dialect).bind_processor(dialect) for name in order)
    found = (column.type.dialect_impl(dialect).result_processor(dialect, None) for column in returned)
    return _Form(
        sql=compiled.string,
        sql_many=_for_lists(statement, compiled, order) if dialect.name == "postgresql" else None,
        order=tuple(order),
        fixed={name: bind.effective_value for name, bind in bound.items() if not bind.required},
        passed=_by_position(passed),
        columns=SimpleResultMetaData([str(column.key) for column in returned]),
        found=_by_position(found),
    )


def _for_lists(statement: Statement, compiled: SQLCompiler, order: Sequence[str]) -> str | None:
    """An INSERT of plain values on PostgreSQL, as one that takes a list for each column: far less work for both sides."""
    if not isinstance(statement, Insert) or " VALUES (" not in compiled.string:
        return None
    columns = statement.table.c
    if any(name not in columns for name in order):
        return None
    types = [compiled.dialect.type_compiler_instance.process(columns[name].type) for name in order]
    head, _, _ = compiled.string.partition(" VALUES (")
    return f"{head} SELECT * FROM unnest({', '.join(f'%s::{kind}[]' for kind in types)})"  # noqa: S608 - names of our own tables and types


def _by_position(processes: Iterable[Callable[[Any], Any] | None]) -> _Processes:
    return tuple((position, process) for position, process in enumerate(processes) if process is not None)


def _processed(values: list[Any], processes: _Processes) -> list[Any]:
    for position, process in processes:
        values[position] = process(values[position])
    return values


def _told(sql: str, error: Exception, dialect: Dialect) -> BaseException:
    """The error as SQLAlchemy tells it."""
    return DBAPIError.instance(sql, None, error, dialect.loaded_dbapi.Error, dialect=dialect)
