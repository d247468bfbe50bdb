"""A cloud's life in one process: take the address and the state directory, build, answer, let go."""

import asyncio
import logging
from collections.abc import Callable

from kilonova.app import clouds_yaml
from kilonova.app.config import HEADERS, Config
from kilonova.app.listen import Listener, bind
from kilonova.app.logs import start_logging
from kilonova.app.server import serve, signalled
from kilonova.app.state import State, state_used
from kilonova.app.wiring import Cloud, build
from kilonova.runtime.runtime import Runtime

log = logging.getLogger(__name__)
Say = Callable[[str], None]


async def run(config: Config, runtime: Runtime, *, say: Say, note: Say) -> None:
    """Run a cloud until SIGTERM or SIGINT, with its log in the state directory.

    Args:
        config: all of it.
        runtime: the process's.
        say: gets the one line `ready URL`.
        note: gets what the person who starts it should know, a sentence each.

    Raises:
        KilonovaError: whatever keeps the cloud from starting, in one sentence.
    """

    def ready(cloud: Cloud, listening_url: str) -> None:
        log.info("ready at %s", cloud.url)
        say(f"ready {listening_url}")

    async with signalled() as ended:
        await host(
            config,
            runtime,
            opened=lambda state: start_logging(state.folder("log"), config.log),
            note=note,
            ready=ready,
            ended=ended,
        )


async def host(
    config: Config,
    runtime: Runtime,
    *,
    opened: Callable[[State], object],
    note: Say,
    ready: Callable[[Cloud, str], None],
    ended: asyncio.Event,
) -> None:
    """Run a cloud in whatever program this is, until `ended` is set.

    Args:
        config: all of it.
        runtime: the process's.
        opened: called with the state directory, before anything is built on it.
        note: gets what the person who starts it should know, a sentence each.
        ready: called with the cloud and the address that is listened on, once it answers.
        ended: set by whoever wants it to stop.

    Raises:
        KilonovaError: whatever keeps the cloud from starting, in one sentence.
    """
    listener = bind(config.up, loopback_only=config.identity.auth == HEADERS)
    try:
        with state_used(config.up.path, runtime) as state:
            opened(state)
            await _host_on(state, config, runtime, listener, note, ready, ended)
    finally:
        listener.socket.close()


async def _host_on(
    state: State,
    config: Config,
    runtime: Runtime,
    listener: Listener,
    note: Say,
    ready: Callable[[Cloud, str], None],
    ended: asyncio.Event,
) -> None:
    cloud = await build(config, state, runtime, listener.url)
    try:
        clouds_yaml.write(state, config, cloud.url, runtime)
        for sentence in (*state.notices, *cloud.notices):
            log.warning("%s", sentence)
            note(sentence)

        def answering() -> None:
            state.announce(cloud.url, cloud.driver, config.up.tls_cert)
            ready(cloud, listener.url)

        await serve(cloud.app, listener, config.up, answering, ended)
        log.info("stopping")
    finally:
        await cloud.close()
