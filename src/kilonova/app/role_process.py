"""`kilonova serve ROLE...`: some roles of a cloud in a process of its own, over databases that the others share.

| role | what it does | how many |
|---|---|---|
| `api` | answers over HTTP: Compute, Placement, and the built-in services | any number, each on its address |
| `conductor` | schedules servers that are nowhere yet, and audits | any number |
| `cell-conductor` | carries operations out in the cells | any number |
| `hosts` | the agents of the hosts, and the hypervisor | one |

Processes find each other through the databases, and their work by looking for it: hints don't leave a process. On one machine
they share the state directory, which is locked against `kilonova up` meanwhile. They start one after another, whatever the
order, so that the first makes what all of them need.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack

from starlette.types import ASGIApp

from kilonova.agent.images import ImagesInProcess
from kilonova.app import clouds_yaml, hypervisor
from kilonova.app.config import HEADERS, Config
from kilonova.app.foundation import Foundation
from kilonova.app.hosts import start_hosts
from kilonova.app.listen import Listener, bind
from kilonova.app.logs import start_logging
from kilonova.app.notifications import publish
from kilonova.app.roles import start_cell_conductors, start_conductor
from kilonova.app.server import serve, signalled
from kilonova.app.state import ROLES_LOCK, State, state_used
from kilonova.app.state_lock import lock_held
from kilonova.app.wiring import app_of, compute_of, ground, timers
from kilonova.bus.local import LocalBus
from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import HostName
from kilonova.objects.diagnostics import Diagnostics
from kilonova.objects.guest import GuestImage
from kilonova.objects.server import Server
from kilonova.operations.host_questions import HostQuestions
from kilonova.runtime.runtime import Runtime

API, CONDUCTOR, CELL_CONDUCTOR, HOSTS = ROLES = ("api", "conductor", "cell-conductor", "hosts")

log = logging.getLogger(__name__)


class HostElsewhere(Conflict):
    """Host {host} is served by another process, and can't be asked from here."""

    code = "host-elsewhere"


class HostsElsewhere:
    """Hosts that other processes serve. Implements `HostQuestions`; every method raises `HostElsewhere`."""

    async def output(self, server: Server, lines: int | None) -> str:
        """See `HostQuestions.output`."""
        raise HostElsewhere(host=server.host or "")

    async def diagnostics(self, server: Server) -> Diagnostics:
        """See `HostQuestions.diagnostics`."""
        raise HostElsewhere(host=server.host or "")

    async def image_fetch(self, host: HostName, image: GuestImage) -> None:
        """See `HostQuestions.image_fetch`."""
        raise HostElsewhere(host=host)


async def run(config: Config, runtime: Runtime, roles: frozenset[str], *, say: Callable[[str], None]) -> None:
    """Serve `roles`, a few of `ROLES`, until SIGTERM or SIGINT.

    Args:
        config: all of it; `[up] listen` holds for the API.
        runtime: the process's.
        roles: which.
        say: gets the one line `ready URL`, or `ready` where nothing answers.

    Raises:
        KilonovaError: whatever keeps it from starting, in one sentence.
    """
    listener = bind(config.up, loopback_only=config.identity.auth == HEADERS) if API in roles else None
    try:
        async with signalled() as ended, AsyncExitStack() as parts:
            config.up.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            async with lock_held(config.up.path / ROLES_LOCK, runtime):
                state = parts.enter_context(state_used(config.up.path, runtime, shared=True))
                named = "+".join(sorted(roles))
                start_logging(state.folder("log"), config.log, f"{named}.log")
                app = await _build(config, state, runtime, roles, f"{named}-{runtime.uuid()}", listener, parts)
            await _until(ended, config, state, listener, app, say)
            log.info("stopping")
    finally:
        if listener is not None:
            listener.socket.close()


async def _build(
    config: Config,
    state: State,
    runtime: Runtime,
    roles: frozenset[str],
    name: str,
    listener: Listener | None,
    parts: AsyncExitStack,
) -> ASGIApp:
    """Start the roles; what answers over HTTP. All of it stops with `parts`."""
    url = (config.api.link_prefix or (listener.url if listener else "")).rstrip("/")
    bus = LocalBus(silent=not config.bus.hints)
    foundation = Foundation(config=config, state=state, runtime=runtime, bus=bus, url=url, parts=parts)
    shape = hypervisor.shape(config.up, state)
    stands_on = await ground(foundation, shape, alone=False)
    questions: HostQuestions = HostsElsewhere()
    if HOSTS in roles:
        await parts.enter_async_context(lock_held(state.folder("hypervisor") / "lock", runtime))
        questions = (await start_hosts(foundation, stands_on.work, shape, ImagesInProcess(stands_on.images))).questions
    if CONDUCTOR in roles:
        start_conductor(foundation, stands_on.work, name)
        publish(foundation, stands_on.work)
    if CELL_CONDUCTOR in roles:
        start_cell_conductors(foundation, stands_on.work, name, timers(config))
    if state.made is None:
        state.remember(driver=shape.driver, hosts=shape.hosts, cells=shape.cells)
    if listener is not None:
        clouds_yaml.write(state, config, url, runtime)
    return app_of(foundation, stands_on, compute_of(foundation, stands_on, questions))


async def _until(
    ended: asyncio.Event,
    config: Config,
    state: State,
    listener: Listener | None,
    app: ASGIApp,
    say: Callable[[str], None],
) -> None:
    """Answer, where that is a role, until the signal."""
    if listener is None:
        say("ready")
        await ended.wait()
        return
    url, driver = listener.url, state.made.driver if state.made else ""

    def answering() -> None:
        state.announce(url, driver, config.up.tls_cert)
        log.info("ready at %s", url)
        say(f"ready {url}")

    await serve(app, listener, config.up, answering, ended)
