"""Project health as a part: its database, and what reads its events."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.types import ASGIApp

from kilonova.app.config import Config, Health
from kilonova.app.foundation import Foundation
from kilonova.app.listen import bind
from kilonova.app.root import mounted
from kilonova.app.server import serve, signalled
from kilonova.app.state import open_state
from kilonova.app.state_errors import StateInUse
from kilonova.database.sqlite import SqliteDatabase
from kilonova.database.tables import health_database
from kilonova.health.bugs.handlers import BugPages
from kilonova.health.bugs.service import Desk
from kilonova.health.bugs.trackers import reading
from kilonova.health.ci.archive import Archive, put_in_force
from kilonova.health.ci.desk import Desk as CiDesk
from kilonova.health.ci.importing import DERIVES
from kilonova.health.ci.pages import CiPages
from kilonova.health.hooks import Hooks
from kilonova.health.overview import Overview
from kilonova.health.store import EventStore
from kilonova.health.web.page import BASE
from kilonova.health.web.service import health_service
from kilonova.runtime.runtime import Runtime
from kilonova.web.service import Service


@asynccontextmanager
async def health_opened(path: Path, runtime: Runtime) -> AsyncIterator[Archive]:
    """The archive in the database at `path`, which is made where there is none. Raises `Unavailable`."""
    database = SqliteDatabase("health", path, runtime)
    try:
        await database.create(health_database.metadata)
        yield Archive(
            EventStore(database, {**DERIVES, **reading.DERIVES, "registry": put_in_force, "signatures": put_in_force})
        )
    finally:
        await database.close()


def health_file(path: Path, runtime: Runtime) -> Path:
    """Where the health database of the state directory `path` is; the directory is made where there is none.

    Raises what `open_state` does, but for a directory in use: the database is shared with the cloud that runs on it.
    """
    with contextlib.suppress(StateInUse):  # whoever has it has made it
        open_state(path, runtime).close()
    return path / "databases" / "health.sqlite"


def health_site(archive: Archive, runtime: Runtime, config: Health) -> Service:
    """The pages of CI and bugs as one site, and where events are posted to, to be mounted at `page.BASE`."""
    ci, bugs = CiPages(archive, runtime), Desk(archive.store, runtime)
    overview = Overview(CiDesk(archive), bugs, runtime)
    hooks = Hooks(archive.store, config.github_secret, config.gerrit_token)
    routes = [*overview.routes(), *ci.routes(), *BugPages(bugs, runtime).routes(), *hooks.routes()]
    return health_service(routes, runtime)


async def health_beside(foundation: Foundation) -> dict[str, ASGIApp]:
    """The site as a cloud serves it beside its services."""
    config, runtime = foundation.config.health, foundation.runtime
    path = foundation.state.path / "databases" / "health.sqlite"
    archive = await foundation.parts.enter_async_context(health_opened(path, runtime))
    return {BASE: health_site(archive, runtime, config)}


async def health_serve(config: Config, runtime: Runtime, *, say: Callable[[str], None]) -> None:
    """Serve the pages on this machine until SIGTERM or SIGINT.

    Raises:
        KilonovaError: whatever keeps it from starting, in one sentence.
    """
    listener = bind(config.up, loopback_only=True)
    try:
        async with signalled() as ended, health_opened(health_file(config.up.path, runtime), runtime) as archive:
            app = mounted(listener.url, {}, {BASE: health_site(archive, runtime, config.health)})
            await serve(app, listener, config.up, lambda: say(f"ready {listener.url}"), ended)
    finally:
        listener.socket.close()
