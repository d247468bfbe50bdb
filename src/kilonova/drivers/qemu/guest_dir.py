"""Guests on disk: a directory each, which is there whole or not at all.

`guest.json` is written to a new file, synced and renamed; a new guest's directory is filled under another name and renamed;
an old one is renamed before it is emptied. Whatever has one of those other names after a crash is rubbish.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from kilonova.drivers.qemu.durable import sync, write_synced
from kilonova.kernel.ids import ServerId
from kilonova.objects.guest import GuestSpec

RECORD = "guest.json"
_MAKING = ".making"
_REMOVING = ".removing"


class GuestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a guest."""

    spec: GuestSpec
    """What it was made from, without the content of its config drive."""
    generation: int
    """Of the newest order about this guest."""
    running: bool
    """Whether it shall run. A guest that shall and doesn't has crashed."""
    rebooted: int
    """The generation of the newest reboot that was done; 0 before the first."""
    base_format: str | None
    has_config_drive: bool
    ssh_port: int | None
    uid: int | None
    image_names: tuple[str, ...]
    """Of the cached images that it uses."""

    @property
    def server_id(self) -> ServerId:
        """The server that this guest is."""
        return self.spec.server_id


class GuestDirs:
    """The directories of all guests of one host."""

    def __init__(self, root: Path) -> None:
        """Keep them below `root`, which exists."""
        self._root = root

    def path(self, server_id: ServerId) -> Path:
        """The directory of a guest."""
        return self._root / server_id

    def records(self) -> Iterator[GuestRecord]:
        """Every guest there is, by id.

        Raises:
            OSError: a record can't be read.
            ValueError: a record isn't one.
        """
        for directory in sorted(self._root.iterdir()):
            if not directory.suffix:
                yield _read(directory / RECORD)

    def clean(self) -> None:
        """Remove what unfinished work left behind, when nothing is under way."""
        for directory in self._root.iterdir():
            if directory.suffix in {_MAKING, _REMOVING}:
                shutil.rmtree(directory)

    def making(self, server_id: ServerId) -> Path:
        """A new, empty directory, in which a guest is put together until `made`."""
        directory = self._root / f"{server_id}{_MAKING}"
        self.abandon(server_id)
        directory.mkdir(mode=0o700)
        return directory

    def made(self, record: GuestRecord) -> None:
        """The guest is complete: from now on it is there."""
        directory = self._root / f"{record.server_id}{_MAKING}"
        write_synced(directory / RECORD, msgspec.json.encode(record))
        for path in sorted(directory.iterdir()):
            sync(path)
        sync(directory)
        directory.rename(self.path(record.server_id))
        sync(self._root)

    def abandon(self, server_id: ServerId) -> None:
        """Remove what `making` began."""
        shutil.rmtree(self._root / f"{server_id}{_MAKING}", ignore_errors=True)

    def write(self, record: GuestRecord) -> None:
        """Replace what is remembered of a guest."""
        directory = self.path(record.server_id)
        new = directory / f"{RECORD}.new"
        write_synced(new, msgspec.json.encode(record))
        new.rename(directory / RECORD)
        sync(directory)

    def remove(self, server_id: ServerId) -> None:
        """Remove a guest's directory, if it is there."""
        rubbish = self._root / f"{server_id}{_REMOVING}"
        shutil.rmtree(rubbish, ignore_errors=True)
        if self.path(server_id).exists():
            self.path(server_id).rename(rubbish)
            sync(self._root)
            shutil.rmtree(rubbish)


def _read(path: Path) -> GuestRecord:
    try:
        return msgspec.json.decode(path.read_bytes(), type=GuestRecord)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
