"""`kilonova serve placement`: a process that is nothing but the Placement API and its database."""

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack

from starlette.types import ASGIApp

from kilonova.app.config import HEADERS, Config
from kilonova.app.foundation import Foundation
from kilonova.app.listen import bind
from kilonova.app.logs import start_logging
from kilonova.app.server import serve, signalled
from kilonova.app.services import Services, placement_service
from kilonova.app.state import State, state_used
from kilonova.bus.local import LocalBus
from kilonova.kernel.errors import Invalid
from kilonova.placement import tables
from kilonova.runtime.runtime import Runtime
from kilonova.web.believed import BelievedTokens

DRIVER = "none"
"""What the state directory of a role without hypervisors remembers."""

log = logging.getLogger(__name__)


class NeedsIdentity(Invalid):
    """Placement by itself has no users of its own: set [identity] url to a Keystone, or auth = "headers" for tests."""

    code = "bad-config"


async def run(config: Config, runtime: Runtime, *, say: Callable[[str], None]) -> None:
    """Serve placement, and nothing else, until SIGTERM or SIGINT.

    Args:
        config: all of it; `[up] state` and `listen` hold for this role.
        runtime: the process's.
        say: gets the one line `ready URL`.

    Raises:
        KilonovaError: whatever keeps it from starting, in one sentence.
    """
    if config.identity.auth != HEADERS and config.identity.url is None:
        raise NeedsIdentity
    listener = bind(config.up, loopback_only=config.identity.auth == HEADERS)
    try:
        async with signalled() as ended, AsyncExitStack() as parts:
            with state_used(config.up.path, runtime) as state:
                start_logging(state.folder("log"), config.log)
                app = await _build(config, state, runtime, listener.url, parts)

                def answering() -> None:
                    state.announce(listener.url, DRIVER, config.up.tls_cert)
                    log.info("ready at %s", listener.url)
                    say(f"ready {listener.url}")

                await serve(app, listener, config.up, answering, ended)
                await parts.aclose()
    finally:
        listener.socket.close()


async def _build(config: Config, state: State, runtime: Runtime, url: str, parts: AsyncExitStack) -> ASGIApp:
    foundation = Foundation(config=config, state=state, runtime=runtime, bus=LocalBus(), url=url, parts=parts)
    database = await foundation.database_with("placement", tables.metadata)
    state.remember(driver=DRIVER, hosts=0, cells=0)
    tokens = BelievedTokens() if config.identity.url is None else await Services(foundation).identity()
    return placement_service(config, database, tokens, runtime)
