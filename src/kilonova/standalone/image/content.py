"""The contents of images: one file each in a directory, complete or not there at all.

A content is written beside its place, inspected, flushed to disk and moved into place; whoever sees the file sees all of
it. What a crash leaves behind is swept away at the next start.
"""

import errno
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kilonova.kernel.errors import TooLarge, Unavailable
from kilonova.kernel.ids import is_uuid
from kilonova.runtime.runtime import Runtime
from kilonova.standalone.image.inspection import Inspection

T = TypeVar("T")

PIECE = 1 << 20
"""Bytes read, hashed and written at a time."""
_PARTIAL = ".partial"


class StoreFull(Unavailable):
    """There is no room left for the content of this image. Nothing of it was kept; make room and upload it again."""

    code = "image-store-full"


class StoreBroken(Unavailable):
    """The image store can't be read or written: {reason}."""

    code = "image-store-broken"


@dataclass(frozen=True)
class Content:
    """What is known of a content after it was received."""

    size: int
    virtual_size: int
    md5: str
    sha512: str


class Contents:
    """The directory with the contents."""

    def __init__(self, directory: Path, runtime: Runtime, size_max: int) -> None:
        """Make the directory if it isn't there; contents may have `size_max` bytes."""
        self._directory = directory
        self._runtime = runtime
        self._size_max = size_max
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def check_size(self, declared: str | None) -> None:
        """Refuse by its declared length what is too large anyway. Raises `TooLarge`."""
        if declared is not None and (not declared.isdigit() or int(declared) > self._size_max):
            raise TooLarge(limit=self._size_max)

    async def receive(self, image_id: str, disk_format: str, pieces: AsyncIterator[bytes]) -> Content:
        """Write a content beside its place and inspect it; `keep` or `discard` follows.

        Raises `TooLarge`, `UnsafeContent`, `StoreFull`, `StoreBroken`.
        """
        writer = await self._blocking(_Writer, self._partial(image_id), disk_format, self._size_max)
        try:
            waiting = bytearray()
            async for piece in pieces:
                waiting += piece
                if len(waiting) >= PIECE:
                    await self._blocking(writer.write, bytes(waiting))
                    waiting.clear()
            await self._blocking(writer.write, bytes(waiting))
            return await self._blocking(writer.finish)
        finally:
            writer.close()

    async def keep(self, image_id: str) -> None:
        """Move a received content into its place, for good."""
        await self._blocking(_replace, self._partial(image_id), self._path(image_id))

    async def discard(self, image_id: str) -> None:
        """Remove what there is of a content."""
        await self._blocking(self._remove, image_id)

    async def read(self, image_id: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end`, in pieces."""
        path = self._path(image_id)
        file = await self._blocking(lambda: path.open("rb"))
        try:
            await self._blocking(file.seek, start)
            while start < end:
                piece = await self._blocking(file.read, min(PIECE, end - start))
                if not piece:
                    raise StoreBroken(reason=f"the content of image {image_id} is shorter than it was")
                start += len(piece)
                yield piece
        finally:
            file.close()

    async def sweep(self, known: Collection[str]) -> None:
        """Remove every file that belongs to none of the images `known` to have a content."""
        await self._blocking(self._sweep, frozenset(known))

    def _sweep(self, known: Collection[str]) -> None:
        for path in self._directory.iterdir():
            if path.name not in known:
                path.unlink()

    def _remove(self, image_id: str) -> None:
        self._partial(image_id).unlink(missing_ok=True)
        self._path(image_id).unlink(missing_ok=True)

    def _path(self, image_id: str) -> Path:
        assert is_uuid(image_id), "an image's id is its file's name"
        return self._directory / image_id

    def _partial(self, image_id: str) -> Path:
        return self._path(image_id).with_suffix(_PARTIAL)

    async def _blocking(self, work: Callable[..., T], *args: Any) -> T:
        try:
            return await self._runtime.run_blocking(work, *args)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise StoreFull from error
            raise StoreBroken(reason=error.strerror or str(error)) from error


class _Writer:
    """Writes, hashes and inspects one content, piece by piece."""

    def __init__(self, path: Path, disk_format: str, size_max: int) -> None:
        self._file = path.open("wb")
        self._inspection = Inspection(disk_format)
        self._size_max = size_max
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha512 = hashlib.sha512()

    def write(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._size_max:
            raise TooLarge(limit=self._size_max)
        self._inspection.eat(piece)
        self._md5.update(piece)
        self._sha512.update(piece)
        self._file.write(piece)

    def finish(self) -> Content:
        virtual_size = self._inspection.virtual_size()
        self._file.flush()
        os.fsync(self._file.fileno())
        return Content(self._size, virtual_size, self._md5.hexdigest(), self._sha512.hexdigest())

    def close(self) -> None:
        self._file.close()


def _replace(old: Path, new: Path) -> None:
    """Rename, and make the directory remember it."""
    old.replace(new)
    directory = os.open(new.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
