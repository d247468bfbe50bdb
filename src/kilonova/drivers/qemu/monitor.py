"""QMP, QEMU's machine protocol: a short conversation over the socket in the guest's directory.

Each conversation connects anew and is short, because QEMU talks to one partner at a time; every one has a deadline, because
a QEMU that hangs must not hang the driver. Protocol: QEMU's "QMP reference".
"""

import asyncio
import base64
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilonova.drivers.qemu.command import CONSOLE_BUFFER, CONSOLE_ID
from kilonova.objects.guest import PowerState

if TYPE_CHECKING:
    from qemu.qmp import QMPClient

SOCKET = "monitor.sock"
TALK_S = 5.0
"""Longest conversation with a QEMU that runs; it takes milliseconds, on a busy machine tenths of a second."""

_POWER_STATES = {
    "running": PowerState.RUNNING,
    "paused": PowerState.PAUSED,
    "save-vm": PowerState.PAUSED,
    "postmigrate": PowerState.PAUSED,
    "finish-migrate": PowerState.PAUSED,
    "shutdown": PowerState.SHUTDOWN,
    "suspended": PowerState.SUSPENDED,
    "guest-panicked": PowerState.CRASHED,
    "internal-error": PowerState.CRASHED,
    "io-error": PowerState.CRASHED,
    "watchdog": PowerState.CRASHED,
}


class MonitorUnreachable(Exception):
    """QEMU doesn't answer: it ended, or hangs."""


def monitor_listen(directory: Path) -> socket.socket:
    """A listening socket in the guest's directory, for QEMU to inherit; whoever connects waits until QEMU is ready."""
    (directory / SOCKET).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        with _short_path(directory) as path:
            listener.bind(path)
        listener.listen(8)
    except OSError:
        listener.close()
        raise
    return listener


class Monitor:
    """A conversation under way."""

    def __init__(self, client: "QMPClient") -> None:
        """Talk through `client`, which is connected."""
        self._client = client

    async def power_state(self) -> PowerState:
        """What QEMU says of its guest."""
        answer: Any = await self._client.execute("query-status")
        return _POWER_STATES.get(answer["status"], PowerState.NOSTATE)

    async def press_power_button(self) -> None:
        """Ask the guest's system to shut down (ACPI)."""
        await self._client.execute("system_powerdown")

    async def reset(self) -> None:
        """Press the reset button."""
        await self._client.execute("system_reset")

    async def quit(self) -> None:
        """End QEMU."""
        await self._client.execute("quit")

    async def console_fetch(self) -> bytes:
        """Take the serial output that came since the last time out of QEMU's ring."""
        arguments = {"device": CONSOLE_ID, "size": CONSOLE_BUFFER, "format": "base64"}
        answer: Any = await self._client.execute("ringbuf-read", arguments)
        return base64.b64decode(answer)


@asynccontextmanager
async def monitor_open(directory: Path, timeout_s: float = TALK_S) -> AsyncIterator[Monitor]:
    """Talk to the guest in `directory`, for `timeout_s` seconds at most.

    Raises:
        MonitorUnreachable: nobody answers, or not in time, or the conversation broke.
    """
    from qemu.qmp import ExecuteError, QMPClient, QMPError  # noqa: PLC0415  costs 60 ms

    client = QMPClient("guest")
    client.logger.disabled = True
    try:
        async with asyncio.timeout(timeout_s):
            await client.connect(await _connect(directory))
            yield Monitor(client)
    except ExecuteError as error:
        raise MonitorUnreachable(f"QEMU refused: {error}") from error
    except (QMPError, OSError, EOFError, TimeoutError) as error:
        raise MonitorUnreachable(f"QEMU doesn't answer: {error}") from error
    finally:
        await _disconnect(client)


async def _disconnect(client: "QMPClient") -> None:
    from qemu.qmp import QMPError  # noqa: PLC0415

    try:
        async with asyncio.timeout(TALK_S):
            await client.disconnect()
    except (QMPError, OSError, EOFError, TimeoutError):
        return  # QEMU went first, as after `quit`


async def _connect(directory: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    try:
        with _short_path(directory) as path:
            await asyncio.get_running_loop().sock_connect(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _short_path(directory: Path) -> Iterator[str]:
    """The socket's path by way of a descriptor: Unix sockets allow 107 bytes, and state directories may be longer."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)
