"""The HTTP server: uvicorn inside our own loop, ended when we say."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

from kilonova.app.config import Up
from kilonova.app.listen import Listener

GRACE_S = 5
"""How long requests under way may take after the signal to stop, in seconds."""


class _Server(uvicorn.Server):
    """Leaves signals to us, tells when it answers, and ends with an event."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], ended: asyncio.Event) -> None:
        super().__init__(config)
        self._ready = ready
        self._ended = ended

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let the loop's own handlers stand."""
        yield

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self._ready()

    @override
    async def on_tick(self, counter: int) -> bool:
        """Look whether to end, ten times in a second."""
        return await super().on_tick(counter) or self._ended.is_set()


async def serve(app: ASGIApp, listener: Listener, up: Up, ready: Callable[[], None], ended: asyncio.Event) -> None:
    """Answer requests until `ended` is set; `ready` is called once it does."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=_expanded(up.tls_cert),
        ssl_keyfile=_expanded(up.tls_key),
    )
    await _Server(config, ready, ended).serve([listener.socket])


@asynccontextmanager
async def signalled() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set; only in a process's main thread."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    try:
        yield ended
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _expanded(file: str | None) -> Path | None:
    return None if file is None else Path(file).expanduser()
