"""Which database is where: a file of the state directory each, or a schema of a PostgreSQL server."""

from typing import TYPE_CHECKING

from kilonova.app.config import Config
from kilonova.app.state import State
from kilonova.database.sqlite import SqliteDatabase
from kilonova.kernel.errors import Invalid
from kilonova.runtime.runtime import Runtime

if TYPE_CHECKING:
    from kilonova.database.postgres import PostgresDatabase

SCHEMES = ("postgresql://", "postgres://")
"""How URLs of PostgreSQL begin."""


class BadDatabaseUrl(Invalid):
    """[database] {key}: {reason}."""

    code = "bad-config"


class StateHasFiles(Invalid):
    """The state directory {path} has its databases in files, and [database] names a server.

    Take another state directory for a cloud on PostgreSQL, or remove the URL.
    """

    code = "state-mismatch"


def url_of(config: Config, name: str) -> str | None:
    """The URL of the database `name`; None for a file of the state directory. Raises `BadDatabaseUrl`."""
    by_name = dict(_named(entry) for entry in config.database.urls)
    url = by_name.get(name, config.database.url)
    return None if url is None else _checked("url" if name not in by_name else f"urls, {name}", url)


def registered(config: Config, name: str) -> str:
    """What the registry of cells keeps of a database: its kind and its name. Where it is, the configuration says."""
    return f"{'sqlite' if url_of(config, name) is None else 'postgresql'}:{name}"


def name_of(registered_: str) -> str:
    """The name of the database that the registry keeps as `registered_`."""
    return registered_.partition(":")[2]


def opened(
    config: Config, state: State, runtime: Runtime, name: str, *, tells: bool
) -> "SqliteDatabase | PostgresDatabase":
    """Open the database `name`; `tells` is for `Transaction`. Raises `BadDatabaseUrl`, `StateHasFiles`, `Unavailable`."""
    url = url_of(config, name)
    if url is None:
        return SqliteDatabase(name, state.database(name), runtime, tells=tells)
    if state.database(name).exists():
        raise StateHasFiles(path=state.path)
    from kilonova.database.postgres import PostgresDatabase  # noqa: PLC0415 - few clouds have it

    return PostgresDatabase(name, url, runtime, config.database.connections, tells=tells)


def _named(entry: str) -> tuple[str, str]:
    name, equals, url = entry.partition("=")
    if not equals or "/" in name:
        raise BadDatabaseUrl(key="urls", reason=f"'{entry.partition(':')[0]}...' is not NAME=URL")
    return name, url


def _checked(key: str, url: str) -> str:
    if not url.startswith(SCHEMES):
        raise BadDatabaseUrl(key=key, reason="a URL begins with postgresql://")
    return url
