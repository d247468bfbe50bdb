"""QMP, QEMU's machine protocol: a short conversation over the socket in the guest's directory.

Each conversation connects anew and is short, because QEMU talks to one partner at a time; every one has a deadline, because
a QEMU that hangs must not hang the driver. Protocol: QEMU's "QMP reference".
"""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilonova.drivers.qemu.command import CONSOLE_BUFFER, CONSOLE_ID
from kilonova.drivers.qemu.sockets import socket_connect
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


class MonitorRefused(MonitorUnreachable):
    """QEMU answers and says no; the argument is what it says."""


class Monitor:
    """A conversation under way."""

    def __init__(self, client: "QMPClient", connection: socket.socket) -> None:
        """Talk through `client`, which is connected by `connection`."""
        self._client = client
        self._connection = connection

    async def execute(self, command: str, **arguments: object) -> Any:
        """Give a command, whose arguments are written with `_` for `-`; what QEMU answers.

        Raises:
            MonitorRefused: QEMU says no.
        """
        return await self.execute_with(command, {name.replace("_", "-"): value for name, value in arguments.items()})

    async def execute_with(self, command: str, arguments: Mapping[str, object]) -> Any:
        """Give a command with arguments as they are. Raises as `execute`."""
        from qemu.qmp import ExecuteError  # noqa: PLC0415  costs 60 ms

        try:
            return await self._client.execute(command, dict(arguments))
        except ExecuteError as error:
            raise MonitorRefused(f"QEMU refused: {error}") from error

    async def status(self) -> str:
        """What QEMU says of its guest, in its own word (`RunState` in its QMP reference)."""
        return str((await self.execute("query-status"))["status"])

    async def power_state(self) -> PowerState:
        """The same in ours."""
        return _POWER_STATES.get(await self.status(), PowerState.NOSTATE)

    async def press_power_button(self) -> None:
        """Ask the guest's system to shut down (ACPI)."""
        await self.execute("system_powerdown")

    async def reset(self) -> None:
        """Press the reset button."""
        await self.execute("system_reset")

    async def quit(self) -> None:
        """End QEMU."""
        await self.execute("quit")

    async def console_fetch(self) -> bytes:
        """Take the serial output that came since the last time out of QEMU's ring."""
        answer = await self.execute("ringbuf-read", device=CONSOLE_ID, size=CONSOLE_BUFFER, format="base64")
        return base64.b64decode(answer)

    async def devices(self) -> set[str]:
        """The names of the devices that are plugged in."""
        return {child["name"] for child in await self.execute("qom-list", path="/machine/peripheral")}

    async def nodes(self) -> set[str]:
        """The names of the block nodes."""
        return {node["node-name"] for node in await self.execute("query-named-block-nodes", flat=True)}

    async def job(self, job_id: str) -> dict[str, Any] | None:
        """A block job; None when there is none of this name."""
        return next((job for job in await self.execute("query-jobs") if job["id"] == job_id), None)

    async def nbd_serve(self, path: str) -> None:
        """Begin to serve block nodes at a Unix socket; `path` is below QEMU's own directory."""
        await self.execute("nbd-server-start", addr={"type": "unix", "data": {"path": path}})

    async def nbd_export(self, node: str, name: str, *, writable: bool) -> None:
        """Serve a block node under a name."""
        await self.execute("block-export-add", type="nbd", id=node, node_name=node, name=name, writable=writable)

    async def descriptor_set(self, descriptor: int) -> int:
        """Hand a descriptor over, for `/dev/fdset/` and the number returned; it lasts for this conversation until used."""
        self._send(descriptor)
        return int((await self.execute("add-fd"))["fdset-id"])

    async def descriptor_named(self, descriptor: int, name: str) -> None:
        """Hand a descriptor over under a name, for a command of this conversation."""
        self._send(descriptor)
        await self.execute("getfd", fdname=name)

    def _send(self, descriptor: int) -> None:
        """Send it beside the conversation: the client's own way to do so knows no loop but asyncio's."""
        socket.send_fds(self._connection, [b" "], [descriptor])


@asynccontextmanager
async def monitor_open(directory: Path, timeout_s: float = TALK_S) -> AsyncIterator[Monitor]:
    """Talk to the guest in `directory`, for `timeout_s` seconds at most.

    Raises:
        MonitorUnreachable: nobody answers, or not in time, or the conversation broke.
    """
    from qemu.qmp import QMPClient, QMPError  # noqa: PLC0415  costs 60 ms

    client = QMPClient("guest")
    client.logger.disabled = True
    try:
        async with asyncio.timeout(timeout_s):
            connection = await _connected(client, directory)
            yield Monitor(client, connection)
    except (QMPError, OSError, EOFError, TimeoutError) as error:
        raise MonitorUnreachable(f"QEMU doesn't answer: {error}") from error
    finally:
        await _disconnect(client)


async def _connected(client: "QMPClient", directory: Path) -> socket.socket:
    """Connect, and again where QEMU does not greet: an event meant for the partner before may come first."""
    from qemu.qmp import ConnectError  # noqa: PLC0415
    from qemu.qmp.qmp_client import GreetingError  # noqa: PLC0415

    while True:
        connection = await socket_connect(directory, SOCKET)
        try:
            await client.connect(connection)
        except ConnectError as error:
            if not isinstance(error.exc, GreetingError):
                raise
        else:
            return connection


async def _disconnect(client: "QMPClient") -> None:
    from qemu.qmp import QMPError  # noqa: PLC0415

    try:
        async with asyncio.timeout(TALK_S):
            await client.disconnect()
    except (QMPError, OSError, EOFError, TimeoutError):
        return  # QEMU went first, as after `quit`
