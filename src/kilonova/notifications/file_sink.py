"""Notifications in a file: one JSON document a line."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from kilonova.kernel.errors import Unavailable
from kilonova.notifications.publisher import Message
from kilonova.runtime.runtime import Runtime

_BLOCK = 65536


class FileSink:
    """Appends to a file, which is put aside as `NAME.1`, `NAME.2`, ... when it has grown to its size."""

    def __init__(self, path: Path, runtime: Runtime, *, max_bytes: int, backups: int) -> None:
        """Write to `path`; `backups` full files are kept."""
        self._path = path
        self._runtime = runtime
        self._max_bytes = max_bytes
        self._backups = backups

    async def send(self, messages: Sequence[Message]) -> int:
        """Append all of them, to the disk itself. Raises `Unavailable`."""
        return await self._runtime.run_blocking(self._append, messages)

    async def close(self) -> None:
        """Nothing is open between two batches."""

    def _append(self, messages: Sequence[Message]) -> int:
        lines = b"".join(msgspec.json.encode(message) + b"\n" for message in messages)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._rotate()
            with os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as file:
                _end_last_line(file)
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable(service=f"the file {self._path}", reason=error.strerror or str(error)) from error
        return len(messages)

    def _rotate(self) -> None:
        if not self._path.exists() or self._path.stat().st_size < self._max_bytes:
            return
        for number in range(self._backups - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            if older.exists():
                older.replace(self._path.with_name(f"{self._path.name}.{number + 1}"))
        if self._backups:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        else:
            self._path.unlink()


def _end_last_line(file: BinaryIO) -> None:
    """Take away half a line that a machine without power has left: it is written again."""
    file.seek(0, os.SEEK_END)
    end = at = file.tell()
    while at > 0:
        start = max(0, at - _BLOCK)
        file.seek(start)
        found = file.read(at - start).rfind(b"\n")
        if found >= 0:
            at = start + found + 1
            break
        at = start
    if at != end:
        file.truncate(at)
