"""Guests on disk: a directory each, which is there whole or not at all.

`guest.json` is written to a new file, synced and renamed; a new guest's directory is filled under another name and renamed;
an old one is renamed before it is emptied. Whatever has one of those other names after a crash is rubbish.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from kilonova.drivers.qemu.durable import sync, write_synced
from kilonova.kernel.ids import ServerId
from kilonova.objects.guest import GuestSpec

RECORD = "guest.json"
MEMORY = "memory"
"""What a suspended guest's memory is written to."""
SNAPSHOT = "snapshot"
"""A copy of the root disk on its way to the image service, and how the names of its helpers begin."""
TRANSFER = "transfer"
"""The folder for sockets by which the guest goes to another host or comes from one; its user may write there."""
ABORT, FORCE = "migration-abort", "migration-force"
"""Empty files that say what was asked of the migration under way."""
CONSOLE_BEFORE = "console.before"
"""What the console printed on the host that the guest came from."""
_MAKING = ".making"
_REMOVING = ".removing"
_PARTS, _RESCUE = "parts-", "rescue-"
_OWN_FOLDER = "."
"""The folder of a guest that 0.1.0 made: its directory itself."""
_OWN_FILES = frozenset({"disk.qcow2", "base", "kernel", "ramdisk", "config.iso"})
"""What 0.1.0 put there."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """A set of files that a guest starts from, in a folder of its own, so that one word in the record exchanges all."""

    folder: str
    """Its name in the guest's directory."""
    disk: bool
    """Whether it has a root disk."""
    base_format: str | None
    """Format of the file `base` under the root disk; None when the disk stands alone."""
    kernel: bool
    ramdisk: bool
    cmdline: str
    config_drive: bool
    image_names: tuple[str, ...]
    """Of the cached images that it uses."""


class Rescue(msgspec.Struct, frozen=True, kw_only=True):
    """What a rescued guest runs from meanwhile."""

    generation: int
    """Of the order to rescue it."""
    parts: Parts


class BeforeResize(msgspec.Struct, frozen=True, kw_only=True):
    """What a resized guest was, until the resize is confirmed."""

    spec: GuestSpec
    parts: Parts


class GuestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a guest."""

    spec: GuestSpec
    """What it is made from, without the content of its config drive. Its cards and volumes are those it has now."""
    generation: int
    """Of the newest order about this guest."""
    running: bool
    """Whether it shall run. A guest that shall and doesn't has crashed."""
    rebooted: int
    """The generation of the newest reboot that was done; 0 before the first."""
    parts: Parts
    ssh_port: int | None
    uid: int | None
    slots: dict[str, int]
    """Where cards and volumes are plugged in: the number of the socket by port id or volume id."""
    paused: bool = False
    """Whether its processors shall stand still."""
    suspended: bool = False
    """Whether its memory lies in the file `memory`, complete, and the guest shall be off."""
    rescue: Rescue | None = None
    before_resize: BeforeResize | None = None
    stored_image: str | None = None
    """The image that the newest snapshot was stored as."""
    offered: bool = False
    """Whether another host may read its files; it is off then."""
    incoming: bool = False
    """Whether it has been made ready for its memory, and hasn't been taken as this host's own yet."""
    migrating: bool = False
    """Whether its memory may be on the way to another host."""
    moved: int | None = None
    """The generation of the order that moved it to another host. It must not run here any more."""
    old_machine: bool = False
    """Whether its QEMU, if it runs, was started by 0.1.0: nothing can be plugged into it, and its memory fits no other."""

    @property
    def server_id(self) -> ServerId:
        """The server that this guest is."""
        return self.spec.server_id

    @property
    def image_names(self) -> tuple[str, ...]:
        """Of the cached images that it uses."""
        return tuple(name for parts in self.parts_all for name in parts.image_names)

    @property
    def parts_all(self) -> tuple[Parts, ...]:
        """Every set of files that is still of use."""
        rescue = (self.rescue.parts,) if self.rescue else ()
        before = (self.before_resize.parts,) if self.before_resize else ()
        return (self.parts, *rescue, *before)


class _Record010(msgspec.Struct, frozen=True, kw_only=True):
    """What 0.1.0 remembered of a guest."""

    spec: GuestSpec
    generation: int
    running: bool
    rebooted: int
    base_format: str | None
    has_config_drive: bool
    ssh_port: int | None
    uid: int | None
    image_names: tuple[str, ...]

    def newest(self) -> GuestRecord:
        """The same in today's shape."""
        spec = self.spec
        parts = Parts(
            folder=_OWN_FOLDER,
            disk=spec.image is not None or spec.disk_gb > 0,
            base_format=self.base_format,
            kernel=spec.kernel is not None,
            ramdisk=spec.ramdisk is not None,
            cmdline=spec.cmdline,
            config_drive=self.has_config_drive,
            image_names=self.image_names,
        )
        return GuestRecord(
            spec=spec,
            generation=self.generation,
            running=self.running,
            rebooted=self.rebooted,
            parts=parts,
            ssh_port=self.ssh_port,
            uid=self.uid,
            slots={nic.port_id: slot for slot, nic in enumerate(spec.nics)},
            old_machine=True,
        )


def parts_folder(generation: int) -> str:
    """The name of the folder for a guest's files as an order of this generation makes them."""
    return f"{_PARTS}{generation}"


def rescue_folder(generation: int) -> str:
    """The name of the folder for a rescue's files."""
    return f"{_RESCUE}{generation}"


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
        sync(directory / RECORD)
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

    def tidy(self, record: GuestRecord) -> None:
        """Remove what the guest has no use for any more, or what unfinished work left behind, when none is under way."""
        used = {parts.folder for parts in record.parts_all} | ({MEMORY} if record.suspended else set())
        if not record.offered and not record.incoming:
            shutil.rmtree(self.path(record.server_id) / TRANSFER, ignore_errors=True)
        for path in self.path(record.server_id).iterdir():
            if path.name in used:
                continue
            if path.name.startswith((_PARTS, _RESCUE)):
                shutil.rmtree(path)
            elif path.name.startswith((MEMORY, SNAPSHOT)) or (path.name in _OWN_FILES and _OWN_FOLDER not in used):
                path.unlink()

    def transfer(self, record: GuestRecord) -> Path:
        """The folder for sockets, new and empty, for the guest's user alone."""
        folder = self.path(record.server_id) / TRANSFER
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        if record.uid is not None:
            os.chown(folder, record.uid, record.uid)
        return folder

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
        content = path.read_bytes()
        if "parts" in msgspec.json.decode(content, type=dict[str, msgspec.Raw]):
            return msgspec.json.decode(content, type=GuestRecord)
        return msgspec.json.decode(content, type=_Record010).newest()
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
