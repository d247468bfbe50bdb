"""The health database as commands use it, whether a cloud runs on the state directory or not."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx
import msgspec

from kilonova.app.health import health_file, health_opened
from kilonova.cli.options import loaded
from kilonova.health.ci.archive import Archive
from kilonova.health.moments import moment
from kilonova.kernel.errors import Unavailable
from kilonova.runtime.real import RealRuntime

T = TypeVar("T")
TIMEOUT_S = 60.0
MOMENT_HELP = "The moment to look at: 2026-11-25, 2026-11-25T12:00Z or seconds since the epoch. [now]"

at_option = click.option("--at", "when", metavar="MOMENT", help=MOMENT_HELP)


def with_archive(file: Path | None, state: str | None, work: Callable[[Archive], Awaitable[T]]) -> T:
    """Do something with the archive of a state directory, which is made where there is none.

    Raises what `open_state` does, but for a directory in use: the database is shared with the cloud that runs on it.
    """
    path = loaded(file, state=state).up.path
    runtime = RealRuntime()
    database = health_file(path, runtime)

    async def run() -> T:
        async with health_opened(database, runtime) as archive:
            return await work(archive)

    return asyncio.run(run())


def moment_of(when: str | None) -> float:
    """The moment that `--at` names; now when None. Raises `BadMoment`."""
    return RealRuntime().now() if when is None else moment(when)


def told(document: Any) -> None:
    """Print a document for programs."""
    click.echo(msgspec.json.encode(document).decode())


def fetcher(client: httpx.AsyncClient) -> Callable[[str], Awaitable[bytes]]:
    """Fetches URLs with a client."""

    async def get(url: str) -> bytes:
        try:
            answer = await client.get(url, follow_redirects=True)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Unavailable(service=url, reason=str(error) or type(error).__name__) from error
        return answer.content

    return get
