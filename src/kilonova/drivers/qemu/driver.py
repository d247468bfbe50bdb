"""The `qemu` driver: what happens to a guest when it is made, started, stopped, rebooted, destroyed.

Orders are written to the guest's record before they are carried out, so that a repeated order, after whatever crash, finds
what is left to do. What runs is asked of the kernel and of QEMU, never remembered.
"""

import asyncio
import platform
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from kilonova.drivers.driver import HypervisorFailure, ImageSource, StaleGeneration
from kilonova.drivers.qemu import resources
from kilonova.drivers.qemu.builder import GuestBuilder
from kilonova.drivers.qemu.console import ConsoleLog
from kilonova.drivers.qemu.guest_dir import GuestDirs, GuestRecord
from kilonova.drivers.qemu.images import ImageCache, ImageRefused
from kilonova.drivers.qemu.machine import Machine, MachineFailure
from kilonova.drivers.qemu.probe import Emulator, Unusable, emulator_find
from kilonova.drivers.qemu.user import guest_user, uid_pick
from kilonova.kernel.ids import HostName, ServerId, is_uuid
from kilonova.objects.guest import Guest, GuestSpec, HostDescription, PowerState
from kilonova.runtime.runtime import Runtime

RESERVED_MEMORY_MB = 512
"""Kept for the machine itself; the figure that OpenStack takes for granted (`reserved_host_memory_mb`)."""
_TRAITS = (
    "COMPUTE_IMAGE_TYPE_AKI",
    "COMPUTE_IMAGE_TYPE_AMI",
    "COMPUTE_IMAGE_TYPE_ARI",
    "COMPUTE_IMAGE_TYPE_QCOW2",
    "COMPUTE_IMAGE_TYPE_RAW",
    "COMPUTE_NODE",
    "HW_ARCH_X86_64",
)
_NETWORK_NOTICE = (
    "Guests reach nothing outside themselves: each has a network of its own that gives it its address. "
    "This machine reaches their SSH by a port on its loopback."
)


class QemuDriver:
    """Implements `Driver` for the one machine that it runs on."""

    name = "qemu"

    def __init__(
        self, runtime: Runtime, state_dir: Path, *, host: HostName | None = None, soft_reboot_grace_s: float = 60.0
    ) -> None:
        """Keep guests and images below `state_dir`, and serve the host named `host`.

        Without `host` it is called what this machine was called when the state directory was made, so that a machine
        that changes its name keeps its guests. A soft reboot waits `soft_reboot_grace_s` seconds for the guest to shut
        down before it is reset.
        """
        self._runtime = runtime
        self._state_dir = state_dir
        self._named = host
        self._host = host or HostName(_machine_name())
        self._soft_reboot_grace_s = soft_reboot_grace_s
        self._dirs = GuestDirs(state_dir / "guests")
        self._cache = ImageCache(runtime, state_dir / "images")
        self._records: dict[ServerId, GuestRecord] = {}
        self._locks: WeakValueDictionary[ServerId, asyncio.Lock] = WeakValueDictionary()
        self._found: Emulator | None = None

    async def start(self) -> None:
        """See `Driver.start`."""
        with self._failures("start"):
            self._found = await self._runtime.run_blocking(self._prepare)
            self._records = {record.server_id: record for record in self._dirs.records()}
        self._builder = GuestBuilder(self._runtime, self._dirs, self._cache, self._emulator.image_tool)

    def _prepare(self) -> Emulator:
        for directory in (self._state_dir, self._state_dir / "guests", self._state_dir / "images"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._host = self._named or self._host_remembered()
        self._dirs.clean()
        self._cache.clean_parts()
        return emulator_find(self._state_dir / "probe", guest_user(uid_pick(())))

    def _host_remembered(self) -> HostName:
        path = self._state_dir / "host-name"
        if not path.exists():
            path.write_text(_machine_name(), encoding="utf-8")
        return HostName(path.read_text(encoding="utf-8"))

    @property
    def _emulator(self) -> Emulator:
        assert self._found, "the driver was not started"
        return self._found

    def notices(self) -> Sequence[str]:
        """See `Driver.notices`."""
        notice = self._emulator.notice
        return (notice, _NETWORK_NOTICE) if notice else (_NETWORK_NOTICE,)

    async def close(self) -> None:
        """See `Driver.close`."""

    async def hosts(self) -> Sequence[HostDescription]:
        """See `Driver.hosts`."""
        major, minor, micro = self._emulator.version
        description = HostDescription(
            name=self._host,
            hypervisor_type="QEMU",
            hypervisor_version=major * 1_000_000 + minor * 1_000 + micro,
            vcpus=resources.vcpus(),
            memory_mb=resources.memory_mb(),
            disk_gb=resources.disk_gb(self._state_dir),
            host_ip="127.0.0.1",
            cpu_info=resources.cpu_info(),
            traits=_TRAITS,
            reserved_memory_mb=RESERVED_MEMORY_MB,
        )
        return (description,)

    async def guests(self) -> Sequence[Guest]:
        """See `Driver.guests`. Brings in console output, and ends the QEMU of guests that have shut themselves down."""
        looks = [await self._guest_look(server_id) for server_id in list(self._records)]
        return [guest for guest in looks if guest]

    async def _guest_look(self, server_id: ServerId) -> Guest | None:
        """The guest now; None when it was destroyed in the meantime."""
        lock = self._lock(server_id)
        if lock.locked():
            return await self._guest_look_amid_order(server_id)
        async with lock:
            record = self._records.get(server_id)
            if record is None:
                return None
            state = await self._machine(record).look()
            if record.running and state is PowerState.SHUTDOWN:
                record = await self._settle(record)
            return self._shown(record, state)

    async def _guest_look_amid_order(self, server_id: ServerId) -> Guest | None:
        """The guest while an order works on it. Not running means nothing then: it may be about to start."""
        if server_id not in self._records:
            return None
        state = await self._machine(self._records[server_id]).look()
        record = self._records.get(server_id)
        return self._shown(record, PowerState.NOSTATE if state is PowerState.CRASHED else state) if record else None

    async def _settle(self, record: GuestRecord) -> GuestRecord:
        """The guest has shut itself down, so from now on it shall not run."""
        record = await self._write(record, running=False)
        with self._failures("end the guest"):
            await self._machine(record).end()
        return record

    async def guest_ensure(self, host: HostName, spec: GuestSpec, images: ImageSource) -> Guest:
        """See `Driver.guest_ensure`."""
        self._check(host, spec.server_id, "make the guest")
        async with self._lock(spec.server_id):
            record = self._records.get(spec.server_id)
            with self._failures("make the guest"):
                if record is None:
                    record = await self._builder.build(spec, images, self._records.values())
                    self._records[spec.server_id] = record
                self._check_generation(record, spec.generation)
                record = await self._write(record, generation=spec.generation, running=True)
                return await self._run(record)

    async def guest_destroy(self, host: HostName, server_id: ServerId, generation: int) -> None:
        """See `Driver.guest_destroy`."""
        self._check(host, server_id, "destroy the guest")
        async with self._lock(server_id):
            record = self._records.get(server_id)
            if record is None:
                return
            self._check_generation(record, generation)
            with self._failures("destroy the guest"):
                record = await self._write(record, generation=generation, running=False)
                await self._machine(record).end()
                await self._runtime.run_blocking(self._dirs.remove, server_id)
                self._cache.used(record.image_names)
            del self._records[server_id]

    async def guest_start(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_start`."""
        async with self._lock(server_id):
            record = self._record(host, server_id, generation, "start the guest")
            with self._failures("start the guest"):
                return await self._run(await self._write(record, generation=generation, running=True))

    async def guest_stop(self, host: HostName, server_id: ServerId, generation: int, grace_s: float) -> Guest:
        """See `Driver.guest_stop`."""
        async with self._lock(server_id):
            record = self._record(host, server_id, generation, "stop the guest")
            with self._failures("stop the guest"):
                record = await self._write(record, generation=generation, running=False)
                await self._machine(record).shut_down(grace_s)
                await self._machine(record).end()
                return self._shown(record, PowerState.SHUTDOWN)

    async def guest_reboot(self, host: HostName, server_id: ServerId, generation: int, *, hard: bool) -> Guest:
        """See `Driver.guest_reboot`.

        Soft presses the power button and starts anew what shut down, or resets what didn't in time. A crash amid a soft reboot
        may repeat it; a hard one is never done twice.
        """
        async with self._lock(server_id):
            record = self._record(host, server_id, generation, "reboot the guest")
            with self._failures("reboot the guest"):
                if record.rebooted != generation:
                    record = await self._write(record, generation=generation, running=True)
                    if hard or not await self._machine(record).restart(self._soft_reboot_grace_s):
                        await self._machine(record).end()
                    record = await self._write(record, rebooted=generation)
                return await self._run(record)

    async def console_output(self, host: HostName, server_id: ServerId, lines: int | None) -> str:
        """See `Driver.console_output`."""
        record = self._records.get(server_id)
        if host != self._host or record is None:
            return ""
        await self._machine(record).look()
        with self._failures("read the console"):
            return await self._runtime.run_blocking(ConsoleLog(self._dirs.path(server_id)).text, lines)

    async def images_cached(self) -> Sequence[str]:
        """See `Driver.images_cached`."""
        return await self._cache.cached()

    async def images_clean(self, unused_for_s: float) -> Sequence[str]:
        """See `Driver.images_clean`."""
        with self._failures("clean the image cache"):
            return await self._cache.clean(unused_for_s)

    async def _run(self, record: GuestRecord) -> Guest:
        """Have the guest run: what runs is kept, what has ended without its QEMU going is cleared away and started anew."""
        machine = self._machine(record)
        state = await machine.look()
        if state in {PowerState.SHUTDOWN, PowerState.CRASHED}:
            await machine.end()
            record = await self._with_free_port(record)
            state = await self._machine(record).launch(self._emulator)
        return self._shown(record, state)

    async def _with_free_port(self, record: GuestRecord) -> GuestRecord:
        port = self._builder.port_for(record, self._records.values())
        return await self._write(record, ssh_port=port)

    async def _write(self, record: GuestRecord, **changes: object) -> GuestRecord:
        changed = msgspec.structs.replace(record, **changes)
        if changed != record:
            await self._runtime.run_blocking(self._dirs.write, changed)
            self._records[record.server_id] = changed
        return changed

    def _machine(self, record: GuestRecord) -> Machine:
        return Machine(self._runtime, self._dirs.path(record.server_id), record)

    def _shown(self, record: GuestRecord, state: PowerState) -> Guest:
        return Guest(
            server_id=record.server_id,
            host=self._host,
            generation=record.generation,
            power_state=state,
            ssh_port=record.ssh_port,
        )

    def _record(self, host: HostName, server_id: ServerId, generation: int, action: str) -> GuestRecord:
        self._check(host, server_id, action)
        record = self._records.get(server_id)
        if record is None:
            raise HypervisorFailure(host=host, action=action, reason=f"there is no guest {server_id}.")
        self._check_generation(record, generation)
        return record

    def _check(self, host: HostName, server_id: ServerId, action: str) -> None:
        if host != self._host:
            raise HypervisorFailure(host=host, action=action, reason=f"this is the host {self._host}.")
        if not is_uuid(server_id):
            raise HypervisorFailure(host=host, action=action, reason=f"{server_id!r} is not a server's id.")

    def _check_generation(self, record: GuestRecord, generation: int) -> None:
        if generation < record.generation:
            raise StaleGeneration(server_id=record.server_id, stored=record.generation, given=generation)

    def _lock(self, server_id: ServerId) -> asyncio.Lock:
        return self._locks.setdefault(server_id, asyncio.Lock())

    @contextmanager
    def _failures(self, action: str) -> Iterator[None]:
        """Say what went wrong as drivers say it."""
        try:
            yield
        except OSError as error:
            reason = f"{error.strerror}: {error.filename}" if error.filename else (error.strerror or str(error))
            raise HypervisorFailure(host=self._host, action=action, reason=f"{reason}.") from error
        except (Unusable, ImageRefused, MachineFailure, ValueError, subprocess.SubprocessError) as error:
            raise HypervisorFailure(host=self._host, action=action, reason=f"{error}.") from error


def _machine_name() -> str:
    return platform.node() or "localhost"
