"""The Unix socket on which agents that are other processes reach the gateways of this one."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

from kilonova.runtime.runtime import Runtime


class _Server(uvicorn.Server):
    """Leaves signals to the cloud's own server."""

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let the loop's own handlers stand."""
        yield


class GatewaySocket:
    """The socket, open from `open` to `close`. Only our own user may connect, and it takes a secret besides."""

    def __init__(self, app: ASGIApp, path: Path, runtime: Runtime) -> None:
        """Answer with `app` at `path`."""
        self._server = _Server(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._path = path
        self._runtime = runtime
        self._serving: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to answer; who connects from now on waits until it does. Raises `OSError`."""
        self._serving = self._runtime.spawn(self._server.serve([_listening(self._path)]), name="gateway socket")

    async def close(self) -> None:
        """Answer no more, and remove the socket."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        self._path.unlink(missing_ok=True)


def _listening(path: Path) -> socket.socket:
    """Bound by way of a descriptor: Unix sockets allow 107 bytes of path, and state directories may be longer."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{path.name}")
        path.chmod(0o600)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    finally:
        os.close(directory)
    listener.setblocking(False)
    return listener
