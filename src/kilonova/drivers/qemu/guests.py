"""The guests of one host, and what every order about one of them needs: its record, its lock, its generation, its failures.

An order takes the guest's lock, writes what shall be to the record, and then makes it so. A repeated order, after whatever
crash, finds in the record what is left to do. What runs is asked of the kernel and of QEMU, never remembered.
"""

import asyncio
import platform
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from kilonova.drivers.driver import HypervisorFailure, NoSuchGuest, StaleGeneration
from kilonova.drivers.qemu.builder import GuestBuilder
from kilonova.drivers.qemu.guest_dir import GuestDirs, GuestRecord
from kilonova.drivers.qemu.images import ImageCache, ImageRefused
from kilonova.drivers.qemu.machine import Machine, MachineFailure
from kilonova.drivers.qemu.monitor import MonitorUnreachable
from kilonova.drivers.qemu.probe import Emulator, Unusable, emulator_find
from kilonova.drivers.qemu.resources import Share
from kilonova.drivers.qemu.storage import Storage
from kilonova.drivers.qemu.tool import ImageTool
from kilonova.drivers.qemu.user import guest_user, uid_pick
from kilonova.drivers.qemu.volumes import VolumeRefused
from kilonova.kernel.ids import HostName, ServerId, is_uuid
from kilonova.objects.guest import Guest, PowerState
from kilonova.runtime.runtime import Runtime

_FAILURES = (
    Unusable,
    ImageRefused,
    VolumeRefused,
    MachineFailure,
    MonitorUnreachable,
    ValueError,
    subprocess.SubprocessError,
)


class Guests:
    """The guests below one state directory."""

    def __init__(
        self,
        runtime: Runtime,
        state_dir: Path,
        host: HostName | None,
        share: Share,
        volumes: Path | None,
        storage: Path | None,
    ) -> None:
        """Keep guests and images below `state_dir`, for the host named `host`; see `QemuDriver`."""
        self.share = share
        self.runtime = runtime
        self.state_dir = state_dir
        self.volumes = volumes
        self.host = host or HostName(_machine_name())
        self.dirs = GuestDirs(state_dir / "guests")
        self.cache = ImageCache(runtime, state_dir / "images")
        self.storage: Storage | None = None
        self._storage_root = storage
        self.records: dict[ServerId, GuestRecord] = {}
        self._named = host
        self._locks: WeakValueDictionary[ServerId, asyncio.Lock] = WeakValueDictionary()
        self._found: Emulator | None = None

    async def start(self) -> None:
        """Find QEMU and the guests. Raises `HypervisorFailure`."""
        with self.failures("start"):
            self._found = await self.runtime.run_blocking(self._prepare)
            self.records = {record.server_id: record for record in self.dirs.records()}
            for record in self.records.values():
                await self.tidy(record)
        self.tool = ImageTool(self.emulator.image_tool)
        self.builder = GuestBuilder(self.runtime, self.dirs, self.cache, self.tool, self.share)

    def _prepare(self) -> Emulator:
        for directory in (self.state_dir, self.state_dir / "guests", self.state_dir / "images"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.host = self._named or host_remembered(self.state_dir)
        self.dirs.clean()
        self.cache.clean_parts()
        if self._storage_root is not None:
            self.storage = Storage(self._storage_root, self.cache, self.host)
            self.storage.open(self.state_dir, self.runtime.uuid())
        return emulator_find(self.state_dir / "probe", guest_user(uid_pick((), self.share)))

    @property
    def emulator(self) -> Emulator:
        """The QEMU that guests run in."""
        assert self._found, "the driver was not started"
        return self._found

    @asynccontextmanager
    async def order(
        self, host: HostName, server_id: ServerId, generation: int, action: str
    ) -> AsyncIterator[GuestRecord]:
        """The guest's record, while an order works on it.

        Raises:
            HypervisorFailure: there is no such guest, or what the order does went wrong.
            StaleGeneration: a newer order has been here.
        """
        self.check(host, server_id, action)
        async with self.lock(server_id):
            record = self.records.get(server_id)
            if record is None:
                raise NoSuchGuest(host=host, action=action, server_id=server_id)
            self.check_generation(record, generation)
            with self.failures(action):
                yield record

    def lock(self, server_id: ServerId) -> asyncio.Lock:
        """Held while an order works on the guest."""
        return self._locks.setdefault(server_id, asyncio.Lock())

    def migration_ask(self, server_id: ServerId, what: str) -> None:
        """Leave word for whoever attends to the guest's migration, if there is one, now or after a restart."""
        record = self.records.get(server_id)
        if record is not None and record.migrating:
            (self.dirs.path(server_id) / what).touch()

    def check(self, host: HostName, server_id: ServerId, action: str) -> None:
        """Raises `HypervisorFailure` for another host, or for what can't be the name of a directory."""
        if host != self.host:
            raise HypervisorFailure(host=host, action=action, reason=f"this is the host {self.host}.")
        if not is_uuid(server_id):
            raise HypervisorFailure(host=host, action=action, reason=f"{server_id!r} is not a server's id.")

    def check_generation(self, record: GuestRecord, generation: int) -> None:
        """Raises `StaleGeneration` for an order that comes too late."""
        if generation < record.generation:
            raise StaleGeneration(server_id=record.server_id, stored=record.generation, given=generation)

    async def write(self, record: GuestRecord, **changes: object) -> GuestRecord:
        """The record with these changes, which are on disk."""
        changed = msgspec.structs.replace(record, **changes)
        if changed != record:
            await self.runtime.run_blocking(self.dirs.write, changed)
            self.records[record.server_id] = changed
        return changed

    async def keep(self, record: GuestRecord) -> None:
        """Have the guest's disk on the shared storage, if there is one, as the disk of the host that runs it."""
        if self.storage is not None and record.parts.disk:
            folder = self.dirs.path(record.server_id) / record.parts.folder
            await self.runtime.run_blocking(self.storage.keep, record.server_id, folder, record.parts.base_format)

    async def remove(self, record: GuestRecord, *, keep_disks: bool = False) -> None:
        """End the guest, and remove all that belongs to it, but for a disk on shared storage with `keep_disks`."""
        await self.machine(record).end()
        if self.storage is not None and not keep_disks:
            await self.runtime.run_blocking(self.storage.drop, record.server_id)
        await self.runtime.run_blocking(self.dirs.remove, record.server_id)
        self.cache.used(record.image_names)
        del self.records[record.server_id]

    def forget_vanished(self, record: GuestRecord) -> bool:
        """Forget a guest whose directory somebody has removed; whether that is so."""
        if self.dirs.path(record.server_id).exists():
            return False
        del self.records[record.server_id]
        return True

    async def tidy(self, record: GuestRecord) -> None:
        """Remove the files of a guest that it has no use for any more."""
        await self.runtime.run_blocking(self.dirs.tidy, record)

    async def run(self, record: GuestRecord, **changes: object) -> Guest:
        """Write the record with these changes, and have the guest run as it says.

        What runs is kept, what has ended without its QEMU going is cleared away and started anew, and what stands still
        without a reason goes on.
        """
        if record.migrating or record.moved is not None:
            await self._must_be_here(record)
        if record.offered:
            await self.machine(record).end()
        record = await self.write(record, **{**changes, "running": True, "suspended": False, "offered": False})
        machine = self.machine(record)
        state = await machine.look()
        if state in {PowerState.SHUTDOWN, PowerState.CRASHED}:
            await machine.end()
            await self.tidy(record)
            await self.keep(record)
            record = await self.write(await self.with_free_port(record), old_machine=False)
            state = await self.machine(record).launch(self.emulator, self.volumes)
        if state is PowerState.PAUSED and not record.paused:
            state = await machine.go_on()
        return self.shown(record, state)

    async def end_and(self, record: GuestRecord, *, run: bool, **changes: object) -> Guest:
        """End the guest, write the record with these changes, and run it if `run`."""
        await self.machine(record).end()
        record = await self.write(record, running=run, paused=False, suspended=False, offered=False, **changes)
        await self.tidy(record)
        return await self.run(record) if run else self.shown(record, PowerState.SHUTDOWN)

    async def _must_be_here(self, record: GuestRecord) -> None:
        """A guest that went to another host must not go on here as well."""
        if record.moved is not None or await self.machine(record).migration_status() == "completed":
            raise MachineFailure("it was moved to another host")

    async def with_free_port(self, record: GuestRecord) -> GuestRecord:
        """The record with an SSH port that is free now."""
        return await self.write(record, ssh_port=self.builder.port_for(record, self.records.values()))

    async def shown_now(self, record: GuestRecord) -> Guest:
        """The guest as it is now."""
        return self.shown(record, await self.machine(record).look())

    def machine(self, record: GuestRecord) -> Machine:
        """The guest's QEMU."""
        return Machine(self.runtime, self.dirs.path(record.server_id), record)

    def shown(self, record: GuestRecord, state: PowerState) -> Guest:
        """The guest as the driver shows it."""
        return Guest(
            server_id=record.server_id,
            host=self.host,
            generation=record.generation,
            power_state=state,
            ssh_port=record.ssh_port,
            cell_id=record.spec.cell_id,
            resized=record.before_resize is not None,
        )

    @contextmanager
    def failures(self, action: str) -> Iterator[None]:
        """Say what went wrong as drivers say it: `HypervisorFailure`."""
        try:
            yield
        except OSError as error:
            reason = f"{error.strerror}: {error.filename}" if error.filename else (error.strerror or str(error))
            raise HypervisorFailure(host=self.host, action=action, reason=f"{reason}.") from error
        except _FAILURES as error:
            raise HypervisorFailure(host=self.host, action=action, reason=f"{error}.") from error


def check_machine(record: GuestRecord) -> None:
    """Raises `MachineFailure` for a guest whose QEMU runs since 0.1.0, before what it can't do."""
    if record.old_machine:
        raise MachineFailure("it was started by Kilonova 0.1.0; reboot it hard first")


def host_remembered(folder: Path) -> HostName:
    """What this machine was called when `folder` was made, so that one that changes its name keeps its guests."""
    path = folder / "host-name"
    if not path.exists():
        path.write_text(_machine_name(), encoding="utf-8")
    return HostName(path.read_text(encoding="utf-8"))


def _machine_name() -> str:
    return platform.node() or "localhost"
