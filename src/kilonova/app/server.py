"""The HTTP server: uvicorn inside our own loop, ended by a signal."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

from kilonova.app.config import Up
from kilonova.app.listen import Listener

GRACE_S = 5
"""How long requests under way may take after the signal to stop, in seconds."""


class _Server(uvicorn.Server):
    """Leaves signals to us, and tells when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

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


async def serve(app: ASGIApp, listener: Listener, up: Up, ready: Callable[[], None]) -> None:
    """Answer requests until SIGTERM or SIGINT; `ready` is called once it does."""
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
    server = _Server(config, ready)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, server)
    try:
        await server.serve([listener.socket])
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _stop(server: uvicorn.Server) -> None:
    server.should_exit = True


def _expanded(file: str | None) -> Path | None:
    return None if file is None else Path(file).expanduser()
