"""Connections that can be cut: a proxy between clients and the API, and one between agents and the gateway."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

PIECE = 1 << 16
LOOK_EVERY_S = 0.005
"""How often it looks whether the gateway has a new socket: an agent needs much longer to start."""
BEHIND = "gateway.behind"
"""What the gateway's own socket is called once the proxy's has its name."""

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Carries connections to where `connect` leads, until they are cut."""

    def __init__(self, connect: Callable[[], Awaitable[Ends]]) -> None:
        """`connect` raises OSError while nobody answers there."""
        self._connect = connect
        self._open: set[asyncio.StreamWriter] = set()
        self._closed_until = 0.0
        self.cuts = 0
        """Connections that were cut while they were open."""

    @property
    def carried(self) -> int:
        """Connections that are open now."""
        return len(self._open) // 2

    def cut(self, for_s: float) -> None:
        """Cut every connection, and let none through for `for_s` seconds."""
        self._closed_until = max(self._closed_until, asyncio.get_running_loop().time() + for_s)
        self.cuts += self.carried
        for writer in list(self._open):
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self._closed_until = 0.0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either end closes it."""
        if asyncio.get_running_loop().time() < self._closed_until:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._open |= ends
        try:
            pumps = [asyncio.ensure_future(_pump(reader, far_writer)), asyncio.ensure_future(_pump(far_reader, writer))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()


class ApiProxy:
    """Between clients and the API: one address, wherever the cloud answers after its next start."""

    def __init__(self, cloud_url: Callable[[], str]) -> None:
        """`cloud_url` is asked at each connection."""
        self._cloud_url = cloud_url
        self.proxy = Proxy(self._connect)

    async def start(self) -> str:
        """Begin to answer; the address."""
        self._server = await asyncio.start_server(self.proxy.carry, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    async def close(self) -> None:
        """Answer no more."""
        self._server.close()
        self.proxy.cut(0.0)

    async def _connect(self) -> Ends:
        host, _, port = self._cloud_url().removeprefix("http://").rpartition(":")
        return await asyncio.open_connection(host, int(port))


class GatewayProxy:
    """Between agents and the gateway: takes the place of the gateway's socket, whenever there is a new one."""

    def __init__(self, socket_path: Path) -> None:
        """`socket_path` is where agents connect, in a directory that is there already."""
        self._path = socket_path
        self._directory = os.open(socket_path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._own: int | None = None
        self._servers: list[asyncio.Server] = []
        self.proxy = Proxy(self._connect)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                with suppress(FileNotFoundError):
                    if self._path.stat().st_ino != self._own:
                        await self._take_place()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            self.proxy.cut(0.0)
            for server in self._servers:
                server.close()
            os.close(self._directory)

    async def _take_place(self) -> None:
        self._path.rename(self._path.with_name(BEHIND))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self._by_descriptor(self._path.name))
        self._own = self._path.stat().st_ino
        listener.listen(128)
        listener.setblocking(False)
        self._servers.append(await asyncio.start_unix_server(self.proxy.carry, sock=listener))

    async def _connect(self) -> Ends:
        return await asyncio.open_unix_connection(self._by_descriptor(BEHIND))

    def _by_descriptor(self, name: str) -> str:
        """Unix sockets allow 107 bytes of path, and state directories may be longer."""
        return f"/proc/self/fd/{self._directory}/{name}"
