"""Reading from an NBD server: as much of the protocol as copying an export takes.

What crosses is bytes; nothing of what they mean is looked at. Protocol: NBD's "proto.md", fixed newstyle negotiation.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path

from kilonova.drivers.qemu.sockets import socket_connect

PIECE = 1 << 20
SILENCE_S = 30.0
"""How long the server may take for one answer."""

_GREETING = b"NBDMAGICIHAVEOPT"
_FIXED_NEWSTYLE, _NO_ZEROES = 1, 2
_EXPORT_NAME = 1
_REQUEST, _REPLY = 0x25609513, 0x67446698


class NbdFailure(OSError):
    """The server went away, or speaks another language; the argument says what happened."""


async def nbd_read(directory: Path, socket: str, export: str) -> AsyncIterator[bytes]:
    """The content of an export, in pieces, from the server at a Unix socket in `directory`.

    Raises:
        NbdFailure: it can't be had.
        OSError: nobody listens there.
    """
    reader, writer = await asyncio.open_unix_connection(sock=await socket_connect(directory, socket))
    try:
        size = await _negotiated(reader, writer, export)
        for offset in range(0, size, PIECE):
            async with asyncio.timeout(SILENCE_S):
                yield await _piece(reader, writer, offset, min(PIECE, size - offset))
    except (asyncio.IncompleteReadError, TimeoutError) as error:
        raise NbdFailure(f"the other host has broken off the copy of {export}") from error
    finally:
        writer.close()


async def _negotiated(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, export: str) -> int:
    """Ask for the export; its size in bytes."""
    async with asyncio.timeout(SILENCE_S):
        greeting = await reader.readexactly(18)
        if not greeting.startswith(_GREETING):
            raise NbdFailure("the other host is no NBD server")
        name = export.encode()
        writer.write(struct.pack(">I", _FIXED_NEWSTYLE | _NO_ZEROES))
        writer.write(_GREETING[8:] + struct.pack(">II", _EXPORT_NAME, len(name)) + name)
        size, _ = struct.unpack(">QH", await reader.readexactly(10))
        return int(size)


async def _piece(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, offset: int, length: int) -> bytes:
    writer.write(struct.pack(">IHHQQI", _REQUEST, 0, 0, offset, offset, length))
    magic, failed, handle = struct.unpack(">IIQ", await reader.readexactly(16))
    if magic != _REPLY or handle != offset or failed:
        raise NbdFailure(f"the other host could not read at {offset}")
    return await reader.readexactly(length)
