"""Putting a guest together: its directory with disk, kernel, config drive, and its own user and SSH port."""

import os
import socket
from collections.abc import Collection
from pathlib import Path

import msgspec

from kilonova.drivers.driver import ImageSource
from kilonova.drivers.qemu import command
from kilonova.drivers.qemu.config_drive import config_drive_iso
from kilonova.drivers.qemu.guest_dir import GuestDirs, GuestRecord
from kilonova.drivers.qemu.images import ImageCache, ImageRefused, Inspected, image_inspect
from kilonova.drivers.qemu.networking import ssh_nic
from kilonova.drivers.qemu.process import run_as
from kilonova.drivers.qemu.resources import GIB
from kilonova.drivers.qemu.user import uid_pick
from kilonova.objects.guest import GuestImage, GuestSpec
from kilonova.runtime.runtime import Runtime

_TOOL_TIMEOUT_S = 60.0


class GuestBuilder:
    """Makes the directories of new guests. Nothing is left of one that couldn't be finished."""

    def __init__(self, runtime: Runtime, dirs: GuestDirs, cache: ImageCache, image_tool: str) -> None:
        """Make them in `dirs`, from images of `cache`; `image_tool` is the path of `qemu-img`."""
        self._runtime = runtime
        self._dirs = dirs
        self._cache = cache
        self._image_tool = image_tool
        self._under_way: dict[str, GuestRecord] = {}

    async def build(self, spec: GuestSpec, images: ImageSource, others: Collection[GuestRecord]) -> GuestRecord:
        """Make the guest's directory; `others` are the guests whose user and port are not to be used again.

        Raises:
            ImageRefused: an image is not what was declared, unsafe, or larger than the disk.
            OSError, subprocess.SubprocessError: a file can't be made.
            ValueError: the config drive can't be made of these files.
        """
        record = self._record_new(spec, [*others, *self._under_way.values()])
        self._under_way[spec.server_id] = record
        try:
            directory = await self._runtime.run_blocking(self._dirs.making, spec.server_id)
            record = await self._link_images(record, directory, images)
            record = await self._runtime.run_blocking(self._finish, record, spec.config_drive, directory)
        except BaseException:
            self._dirs.abandon(spec.server_id)
            raise
        finally:
            del self._under_way[spec.server_id]
        return record

    def port_for(self, record: GuestRecord, others: Collection[GuestRecord]) -> int | None:
        """The guest's SSH port if nobody took it while the guest was off, else another one."""
        if record.ssh_port is None or port_free(record.ssh_port):
            return record.ssh_port
        return port_pick({other.ssh_port for other in (*others, *self._under_way.values())})

    def _record_new(self, spec: GuestSpec, others: Collection[GuestRecord]) -> GuestRecord:
        return GuestRecord(
            spec=msgspec.structs.replace(spec, config_drive={}),
            generation=spec.generation,
            running=True,
            rebooted=0,
            base_format=None,
            has_config_drive=bool(spec.config_drive),
            ssh_port=port_pick({other.ssh_port for other in others}) if ssh_nic(spec.nics) is not None else None,
            uid=uid_pick(other.uid for other in others),
            image_names=(),
        )

    async def _link_images(self, record: GuestRecord, directory: Path, images: ImageSource) -> GuestRecord:
        spec = record.spec
        parts = ((spec.image, command.BASE), (spec.kernel, command.KERNEL), (spec.ramdisk, command.RAMDISK))
        names: list[str] = []
        for image, filename in parts:
            if image is not None:
                names.append(await self._link_image(image, images, directory / filename))
        return msgspec.structs.replace(record, image_names=tuple(names))

    async def _link_image(self, image: GuestImage, images: ImageSource, target: Path) -> str:
        try:
            return await self._cache.link(image, images, target)
        except ImageRefused as error:
            raise ImageRefused(f"the image {image.id} was refused: {error}") from error

    def _finish(self, record: GuestRecord, config_drive: dict[str, bytes], directory: Path) -> GuestRecord:
        spec = record.spec
        base = image_inspect(directory / command.BASE, spec.image.disk_format) if spec.image else None
        if has_disk(spec):
            self._disk_create(directory, _disk_bytes(spec, base), base)
        if config_drive:
            (directory / command.CONFIG_DRIVE).write_bytes(config_drive_iso(config_drive))
        record = msgspec.structs.replace(record, base_format=base.driver if base else None)
        if record.uid is not None:
            _hand_over(directory, record.uid)
        self._dirs.made(record)
        return record

    def _disk_create(self, directory: Path, size: int, base: Inspected | None) -> None:
        """The overlay. With `-u` and a size, the tool never opens the base: only the confined QEMU will."""
        words = [self._image_tool, "create", "-q", "-f", "qcow2"]
        if base:
            words += ["-u", "-b", command.BASE, "-F", base.driver]
        words += [command.DISK, str(size)]
        done = run_as(words, directory, None, _TOOL_TIMEOUT_S)
        if done.returncode != 0:
            raise OSError(f"qemu-img could not make the disk: {done.stderr.strip()}")


def has_disk(spec: GuestSpec) -> bool:
    """Whether the guest has a root disk: it has an image for it, or a size."""
    return spec.image is not None or spec.disk_gb > 0


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


def _hand_over(directory: Path, uid: int) -> None:
    """Let the guest's user read its directory and write its disk, and nothing more."""
    os.chown(directory, 0, uid)
    directory.chmod(0o750)
    for name in (command.DISK, command.CONFIG_DRIVE):
        path = directory / name
        if path.exists():
            os.chown(path, uid if name == command.DISK else 0, uid)
            path.chmod(0o640)
