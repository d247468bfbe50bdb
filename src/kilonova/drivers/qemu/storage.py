"""Storage that several hosts of this machine share: a directory where the newest disk of every guest lies, by server.

A guest's own directory and the storage hold the same files by hard links, so both lie on one file system. What lies here is the
disk of the host that ran the guest last, and says which host that is: only that host removes it. A host that takes a guest
over, because the other one is down or sends it here while it runs, links what lies here.
"""

import os
import shutil
from pathlib import Path

import msgspec

from kilonova.drivers.driver import ImageSource
from kilonova.drivers.qemu import command
from kilonova.drivers.qemu.durable import sync, write_synced
from kilonova.drivers.qemu.images import ImageCache
from kilonova.drivers.qemu.probe import Unusable
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import GuestSpec

_ID, _OWNER = "storage-id", "owner.json"
_FILES = (command.DISK, command.BASE)


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a guest's disk."""

    host: HostName
    """Which ran the guest last."""
    folder: str
    """Where the disk lies."""
    base_format: str | None


class Storage:
    """One such directory. Every method but `taken` blocks, and raises `OSError`."""

    def __init__(self, root: Path, cache: ImageCache, host: HostName) -> None:
        """Share `root`, as the host `host`, whose kernels and ramdisks come from `cache`."""
        self._root = root
        self._cache = cache
        self._host = host
        self.name = ""
        """Names the storage, the same for all hosts that share it."""

    def open(self, beside: Path, new_name: str) -> None:
        """Make it if it isn't there, under the name `new_name`. Raises `Unusable` unless it is on `beside`'s file system."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._root.stat().st_dev != beside.stat().st_dev:
            raise Unusable(f"the shared storage {self._root} must lie on the file system of {beside}")
        file, new = self._root / _ID, self._root / f"{_ID}.{new_name}"
        if not file.exists():
            write_synced(new, new_name.encode())
            try:
                os.link(new, file)  # of several hosts that do this at once, one is first
            except FileExistsError:
                pass
            finally:
                new.unlink()
        self.name = file.read_text(encoding="ascii")

    def keep(self, server_id: ServerId, parts: Path, base_format: str | None) -> None:
        """Have the disk in the folder `parts` here as the newest, and as this host's."""
        place = self._root / server_id
        owner = Owner(host=self._host, folder=f"{self._host}.{parts.name}", base_format=base_format)
        folder = place / owner.folder
        if self.owner(server_id) == owner and _same(folder / command.DISK, parts / command.DISK):
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        for name in _FILES:
            if (parts / name).exists():
                os.link(parts / name, folder / name)
        sync(folder)
        write_synced(place / f"{_OWNER}.new", msgspec.json.encode(owner))
        (place / f"{_OWNER}.new").rename(place / _OWNER)
        sync(place)
        for other in place.iterdir():
            if other.is_dir() and other != folder:
                shutil.rmtree(other)

    def owner(self, server_id: ServerId) -> Owner | None:
        """What is said of a guest's disk; None when there is none."""
        try:
            return msgspec.json.decode((self._root / server_id / _OWNER).read_bytes(), type=Owner)
        except FileNotFoundError:
            return None

    def drop(self, server_id: ServerId) -> None:
        """Remove a guest's disk, if it is this host's."""
        owner = self.owner(server_id)
        if owner is not None and owner.host == self._host:
            shutil.rmtree(self._root / server_id)

    def taken(self, server_id: ServerId) -> "Taken | None":
        """The disk of a guest, to be linked; None when there is none."""
        owner = self.owner(server_id)
        return Taken(self._root / server_id / owner.folder, owner, self._cache) if owner is not None else None


class Taken:
    """A disk from the storage. Implements `builder.Received`."""

    def __init__(self, folder: Path, owner: Owner, cache: ImageCache) -> None:
        """Use `Storage.taken`."""
        self._folder = folder
        self._cache = cache
        self.base_format = owner.base_format
        self.uid = (folder / command.DISK).stat().st_uid if os.geteuid() == 0 else None
        """The guest's user stays the same: two hosts have the disk open while the guest goes from one to the other."""

    async def fetch(self, folder: Path, spec: GuestSpec, images: ImageSource) -> list[str]:
        """See `Received.fetch`."""
        for name in _FILES:
            if (self._folder / name).exists():
                os.link(self._folder / name, folder / name)
        names = []
        for image, filename in ((spec.kernel, command.KERNEL), (spec.ramdisk, command.RAMDISK)):
            if image is not None:
                names.append(await self._cache.link(image, images, folder / filename))
        return names


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
