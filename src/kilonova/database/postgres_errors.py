"""What PostgreSQL's errors mean to whoever runs the cloud, and what to do about them."""

import psycopg
from psycopg import errors
from sqlalchemy.exc import DBAPIError

from kilonova.kernel.errors import Invalid, KilonovaError, Unavailable

VERSION_MIN = 14
"""The oldest PostgreSQL that is known to work."""

_ADVICE = (
    (
        "password authentication failed",
        "check user and password of [database] url, or the password file that libpq reads",
    ),
    ("no password supplied", "put the password into [database] url, or into the password file that libpq reads"),
    ("pg_hba.conf", "let this user connect from here in the server's pg_hba.conf"),
    ("role", "make the role with `createuser`, or name another one in [database] url"),
    ("does not exist", "make the database with `createdb`, or name another one in [database] url"),
    ("permission denied", "let the role make schemas: `GRANT CREATE ON DATABASE ... TO ...`"),
    ("refused", "start the server, or name another host or port in [database] url"),
    ("No such file", "start the server, or name another socket directory in [database] url"),
    ("could not translate host name", "correct the host in [database] url"),
)
"""Part of what the server or libpq says, and what to do; the first that fits."""


class DatabaseUnusable(Unavailable):
    """The database {name} can't be used: {reason}. {advice}."""

    code = "database-unusable"


def refused(name: str, error: BaseException) -> KilonovaError:
    """Why no connection was made: `DatabaseUnusable` where somebody has to mend it."""
    reason = _first_line(error)
    for part, advice in _ADVICE:
        if part in reason:
            return DatabaseUnusable(name=name, reason=reason, advice=advice[0].upper() + advice[1:])
    return Unavailable(service=f"the database {name}", reason=reason)


def version_checked(name: str, number: int) -> None:
    """Raise `DatabaseUnusable` for a server older than `VERSION_MIN`; `number` is as libpq tells it, 150018 for 15.18."""
    if number // 10000 < VERSION_MIN:
        reason = f"its server is PostgreSQL {number // 10000}"
        raise DatabaseUnusable(name=name, reason=reason, advice=f"Use PostgreSQL {VERSION_MIN} or newer")


def is_lost(error: BaseException | None, connection: "psycopg.Connection[object]") -> bool:
    """Whether the connection is gone, and with it the transaction."""
    ended = (errors.AdminShutdown, errors.CrashShutdown, errors.IdleInTransactionSessionTimeout)
    return connection.closed or isinstance(error, ended)


def translated(name: str, error: Exception) -> Exception:
    """Trouble with the server becomes `Unavailable`, a value that it can't keep `Invalid`; what else there is stays."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.DataError):
        return Invalid(reason=f"A value can't be kept: {_first_line(cause)}.")
    if isinstance(cause, psycopg.OperationalError | errors.UniqueViolation):
        return Unavailable(service=f"the database {name}", reason=_first_line(cause))
    return error


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    text = lines[-1] if lines and lines[0].startswith("connection failed") else (lines or [type(error).__name__])[0]
    return text.rpartition("FATAL: ")[2].strip()
