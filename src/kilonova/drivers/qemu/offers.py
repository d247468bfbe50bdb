"""Cold migration: a stopped guest's files, offered to another host and received from one.

A QEMU without a machine serves the files as they are, read-only and confined like every other, at a Unix socket that nobody
but our own user reaches. It holds the guest's lock, so a guest runs or is offered and never both, and it outlives Kilonova as
guests do. The receiver takes the root disk as it is, and the base under it from its own image cache, or with the disk
where the image can't be had any more.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from kilonova.drivers.driver import ImageSource
from kilonova.drivers.qemu import command
from kilonova.drivers.qemu.guest_dir import TRANSFER, GuestRecord
from kilonova.drivers.qemu.guests import Guests
from kilonova.drivers.qemu.images import ImageCache, ImageRefused, image_name
from kilonova.drivers.qemu.machine import MachineFailure
from kilonova.drivers.qemu.nbd import nbd_read
from kilonova.drivers.qemu.process import process_alive
from kilonova.kernel.errors import KilonovaError
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestImage, GuestSpec, PowerState
from kilonova.runtime.runtime import Runtime

FILES_SOCKET = "files.sock"


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What the receiver has to know."""

    directory: str
    """Where the socket is."""
    files: tuple[str, ...]
    """Names of what is served: `command.DISK` and its kind."""
    base_format: str | None
    image_names: tuple[str, ...]
    """Of the cached images that the files are, without the disk."""


class Offers:
    """For the methods' meaning see `Driver`, whose names they have."""

    def __init__(self, guests: Guests) -> None:
        """Work on `guests`."""
        self._guests = guests

    async def offer(self, host: HostName, server_id: ServerId, generation: int) -> dict[str, Any]:
        """See `Driver.guest_offer`."""
        guests = self._guests
        async with guests.order(host, server_id, generation, "offer the guest's disks") as found:
            if await guests.machine(found).look() not in {PowerState.SHUTDOWN, PowerState.CRASHED}:
                raise MachineFailure("it isn't stopped")
            record = await guests.write(found, generation=generation, running=False, offered=True)
            offer = _offer_of(guests.dirs.path(server_id), record)
            if not process_alive(guests.dirs.path(server_id)):
                await guests.runtime.run_blocking(guests.dirs.transfer, record)
                await guests.machine(record).serve(guests.emulator, offer.files, f"{TRANSFER}/{FILES_SOCKET}")
            plain: dict[str, Any] = msgspec.to_builtins(offer)
            return plain

    async def offer_end(self, host: HostName, server_id: ServerId, generation: int) -> Guest | None:
        """See `Driver.guest_offer_end`."""
        guests, action = self._guests, "end the offer of the guest's disks"
        guests.check(host, server_id, action)
        if server_id not in guests.records:
            return None
        async with guests.order(host, server_id, generation, action) as found:
            if not found.offered:
                return await guests.shown_now(await guests.write(found, generation=generation))
            return await guests.end_and(found, run=False, generation=generation)

    async def receive(
        self, host: HostName, spec: GuestSpec, offer: Mapping[str, Any], images: ImageSource, *, run: bool
    ) -> Guest:
        """See `Driver.guest_receive`."""
        guests, action = self._guests, "receive the guest"
        guests.check(host, spec.server_id, action)
        async with guests.lock(spec.server_id):
            record = guests.records.get(spec.server_id)
            with guests.failures(action):
                if record is None:
                    told = msgspec.convert(offer, Offer)
                    received = Received(guests.runtime, guests.cache, told)
                    record = await guests.builder.build(
                        spec, images, guests.records.values(), run=False, received=received
                    )
                    guests.records[spec.server_id] = record
                guests.check_generation(record, spec.generation)
                record = await guests.write(record, generation=spec.generation)
                return await guests.run(record) if run else await guests.shown_now(record)


class Received:
    """The files of a guest that another host offers, on their way into a folder here."""

    def __init__(self, runtime: Runtime, cache: ImageCache, offer: Offer) -> None:
        """Take what `offer` tells, and from `cache` what can be had there."""
        self._runtime = runtime
        self._cache = cache
        self._offer = offer

    @property
    def base_format(self) -> str | None:
        """Of what lies under the disk."""
        return self._offer.base_format

    @property
    def uid(self) -> None:
        """The guest becomes a user of this host's."""

    async def fetch(self, folder: Path, spec: GuestSpec, images: ImageSource) -> list[str]:
        """Fill `folder`; the names of cached images that are used. Raises `OSError`."""
        names = []
        wanted = {command.BASE: spec.image, command.KERNEL: spec.kernel, command.RAMDISK: spec.ramdisk}
        for filename in self._offer.files:
            name = await self._linked(wanted.get(filename), images, folder / filename)
            if name is None:
                await self._copy(filename, folder / filename)
            else:
                names.append(name)
        return names

    async def _linked(self, image: GuestImage | None, images: ImageSource, target: Path) -> str | None:
        """Link an image from the cache, if it is what the guest was made from and can still be had; its name there."""
        try:
            if image is None or image_name(image) not in self._offer.image_names:
                return None
            return await self._cache.link(image, images, target)
        except (ImageRefused, KilonovaError):
            return None

    async def _copy(self, filename: str, target: Path) -> None:
        with target.open("wb") as file:
            try:
                async for piece in nbd_read(Path(self._offer.directory), FILES_SOCKET, filename):
                    await self._runtime.run_blocking(_write_piece, file, piece)
            except (FileNotFoundError, ConnectionError) as error:
                raise MachineFailure("the other host doesn't offer it any more") from error
            await self._runtime.run_blocking(file.truncate)


def _offer_of(directory: Path, record: GuestRecord) -> Offer:
    files = (command.DISK, command.BASE, command.KERNEL, command.RAMDISK)
    folder = directory / record.parts.folder
    return Offer(
        directory=str((directory / TRANSFER).absolute()),
        files=tuple(name for name in files if (folder / name).exists()),
        base_format=record.parts.base_format,
        image_names=record.parts.image_names,
    )


def _write_piece(file: BinaryIO, piece: bytes) -> None:
    """Write at the end; a piece of zeros becomes a hole."""
    if piece.count(0) == len(piece):
        file.seek(len(piece), os.SEEK_CUR)
    else:
        file.write(piece)
