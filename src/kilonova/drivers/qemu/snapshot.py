"""A guest's root disk as the content of an image: copied as of one moment, while the guest goes on, and handed over."""

from collections.abc import AsyncIterator
from pathlib import Path

from kilonova.drivers.driver import ImageSink
from kilonova.drivers.qemu.command import OWN_NODE, ROOT_NODE
from kilonova.drivers.qemu.guest_dir import SNAPSHOT, GuestRecord
from kilonova.drivers.qemu.guests import Guests
from kilonova.drivers.qemu.images import image_inspect
from kilonova.drivers.qemu.jobs import job_end, job_wait
from kilonova.drivers.qemu.machine import MachineFailure
from kilonova.drivers.qemu.monitor import monitor_open
from kilonova.drivers.qemu.process import process_alive
from kilonova.drivers.qemu.user import guest_user
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest

_PIECE_BYTES = 1024 * 1024
_COPY, _RAW = f"{SNAPSHOT}.qcow2", f"{SNAPSHOT}.raw"


async def snapshot_store(
    guests: Guests,
    host: HostName,
    server_id: ServerId,
    generation: int,
    image_id: str,
    disk_format: str,
    sink: ImageSink,
) -> Guest:
    """See `Driver.guest_snapshot`."""
    async with guests.order(host, server_id, generation, "make an image of the guest's disk") as found:
        record = await guests.write(found, generation=generation)
        if record.stored_image == image_id:
            return await guests.shown_now(record)
        if not record.parts.disk:
            raise MachineFailure("it has no root disk of its own")
        if disk_format not in {"raw", "qcow2"}:
            raise MachineFailure(f"images of format {disk_format!r} can't be made here; raw and qcow2 can")
        try:
            path = await _copy(guests, record, disk_format)
            await sink.image_upload(image_id, _content(guests, path))
        finally:
            await guests.tidy(record)
        return await guests.shown_now(await guests.write(record, stored_image=image_id))


async def _copy(guests: Guests, record: GuestRecord, disk_format: str) -> Path:
    """The disk in a file that stands alone."""
    directory, user, tool = guests.dirs.path(record.server_id), guest_user(record.uid), guests.tool
    run = guests.runtime.run_blocking
    name = _RAW if disk_format == "raw" else _COPY
    if not process_alive(directory):
        await run(tool.flatten, directory, record.parts, name, disk_format, user)
    else:
        await _copy_running(guests, record)
        if disk_format == "raw":
            await run(tool.convert, directory, _COPY, _RAW, "raw", user)
    if disk_format == "qcow2":
        await run(image_inspect, directory / name, "qcow2")
    return directory / name


async def _copy_running(guests: Guests, record: GuestRecord) -> None:
    """Let QEMU copy what the disk is at this moment, while the guest writes on."""
    directory = guests.dirs.path(record.server_id)
    await job_end(guests.runtime, directory, SNAPSHOT)
    size = await guests.runtime.run_blocking(guests.tool.size, directory / record.parts.folder, guest_user(record.uid))
    await guests.runtime.run_blocking(guests.tool.blank, directory / _COPY, size, record.uid)
    root = OWN_NODE if record.rescue else ROOT_NODE
    file = {"driver": "file", "filename": _COPY}
    try:
        async with monitor_open(directory) as monitor:
            if SNAPSHOT in await monitor.nodes():
                await monitor.execute("blockdev-del", node_name=SNAPSHOT)
            await monitor.execute("blockdev-add", driver="qcow2", node_name=SNAPSHOT, file=file)
            await monitor.execute(
                "blockdev-backup", job_id=SNAPSHOT, device=root, target=SNAPSHOT, sync="full", auto_dismiss=False
            )
        await job_wait(guests.runtime, directory, SNAPSHOT)
    finally:
        await job_end(guests.runtime, directory, SNAPSHOT)
        async with monitor_open(directory) as monitor:
            if SNAPSHOT in await monitor.nodes():
                await monitor.execute("blockdev-del", node_name=SNAPSHOT)


async def _content(guests: Guests, path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await guests.runtime.run_blocking(file.read, _PIECE_BYTES):
            yield piece
