"""Where PostgreSQL differs from SQLite: what tables are made of there, and how values come back. Nothing above needs to know.

| declared | on PostgreSQL | because SQLite |
|---|---|---|
| String, Text | text, collated by code points | compares bytes, and holds no string to its length |
| Integer | bigint | keeps 64 bits |
| sums of integers | int (their type there is numeric) | gives integers |
| `kn_match` | a function of the schema, on PostgreSQL's own regular expressions | is given it by us (`functions.py`) |

The dialect is called `postgresql+kilonova` in URLs of SQLAlchemy.
"""

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from sqlalchemy import Dialect as SqlDialect
from sqlalchemy import types
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from typing_extensions import override

FUNCTIONS = """
CREATE FUNCTION kn_match(pattern text, value text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS 'SELECT CASE WHEN value ~* pattern THEN 1 ELSE 0 END'
"""
"""What every schema is given when it is made. See `functions.py` for what `kn_match` means."""


class _Types(PGTypeCompiler):
    """Names of types."""

    @override
    def visit_INTEGER(self, type_: "types.Integer", **kw: Any) -> str:
        """Every integer has 64 bits."""
        return "BIGINT"

    @override
    def visit_VARCHAR(self, type_: "types.String", **kw: Any) -> str:
        """No string is held to its length here: the API does that, in words that users understand."""
        return self.visit_TEXT(type_, **kw)

    @override
    def visit_TEXT(self, type_: "types.String", **kw: Any) -> str:
        """In the order of code points, which is Python's and SQLite's: pages of several cells are merged by it."""
        return "TEXT" if kw.get("type_expression") is None else 'TEXT COLLATE "C"'


class _Double(types.Double[float]):
    """A float as the driver reads it; SQLAlchemy's own wants to know first what the column of a result is."""

    @override
    def bind_processor(self, dialect: SqlDialect) -> Callable[[float | None], float | None]:
        """A whole number is one too."""
        return lambda value: None if value is None else float(value)

    @override
    def result_processor(self, dialect: SqlDialect, coltype: object) -> None:
        """Nothing is done to it."""


class Dialect(PGDialect_psycopg):
    """PostgreSQL by psycopg, with the differences of this module."""

    supports_statement_cache = True
    type_compiler_cls = _Types
    colspecs = PGDialect_psycopg.colspecs | {
        types.Integer: PGDialect_psycopg.colspecs[types.BigInteger],
        types.Double: _Double,
    }

    def __init__(self, **options: Any) -> None:
        """Values are passed by position, as `Prepared` does everywhere."""
        super().__init__(paramstyle="format", use_native_hstore=False, **options)  # type: ignore[no-untyped-call] # theirs


class _Number(Loader):
    """Reads numeric: a whole number unless it has a fraction."""

    @override
    def load(self, data: Buffer) -> int | float:
        """One value."""
        text = bytes(data)
        return float(text) if b"." in text else int(text)


def prepare(connection: "psycopg.Connection[Any]") -> None:
    """Let a driver's connection read values as ours are read on SQLite."""
    connection.adapters.register_loader("numeric", _Number)


registry.register("postgresql.kilonova", __name__, "Dialect")
