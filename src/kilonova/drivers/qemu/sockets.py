"""Unix sockets in a guest's directory, whatever length its path has."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def socket_listen(directory: Path, name: str) -> socket.socket:
    """A new listening socket, for QEMU to inherit; whoever connects waits until QEMU is ready."""
    (directory / name).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        with _short_path(directory, name) as path:
            listener.bind(path)
        listener.listen(8)
    except OSError:
        listener.close()
        raise
    return listener


async def socket_connect(directory: Path, name: str) -> socket.socket:
    """A connection to it. Raises `OSError` when nobody listens."""
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    try:
        with _short_path(directory, name) as path:
            await asyncio.get_running_loop().sock_connect(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _short_path(directory: Path, name: str) -> Iterator[str]:
    """The socket's path by way of a descriptor: Unix sockets allow 107 bytes, and state directories may be longer."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)
