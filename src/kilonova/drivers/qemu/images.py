"""The cache of base images: each one fetched once, verified, inspected before any tool opens it, and removed when unused.

A guest that uses an image holds a hard link to it. So the number of links says whether it is in use, whatever crashed when,
and the modification time says when it last was.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from kilonova.drivers.driver import ImageSource
from kilonova.drivers.qemu.durable import sync
from kilonova.objects.guest import GuestImage
from kilonova.runtime.runtime import Runtime

_PART = ".part"
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SHA512 = re.compile(r"[0-9a-f]{128}")
_DIGEST_IN_NAME = 16

_DETECTED_AS = {
    "raw": ("raw", "gpt"),
    "ami": ("raw", "gpt"),
    "qcow2": ("qcow2",),
    "aki": ("raw", "gpt"),
    "ari": ("raw",),
}
"""What the inspector may say of each declared format. A disk with a partition table is `gpt` to it, and so is a Linux
kernel, which begins with a boot sector."""


class ImageRefused(Exception):
    """The content of an image is not what was declared, or not safe to open; the argument says what is wrong."""


class Inspected(msgspec.Struct, frozen=True):
    """What the inspector found."""

    driver: str
    """QEMU's block driver for it: `raw` or `qcow2`."""
    virtual_size: int
    """Bytes of the disk that it describes."""


class ImageCache:
    """Verified images in one directory, by image id and content."""

    def __init__(self, runtime: Runtime, directory: Path) -> None:
        """Keep them in `directory`, which exists."""
        self._runtime = runtime
        self._directory = directory
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def clean_parts(self) -> None:
        """Remove what interrupted downloads left behind, when none is under way."""
        for path in self._directory.glob(f"*{_PART}"):
            path.unlink()

    async def link(self, image: GuestImage, source: ImageSource, target: Path) -> str:
        """Make `target` a hard link to the verified content, which is fetched when the cache lacks it; its name here.

        Raises:
            ImageRefused: the content is not what was declared, or unsafe.
            OSError: it can't be written, e.g. the disk is full.
        """
        name = image_name(image)
        async with self._lock(name):
            os.link(await self._ensure(name, image, source), target)
        return name

    async def fetch(self, image: GuestImage, source: ImageSource) -> None:
        """Have the verified content here, for guests to come. Raises as `link`."""
        name = image_name(image)
        async with self._lock(name):
            await self._ensure(name, image, source)

    async def cached(self) -> list[str]:
        """Ids of the images that are here."""
        return sorted({_image_id(path.name) for path in self._complete()})

    async def clean(self, unused_for_s: float) -> list[str]:
        """Remove images that no guest holds and that none used for `unused_for_s` seconds; the ids removed."""
        removed = []
        for path in self._complete():
            async with self._lock(path.name):
                status = path.stat()
                if status.st_nlink == 1 and status.st_mtime <= self._runtime.now() - unused_for_s:
                    path.unlink()
                    removed.append(_image_id(path.name))
        return removed

    def used(self, names: Sequence[str]) -> None:
        """Note that these were in use until now."""
        for name in names:
            if (self._directory / name).exists():
                os.utime(self._directory / name, (self._runtime.now(),) * 2)

    def _complete(self) -> list[Path]:
        return sorted(path for path in self._directory.iterdir() if path.suffix != _PART)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    async def _ensure(self, name: str, image: GuestImage, source: ImageSource) -> Path:
        """Its file, fetched when it is lacking, and used now."""
        path = self._directory / name
        if not path.exists():
            await self._fetch(image, source, path)
        os.utime(path, (self._runtime.now(),) * 2)
        return path

    async def _fetch(self, image: GuestImage, source: ImageSource, path: Path) -> None:
        part = path.with_name(path.name + _PART)
        download = await self._runtime.run_blocking(_Download, part, image)
        try:
            async for piece in source.image_content(image):
                await self._runtime.run_blocking(download.write, piece)
            await self._runtime.run_blocking(download.finish)
            await self._runtime.run_blocking(image_inspect, part, image.disk_format)
            part.rename(path)
            await self._runtime.run_blocking(sync, self._directory)
        finally:
            download.close()
            part.unlink(missing_ok=True)


def image_name(image: GuestImage) -> str:
    """The name of an image's file: its id, and enough of its checksum to tell contents apart.

    Raises:
        ImageRefused: the id can't be a file's name, or the checksum isn't SHA-512.
    """
    if not _SAFE_ID.fullmatch(image.id):
        raise ImageRefused(f"{image.id!r} can't be an image's id")
    if not _SHA512.fullmatch(image.sha512):
        raise ImageRefused(f"the image {image.id} has no SHA-512 checksum")
    return f"{image.id}.{image.sha512[:_DIGEST_IN_NAME]}"


def image_inspect(path: Path, declared: str) -> Inspected:
    """Look at a file's content before any tool opens it.

    Raises:
        ImageRefused: it is not in the declared format, or reaches for other files.
    """
    from oslo_utils.imageutils import format_inspector  # noqa: PLC0415  costs 100 ms and 15 MB

    if declared not in _DETECTED_AS:
        raise ImageRefused(f"images of format {declared} can't be used here; raw and qcow2 can")
    try:
        found = format_inspector.detect_file_format(str(path))
    except format_inspector.ImageFormatError as error:
        raise ImageRefused(f"it is in several formats at once ({error})") from error
    detected = str(found)
    if found is None or detected not in _DETECTED_AS[declared]:
        raise ImageRefused(f"it was declared as {declared} and is {detected}")
    if declared != "qcow2":
        return Inspected("raw", path.stat().st_size)
    try:
        found.safety_check()
    except format_inspector.SafetyCheckFailed as error:
        reasons = "; ".join(str(failure) for failure in error.failures.values())
        raise ImageRefused(f"it is not safe to open ({reasons})") from error
    return Inspected("qcow2", found.virtual_size)


class _Download:
    """A file that grows by pieces, with its checksum; blocks of zeros become holes."""

    def __init__(self, path: Path, image: GuestImage) -> None:
        self._image = image
        self._digest = hashlib.sha512()
        self._size = 0
        self._file = path.open("wb")

    def write(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._image.size:
            raise ImageRefused(f"it is larger than the {self._image.size} bytes that were declared")
        self._digest.update(piece)
        if piece.count(0) == len(piece):
            self._file.seek(len(piece), os.SEEK_CUR)
        else:
            self._file.write(piece)

    def finish(self) -> None:
        if self._size != self._image.size:
            raise ImageRefused(f"it ended after {self._size} of the {self._image.size} bytes that were declared")
        if self._digest.hexdigest() != self._image.sha512:
            raise ImageRefused("its content doesn't have the checksum that the image service declared")
        self._file.truncate(self._size)
        self._file.flush()
        os.fchmod(self._file.fileno(), 0o444)
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _image_id(name: str) -> str:
    return name.rpartition(".")[0]
