"""Live migration: a guest that runs goes to another host of this machine, disk and memory, and goes on there.

The receiver starts a QEMU that waits: for blocks, at a socket by which the sender may write to its disk, and for memory at
another. The sender's QEMU mirrors its disk until both are the same, sends the memory while the guest runs on, and stops before
it hands over: then we end the mirror and say "go on". So nothing is handed over that nobody attends to, and after that word
QEMU alone decides, with the receiver's own answer: either the guest runs there and is stopped here, or it goes on here.

Sockets lie where only our own user and the guest's may reach them. We connect, and give QEMU the connection.
"""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from kilonova.drivers.driver import ImageSource, MigrationAborted
from kilonova.drivers.qemu.command import ROOT_NODE
from kilonova.drivers.qemu.console import ConsoleLog
from kilonova.drivers.qemu.guest_dir import ABORT, CONSOLE_BEFORE, FORCE, TRANSFER, GuestRecord
from kilonova.drivers.qemu.guests import Guests, check_machine
from kilonova.drivers.qemu.machine import MachineFailure
from kilonova.drivers.qemu.monitor import Monitor, MonitorRefused, MonitorUnreachable, monitor_open
from kilonova.drivers.qemu.process import process_alive
from kilonova.drivers.qemu.sockets import socket_connect
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestSpec, PowerState

DISK_SOCKET, MEMORY_SOCKET = "disk.sock", "memory.sock"
JOB, TARGET = "migration", "migration-target"
LOOK_EVERY_S = 0.1
CANCEL_S = 30.0
"""How long a migration may take to end after it was told to."""
FORCED_DOWNTIME_MS = 2_000_000
"""The longest pause that QEMU knows: with it, the next round is the last."""
_CAPABILITIES = ("auto-converge", "pause-before-switchover", "return-path")
_OVER = (None, "none", "completed", "failed", "cancelled")


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """What the sender has to know."""

    directory: str
    """Of the guest there; the sockets are in its folder `TRANSFER`."""
    slots: dict[str, int]
    """Where cards and volumes are plugged in; the sender's must be the same, for memory knows them by their place."""


class Migration:
    """For the methods' meaning see `Driver`, whose names they have."""

    def __init__(self, guests: Guests, bytes_a_second: int) -> None:
        """Work on `guests`; memory is sent at this rate at most."""
        self._guests = guests
        self._bytes_a_second = bytes_a_second

    async def incoming(self, host: HostName, spec: GuestSpec, images: ImageSource, *, shared: bool) -> dict[str, Any]:
        """See `Driver.guest_incoming`."""
        guests, action = self._guests, "make ready for the guest"
        guests.check(host, spec.server_id, action)
        async with guests.lock(spec.server_id):
            with guests.failures(action):
                record = guests.records.get(spec.server_id)
                if record is not None:
                    guests.check_generation(record, spec.generation)
                    if not await self._waits(record, spec.generation):
                        await self._make_room(record)
                        record = None
                if record is None:
                    record = await self._made_ready(spec, images, shared=shared)
                directory = guests.dirs.path(spec.server_id).absolute()
                plain: dict[str, Any] = msgspec.to_builtins(Incoming(directory=str(directory), slots=record.slots))
                return plain

    async def _waits(self, record: GuestRecord, generation: int) -> bool:
        """Whether the guest waits for its memory since an order of this generation."""
        if not record.incoming or record.generation != generation:
            return False
        directory = self._guests.dirs.path(record.server_id)
        try:
            async with monitor_open(directory) as monitor:
                return await monitor.status() == "inmigrate" and (directory / TRANSFER / MEMORY_SOCKET).exists()
        except MonitorUnreachable:
            return False

    async def _make_room(self, record: GuestRecord) -> None:
        """Remove what an earlier move has left here: a guest that never came, or went away."""
        if not record.incoming and record.moved is None:
            raise MachineFailure("such a guest is there already")
        await self._guests.remove(record, keep_disks=True)

    async def _made_ready(self, spec: GuestSpec, images: ImageSource, *, shared: bool) -> GuestRecord:
        guests = self._guests
        others = guests.records.values()
        disk = guests.storage.taken(spec.server_id) if shared and guests.storage else None
        if shared and disk is None:
            raise MachineFailure("its disks aren't seen from here")
        record = await guests.builder.build(spec, images, others, run=False, incoming=True, received=disk)
        guests.records[spec.server_id] = record
        try:
            await guests.runtime.run_blocking(guests.dirs.transfer, record)
            await guests.machine(record).launch(guests.emulator, guests.volumes)
            async with monitor_open(guests.dirs.path(spec.server_id)) as monitor:
                if record.parts.disk and not shared:
                    await monitor.nbd_serve(f"{TRANSFER}/{DISK_SOCKET}")
                    await monitor.nbd_export(ROOT_NODE, ROOT_NODE, writable=True)
                await _capabilities(monitor, "return-path")
                await monitor.execute("migrate-incoming", uri=f"unix:{TRANSFER}/{MEMORY_SOCKET}")
        except BaseException:
            await guests.remove(record, keep_disks=True)
            raise
        return record

    async def arrived(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_arrived`."""
        guests = self._guests
        async with guests.order(host, server_id, generation, "take the guest that was migrated") as found:
            record = await guests.write(found, generation=generation)
            if record.incoming:
                if await guests.machine(record).look() is PowerState.NOSTATE:
                    raise MachineFailure("it has not arrived")
                await self._doors_close(record)
                await guests.keep(record)
                await guests.runtime.run_blocking(_console_join, guests.dirs.path(server_id))
                record = await guests.write(record, incoming=False, running=True)
                await guests.tidy(record)
            return await guests.shown_now(record)

    async def _doors_close(self, record: GuestRecord) -> None:
        directory = self._guests.dirs.path(record.server_id)
        if not process_alive(directory):
            return  # it came and crashed
        async with monitor_open(directory) as monitor:
            try:
                await monitor.execute("nbd-server-stop")
            except MonitorRefused:
                return  # its disk needed no copy, or this is a repetition

    async def migrate(
        self, host: HostName, server_id: ServerId, generation: int, incoming: Mapping[str, Any], *, shared: bool
    ) -> None:
        """See `Driver.guest_migrate`."""
        guests = self._guests
        there = msgspec.convert(incoming, Incoming)
        if server_id not in guests.records and _has_come(Path(there.directory)):
            return
        async with guests.order(host, server_id, generation, "migrate the guest") as found:
            directory = guests.dirs.path(server_id)
            if found.moved is None:
                if found.generation < generation:
                    _forget(directory)
                record = await guests.write(found, generation=generation)
                await _Sending(guests, record, there, self._bytes_a_second, shared=shared).run()
                _forget(directory)
                record = guests.records[server_id]
                await guests.write(record, moved=generation, migrating=False, running=False)
            await guests.machine(guests.records[server_id]).end()
            await guests.runtime.run_blocking(_console_give, directory, Path(there.directory))

    async def abort(self, host: HostName, server_id: ServerId) -> None:
        """See `Driver.guest_migrate_abort`."""
        self._guests.check(host, server_id, "abort the migration")
        self._guests.migration_ask(server_id, ABORT)

    async def force(self, host: HostName, server_id: ServerId) -> None:
        """See `Driver.guest_migrate_force`."""
        self._guests.check(host, server_id, "force the migration")
        self._guests.migration_ask(server_id, FORCE)


class _Sending:
    """One migration, on the sender's side. After a restart it goes on where QEMU is."""

    def __init__(
        self, guests: Guests, record: GuestRecord, there: Incoming, bytes_a_second: int, *, shared: bool
    ) -> None:
        self._guests = guests
        self._record = record
        self._there = Path(there.directory) / TRANSFER
        self._slots_there = there.slots
        self._bytes_a_second = bytes_a_second
        self._mirrors = record.parts.disk and not shared
        self._directory = guests.dirs.path(record.server_id)
        self._runtime = guests.runtime

    async def run(self) -> None:
        """Let the guest move; when this returns it runs there.

        Raises:
            MigrationAborted: that was asked for; the guest runs here.
            MachineFailure, MonitorUnreachable, OSError: it runs here.
        """
        machine = self._guests.machine(self._record)
        if self._record.migrating and await machine.migration_status() == "completed":
            return
        await self._check()
        self._record = await self._guests.write(self._record, migrating=True)
        try:
            if await machine.migration_status() in _OVER:
                await self._begin()
            await self._attend()
        except asyncio.CancelledError:
            await self._give_up()
            raise
        except (MachineFailure, MonitorUnreachable, OSError) as error:
            if await self._give_up():
                if (self._directory / ABORT).exists():
                    raise MigrationAborted(server_id=self._record.server_id, host=self._guests.host) from error
                raise

    async def _check(self) -> None:
        record = self._record
        if await self._guests.machine(record).look() not in {PowerState.RUNNING, PowerState.PAUSED}:
            raise MachineFailure("it doesn't run")
        if record.rescue is not None:
            raise MachineFailure("it is being rescued")
        check_machine(record)
        if self._slots_there != record.slots:
            raise MachineFailure(
                "its cards and volumes were plugged in and out, and sit elsewhere than they would there; "
                "stop it, and migrate it cold"
            )

    async def _begin(self) -> None:
        if self._mirrors:
            await self._mirror()
        async with monitor_open(self._directory) as monitor:
            await _capabilities(monitor, *_CAPABILITIES)
            await monitor.execute("migrate-set-parameters", max_bandwidth=self._bytes_a_second)
            with await self._connected(MEMORY_SOCKET) as connection:
                await monitor.descriptor_named(connection.fileno(), MEMORY_SOCKET)
            await monitor.execute("migrate", uri=f"fd:{MEMORY_SOCKET}")

    async def _mirror(self) -> None:
        """Copy the disk, without what lies beneath it, and let every write go to both from now on."""
        async with monitor_open(self._directory) as monitor:
            if await monitor.job(JOB) is None:
                with await self._connected(DISK_SOCKET) as connection:
                    await monitor.descriptor_named(connection.fileno(), DISK_SOCKET)
                server = {"type": "fd", "str": DISK_SOCKET}
                await monitor.execute("blockdev-add", driver="nbd", node_name=TARGET, export=ROOT_NODE, server=server)
                arguments = {"job-id": JOB, "device": ROOT_NODE, "target": TARGET, "sync": "top"}
                arguments |= {"copy-mode": "write-blocking"}
                await monitor.execute_with("blockdev-mirror", {**arguments, "auto-dismiss": False})
        await self._job_until("ready")

    async def _connected(self, name: str) -> socket.socket:
        try:
            return await socket_connect(self._there, name)
        except OSError as error:
            raise MachineFailure("the other host isn't ready for it") from error

    async def _attend(self) -> None:
        """Stay with the migration until it is done."""
        while True:
            if (self._directory / ABORT).exists():
                raise MachineFailure("its migration was aborted")
            progress = await self._progress()
            status = progress.get("status")
            if status == "completed":
                return
            if status in _OVER:
                raise MachineFailure(f"its memory could not be sent: {progress.get('error-desc', 'QEMU gave up')}")
            if status == "pre-switchover":
                await self._hand_over()
            await self._runtime.sleep(LOOK_EVERY_S)

    async def _progress(self) -> dict[str, Any]:
        """What QEMU says of the migration. One that is busy with it is asked again."""
        patience = self._runtime.monotonic() + CANCEL_S
        while True:
            try:
                async with monitor_open(self._directory) as monitor:
                    if (self._directory / FORCE).exists():
                        await monitor.execute("migrate-set-parameters", downtime_limit=FORCED_DOWNTIME_MS)
                    progress: dict[str, Any] = await monitor.execute("query-migrate")
                    return progress
            except MonitorUnreachable:
                if not process_alive(self._directory) or self._runtime.monotonic() >= patience:
                    raise

    async def _hand_over(self) -> None:
        """The guest stands still here: end the mirror, and let it go on there."""
        async with monitor_open(self._directory) as monitor:
            if await monitor.job(JOB) is not None:
                await monitor.execute("block-job-cancel", device=JOB)
        if self._mirrors:
            await self._job_until("concluded")
        async with monitor_open(self._directory) as monitor:
            await _target_remove(monitor)
            await monitor.execute("migrate-continue", state="pre-switchover")

    async def _job_until(self, status: str) -> None:
        """Wait for the mirror. A mirror that fails is concluded as well."""
        while True:
            if (self._directory / ABORT).exists():
                raise MachineFailure("its migration was aborted")
            async with monitor_open(self._directory) as monitor:
                job = await monitor.job(JOB)
            if job is None and status == "concluded":
                return
            if job is None or "error" in job:
                raise MachineFailure(f"its disk could not be copied: {(job or {}).get('error', 'QEMU gave up')}")
            if job["status"] == status:
                return
            await self._runtime.sleep(LOOK_EVERY_S)

    async def _give_up(self) -> bool:
        """Take everything back, so that the guest goes on here; False when it has gone on there in the meantime.

        A QEMU that doesn't let go in time is left to the next try.
        """
        give_up = self._runtime.monotonic() + CANCEL_S
        while process_alive(self._directory):
            if self._runtime.monotonic() >= give_up:
                return True
            with suppress(MonitorUnreachable):  # busy with the very thing: asked again
                async with monitor_open(self._directory) as monitor:
                    status = (await monitor.execute("query-migrate")).get("status")
                    if status == "completed":
                        return False
                    if status in _OVER and await _mirror_gone(monitor):
                        await _target_remove(monitor)
                        break
                    if status not in _OVER:
                        await monitor.execute("migrate_cancel")
            await self._runtime.sleep(LOOK_EVERY_S)
        self._record = await self._guests.write(self._record, migrating=False)
        machine = self._guests.machine(self._record)
        if await machine.look() is PowerState.PAUSED and not self._record.paused:
            await machine.go_on()
        return True


async def _capabilities(monitor: Monitor, *names: str) -> None:
    wanted = [{"capability": name, "state": True} for name in names]
    await monitor.execute("migrate-set-capabilities", capabilities=wanted)


async def _mirror_gone(monitor: Monitor) -> bool:
    """Whether there is no mirror any more; it is told to go."""
    job = await monitor.job(JOB)
    if job is None:
        return True
    if job["status"] == "concluded":
        await monitor.execute("job-dismiss", id=JOB)
        return True
    await monitor.execute("block-job-cancel", device=JOB, force=True)
    return False


async def _target_remove(monitor: Monitor) -> None:
    if await monitor.job(JOB) is not None:
        await monitor.execute("job-dismiss", id=JOB)
    if TARGET in await monitor.nodes():
        await monitor.execute("blockdev-del", node_name=TARGET)


def _has_come(directory: Path) -> bool:
    """Whether the guest that belongs into a directory of another host is there and waits for nothing any more."""
    return directory.exists() and not (directory / TRANSFER).exists()


def _console_give(directory: Path, there: Path) -> None:
    """Let the console there begin with what was printed here, unless it has begun."""
    if not (there / TRANSFER).exists():
        return
    new = there / f"{CONSOLE_BEFORE}.new"
    new.write_bytes(ConsoleLog(directory).kept())
    new.rename(there / CONSOLE_BEFORE)


def _console_join(directory: Path) -> None:
    """Put what the console printed on the other host before what it has printed here."""
    before = directory / CONSOLE_BEFORE
    if before.exists():
        log = ConsoleLog(directory)
        log.renew(before.read_bytes() + log.kept())
        before.unlink()


def _forget(directory: Path) -> None:
    for name in (ABORT, FORCE):
        (directory / name).unlink(missing_ok=True)
