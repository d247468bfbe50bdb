"""Putting guests together: the files they start from, each set in a folder of its own, and a user and SSH port for each."""

import os
import shutil
import socket
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from kilonova.drivers.driver import ImageSource
from kilonova.drivers.qemu import command
from kilonova.drivers.qemu.config_drive import config_drive_iso
from kilonova.drivers.qemu.durable import sync
from kilonova.drivers.qemu.guest_dir import GuestDirs, GuestRecord, Parts, parts_folder
from kilonova.drivers.qemu.images import ImageCache, ImageRefused, Inspected, image_inspect
from kilonova.drivers.qemu.networking import ssh_nic
from kilonova.drivers.qemu.resources import GIB, Share
from kilonova.drivers.qemu.tool import ImageTool
from kilonova.drivers.qemu.user import guest_user, uid_pick
from kilonova.objects.guest import GuestImage, GuestNic, GuestSpec, GuestVolume
from kilonova.runtime.runtime import Runtime


class Received(Protocol):
    """Files of a guest that another host gives (`offers.py`)."""

    @property
    def base_format(self) -> str | None:
        """Of what lies under the disk."""

    @property
    def uid(self) -> int | None:
        """Whose the disk is; None for a new user of the guest's own."""

    async def fetch(self, folder: Path, spec: GuestSpec, images: ImageSource) -> list[str]:
        """Put them into `folder`; the names of cached images that are used. Raises `OSError`."""


class GuestBuilder:
    """Makes new guests, and new parts for those there are. Nothing is left of what couldn't be finished."""

    def __init__(self, runtime: Runtime, dirs: GuestDirs, cache: ImageCache, tool: ImageTool, share: Share) -> None:
        """Make them in `dirs`, from images of `cache`, with `tool`, for the host with this `share` of the machine."""
        self._share = share
        self._runtime = runtime
        self._dirs = dirs
        self._cache = cache
        self._tool = tool
        self._under_way: dict[str, GuestRecord] = {}

    async def build(
        self,
        spec: GuestSpec,
        images: ImageSource,
        others: Collection[GuestRecord],
        *,
        run: bool,
        incoming: bool = False,
        received: Received | None = None,
    ) -> GuestRecord:
        """Make the guest's directory; `others` are the guests whose user and port are not to be used again.

        Its memory comes from another host if it is `incoming`, and so do its files if they are `received`.

        Raises:
            ImageRefused: an image is not what was declared, unsafe, or larger than the disk.
            OSError, subprocess.SubprocessError: a file can't be made.
            ValueError: the config drive can't be made of these files, or there are too many cards and volumes.
        """
        record = self._record_new(spec, [*others, *self._under_way.values()], run=run, incoming=incoming)
        if received is not None and received.uid is not None:
            record = msgspec.structs.replace(record, uid=received.uid)
        self._under_way[spec.server_id] = record
        try:
            directory = await self._runtime.run_blocking(self._dirs.making, spec.server_id)
            folder = directory / record.parts.folder
            parts = await self._parts_fill(folder, spec, record.uid, images, received=received)
            record = msgspec.structs.replace(record, parts=parts)
            await self._runtime.run_blocking(self._finish, record, directory)
        except BaseException:
            self._dirs.abandon(spec.server_id)
            raise
        finally:
            del self._under_way[spec.server_id]
        return record

    async def parts_make(
        self, record: GuestRecord, spec: GuestSpec, folder: str, images: ImageSource, *, disk_of: Parts | None = None
    ) -> Parts:
        """Make a new set of parts for a guest that is there, with the root disk of `disk_of` if given; raises as `build`."""
        directory = self._dirs.path(record.server_id)
        return await self._parts_fill(directory / folder, spec, record.uid, images, disk_of=disk_of)

    async def parts_grow(self, record: GuestRecord, disk_gb: int, folder: str) -> Parts:
        """Make a copy of the guest's parts with its root disk grown to `disk_gb` GiB, 0 for as it is.

        Raises:
            OSError, subprocess.SubprocessError: it can't be made.
        """
        return await self._runtime.run_blocking(self._grow, record, disk_gb, folder)

    def port_for(self, record: GuestRecord, others: Collection[GuestRecord]) -> int | None:
        """The guest's SSH port if nobody took it while the guest was off, else another one."""
        if ssh_nic(record.spec.nics) is None or (record.ssh_port is not None and port_free(record.ssh_port)):
            return record.ssh_port
        return port_pick({other.ssh_port for other in (*others, *self._under_way.values())})

    def _record_new(
        self, spec: GuestSpec, others: Collection[GuestRecord], *, run: bool, incoming: bool
    ) -> GuestRecord:
        return GuestRecord(
            spec=msgspec.structs.replace(spec, config_drive={}),
            generation=spec.generation,
            running=run,
            rebooted=0,
            parts=_parts_empty(parts_folder(spec.generation)),
            ssh_port=port_pick({other.ssh_port for other in others}) if ssh_nic(spec.nics) is not None else None,
            uid=uid_pick((other.uid for other in others), self._share),
            slots=slots_for(spec.nics, spec.volumes, {}),
            incoming=incoming,
        )

    async def _parts_fill(
        self,
        folder: Path,
        spec: GuestSpec,
        uid: int | None,
        images: ImageSource,
        *,
        disk_of: Parts | None = None,
        received: Received | None = None,
    ) -> Parts:
        await self._runtime.run_blocking(_folder_new, folder)
        if received is not None:
            names = await received.fetch(folder, spec, images)
            parts = msgspec.structs.replace(_parts_empty(folder.name), image_names=tuple(names))
            return await self._runtime.run_blocking(self._fill_received, folder, parts, spec, uid, received)
        names = list(disk_of.image_names[:1]) if disk_of and disk_of.base_format else []
        image = None if disk_of else spec.image
        for found, filename in ((image, command.BASE), (spec.kernel, command.KERNEL), (spec.ramdisk, command.RAMDISK)):
            if found is not None:
                names.append(await self._link_image(found, images, folder / filename))
        parts = msgspec.structs.replace(_parts_empty(folder.name), image_names=tuple(names))
        return await self._runtime.run_blocking(self._fill, folder, parts, spec, uid, disk_of)

    async def _link_image(self, image: GuestImage, images: ImageSource, target: Path) -> str:
        try:
            return await self._cache.link(image, images, target)
        except ImageRefused as error:
            raise ImageRefused(f"the image {image.id} was refused: {error}") from error

    def _fill(self, folder: Path, parts: Parts, spec: GuestSpec, uid: int | None, disk_of: Parts | None) -> Parts:
        base_format = None
        if disk_of is not None:
            base_format = disk_of.base_format
            for name in (command.DISK, command.BASE):
                if (folder.parent / disk_of.folder / name).exists():
                    os.link(folder.parent / disk_of.folder / name, folder / name)
        elif has_disk(spec):
            base = image_inspect(folder / command.BASE, spec.image.disk_format) if spec.image else None
            base_format = base.driver if base else None
            self._tool.overlay(folder, _disk_bytes(spec, base), base_format)
        return _completed(folder, parts, spec, uid, base_format)

    def _fill_received(self, folder: Path, parts: Parts, spec: GuestSpec, uid: int | None, received: Received) -> Parts:
        parts = _completed(folder, parts, spec, uid, received.base_format)
        if parts.disk and spec.disk_gb:
            self._tool.grow(folder, spec.disk_gb * GIB, guest_user(uid))
            sync(folder / command.DISK)
        return parts

    def _finish(self, record: GuestRecord, directory: Path) -> None:
        if record.uid is not None:
            os.chown(directory, 0, record.uid)
            directory.chmod(0o750)
        self._dirs.made(record)

    def _grow(self, record: GuestRecord, disk_gb: int, name: str) -> Parts:
        directory = self._dirs.path(record.server_id)
        old, new = directory / record.parts.folder, directory / name
        _folder_new(new)
        for part in (command.BASE, command.KERNEL, command.RAMDISK, command.CONFIG_DRIVE):
            if (old / part).exists():
                os.link(old / part, new / part)
        if record.parts.disk:
            self._tool.copy(old / command.DISK, new / command.DISK)
        _hand_over(new, record.uid)
        if record.parts.disk and disk_gb:
            self._tool.grow(new, disk_gb * GIB, guest_user(record.uid))
            sync(new / command.DISK)
        return msgspec.structs.replace(record.parts, folder=name)


def has_disk(spec: GuestSpec) -> bool:
    """Whether the guest has a root disk of its own: an image for it or a size, and no volume to boot from."""
    return (spec.image is not None or spec.disk_gb > 0) and not any(volume.boot for volume in spec.volumes)


def slots_for(nics: Collection[GuestNic], volumes: Collection[GuestVolume], slots: Mapping[str, int]) -> dict[str, int]:
    """A socket for each card and volume; those that have one keep it. Raises `ValueError` when there are not enough."""
    ids = [*(nic.port_id for nic in nics), *(volume.volume_id for volume in volumes if not volume.boot)]
    free = [slot for slot in range(command.SOCKETS) if slot not in {slots.get(name) for name in ids}]
    new = [name for name in ids if name not in slots]
    if len(new) > len(free):
        raise ValueError(f"a guest has {command.SOCKETS} sockets for cards and volumes, and all are in use")
    return {name: slots[name] for name in ids if name in slots} | dict(zip(new, free, strict=False))


def port_pick(taken: Collection[int | None]) -> int:
    """A loopback TCP port that nobody listens on and no other guest has."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port


def port_free(port: int) -> bool:
    """Whether a guest could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _disk_bytes(spec: GuestSpec, base: Inspected | None) -> int:
    wanted = spec.disk_gb * GIB
    if base is None:
        return wanted
    if wanted and base.virtual_size > wanted:
        needed = -(-base.virtual_size // GIB)
        raise ImageRefused(f"the image needs a disk of {needed} GiB, and the flavor gives {spec.disk_gb} GiB")
    return wanted or base.virtual_size


def _completed(folder: Path, parts: Parts, spec: GuestSpec, uid: int | None, base_format: str | None) -> Parts:
    """Put the rest into a folder that has its disk; what is there now."""
    if spec.config_drive:
        (folder / command.CONFIG_DRIVE).write_bytes(config_drive_iso(spec.config_drive))
    _hand_over(folder, uid)
    return msgspec.structs.replace(
        parts,
        disk=(folder / command.DISK).exists(),
        base_format=base_format,
        kernel=(folder / command.KERNEL).exists(),
        ramdisk=(folder / command.RAMDISK).exists(),
        cmdline=spec.cmdline,
        config_drive=bool(spec.config_drive),
    )


def _parts_empty(folder: str) -> Parts:
    return Parts(
        folder=folder,
        disk=False,
        base_format=None,
        kernel=False,
        ramdisk=False,
        cmdline="",
        config_drive=False,
        image_names=(),
    )


def _folder_new(folder: Path) -> None:
    """Half-made ones of before are begun anew."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)


def _hand_over(folder: Path, uid: int | None) -> None:
    """Let the guest's user read its parts and write its disk, and nothing more; then wait until all is on disk."""
    if uid is not None:
        os.chown(folder, 0, uid)
        folder.chmod(0o750)
        for name in (command.DISK, command.CONFIG_DRIVE):
            path = folder / name
            if path.exists():
                os.chown(path, uid if name == command.DISK else 0, uid)
                path.chmod(0o640)
    for path in sorted(folder.iterdir()):
        sync(path)
    sync(folder)
    sync(folder.parent)
