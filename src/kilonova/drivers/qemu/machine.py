"""One guest's QEMU: look at it, launch it, shut it down, end it."""

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from kilonova.drivers.qemu.command import Launch, guest_command, serve_command, served_node
from kilonova.drivers.qemu.console import ConsoleLog
from kilonova.drivers.qemu.durable import sync
from kilonova.drivers.qemu.guest_agent import SOCKET as AGENT_SOCKET
from kilonova.drivers.qemu.guest_dir import MEMORY, GuestRecord
from kilonova.drivers.qemu.monitor import SOCKET as MONITOR_SOCKET
from kilonova.drivers.qemu.monitor import Monitor, MonitorUnreachable, monitor_open
from kilonova.drivers.qemu.probe import Emulator
from kilonova.drivers.qemu.process import (
    AlreadyRunning,
    complaints_read,
    process_alive,
    process_kill,
    process_start,
)
from kilonova.drivers.qemu.sockets import socket_listen
from kilonova.drivers.qemu.user import guest_user
from kilonova.drivers.qemu.volumes import volume_node, volume_open
from kilonova.objects.guest import PowerState
from kilonova.runtime.runtime import Runtime

START_S = 30.0
"""How long QEMU may take until it answers."""
END_S = 10.0
"""How long QEMU may take to end, once when asked and once when killed."""
LOOK_EVERY_S = 0.2
PRESS_EVERY_S = 10.0
"""The power button is pressed again: a guest that was still booting has not heard the first time."""
MEMORY_BYTES_A_SECOND = 1 << 40
"""No limit: writing to a file disturbs nobody."""
_FILE_ADDRESSES = (8, 2, 0)
"""The first QEMU that reads and writes memory in files by name; older ones take any descriptor, newer ones sockets only."""
_MIGRATION_ENDED = ("none", "completed", "failed", "cancelled")
"""What `query-migrate` says of migrations that are over."""

_ENDED = (PowerState.SHUTDOWN, PowerState.CRASHED)


class MachineFailure(Exception):
    """QEMU did not do as asked; the argument says what it said."""


class Machine:
    """The QEMU of the guest in one directory, running or not."""

    def __init__(self, runtime: Runtime, directory: Path, record: GuestRecord) -> None:
        """Deal with the guest that `record` describes, in `directory`."""
        self._runtime = runtime
        self._directory = directory
        self._record = record

    async def look(self) -> PowerState:
        """The guest's power state now; what its console printed since the last time is kept.

        SHUTDOWN and CRASHED can be either of a process that waits to be ended, or of none. A QEMU that hangs is NOSTATE.
        """
        if self._record.offered:
            return PowerState.SHUTDOWN
        try:
            async with monitor_open(self._directory) as monitor:
                return await self._look(monitor)
        except MonitorUnreachable:
            if process_alive(self._directory):
                return PowerState.NOSTATE
            if self._record.suspended:
                return PowerState.SUSPENDED
            return PowerState.CRASHED if self._record.running else PowerState.SHUTDOWN

    async def _look(self, monitor: Monitor) -> PowerState:
        output = await monitor.console_fetch()
        if output:
            with suppress(OSError):  # a full disk costs what the console said, never the guest's state
                await self._runtime.run_blocking(ConsoleLog(self._directory).append, output)
        return await monitor.power_state()

    async def launch(self, emulator: Emulator, volumes: Path | None) -> PowerState:
        """Start QEMU, which must not be running, and wait until it answers. Volumes that are files lie in `volumes`.

        A suspended guest stands still with its memory as it was.

        Raises:
            MachineFailure: it doesn't start.
            VolumeRefused: a volume can't be connected.
            OSError, ValueError: nor can it be tried.
        """
        complaints = await self._runtime.run_blocking(self._start, emulator, volumes)
        try:
            async with monitor_open(self._directory, START_S) as monitor:
                state = await monitor.power_state()
            return await self._arrived() if self._record.suspended else state
        except MonitorUnreachable as error:
            await self.end()
            raise MachineFailure(f"QEMU did not start: {complaints_read(complaints)}") from error
        finally:
            os.close(complaints)

    async def _arrived(self) -> PowerState:
        """Wait until the memory has been read. QEMU ends by itself when it can't be."""
        while True:
            async with monitor_open(self._directory) as monitor:
                if await monitor.status() != "inmigrate":
                    return await monitor.power_state()
            await self._runtime.sleep(LOOK_EVERY_S)

    def _start(self, emulator: Emulator, volumes: Path | None) -> int:
        record = self._record
        with ExitStack() as opened:
            monitor = opened.enter_context(socket_listen(self._directory, MONITOR_SOCKET))
            agent = opened.enter_context(socket_listen(self._directory, AGENT_SOCKET))
            nodes, sets = self._volumes_open(volumes, opened)
            inherited = [monitor.fileno(), agent.fileno(), *sets.values()]
            incoming = "defer" if record.incoming else None
            if record.suspended:
                memory = os.open(self._directory / MEMORY, os.O_RDONLY | os.O_CLOEXEC)
                opened.callback(os.close, memory)
                inherited.append(memory)
                incoming = memory_address(emulator.version, memory, MEMORY)
            launch = Launch(
                binary=emulator.binary,
                accelerator=emulator.accelerator,
                monitor_fd=monitor.fileno(),
                agent_fd=agent.fileno(),
                volume_nodes=nodes,
                volume_fds=sets,
                incoming=incoming,
            )
            command = guest_command(record, launch)
            try:
                return process_start(command, self._directory, inherited, guest_user(record.uid))
            except AlreadyRunning as error:
                raise MachineFailure("its process runs and doesn't answer") from error

    def _volumes_open(
        self, volumes: Path | None, opened: ExitStack
    ) -> tuple[dict[str, dict[str, object]], dict[int, int]]:
        """The guest's volumes as block nodes, and the descriptors for them."""
        nodes: dict[str, dict[str, object]] = {}
        sets: dict[int, int] = {}
        for number, volume in enumerate(self._record.spec.volumes, start=1):
            descriptor = volume_open(volume, volumes)
            if descriptor is not None:
                opened.callback(os.close, descriptor)
                sets[number] = descriptor
            nodes[volume.volume_id] = volume_node(volume, descriptor, number)
        return nodes, sets

    async def serve(self, emulator: Emulator, files: Sequence[str], socket: str) -> None:
        """Let others read these files of the guest, which doesn't run, at the Unix socket `socket` in its directory.

        Raises:
            MachineFailure: it can't be done.
            OSError: nor can it be tried.
        """
        complaints = await self._runtime.run_blocking(self._start_server, emulator, files)
        try:
            async with monitor_open(self._directory, START_S) as monitor:
                await monitor.nbd_serve(socket)
                for index, name in enumerate(files):
                    await monitor.nbd_export(served_node(index), name, writable=False)
        except MonitorUnreachable as error:
            await self.end()
            raise MachineFailure(f"its files can't be served: {complaints_read(complaints)}") from error
        finally:
            os.close(complaints)

    def _start_server(self, emulator: Emulator, files: Sequence[str]) -> int:
        with socket_listen(self._directory, MONITOR_SOCKET) as monitor:
            command = serve_command(emulator.binary, self._record, monitor.fileno(), files)
            user = guest_user(self._record.uid)
            try:
                return process_start(command, self._directory, [monitor.fileno()], user)
            except AlreadyRunning as error:
                raise MachineFailure("its process runs and doesn't answer") from error

    async def stand_still(self) -> PowerState:
        """Stop the guest's processors."""
        return await self._told("stop")

    async def go_on(self) -> PowerState:
        """Let them run again."""
        return await self._told("cont")

    async def interrupt(self) -> PowerState:
        """Send a non-maskable interrupt to all of them."""
        return await self._told("inject-nmi")

    async def _told(self, command: str) -> PowerState:
        try:
            async with monitor_open(self._directory) as monitor:
                await monitor.execute(command)
                return await monitor.power_state()
        except MonitorUnreachable as error:
            raise MachineFailure(str(error)) from error

    async def memory_save(self, version: tuple[int, int, int]) -> None:
        """Write the memory of the guest, which stands still from now on, to the file `memory`.

        Raises:
            MachineFailure: it can't be written.
            OSError: nor can the file be made.
        """
        part = self._directory / f"{MEMORY}.part"
        await self._half_written_memory_forget()
        descriptor = await self._runtime.run_blocking(_writable, part, self._record.uid)
        try:
            async with monitor_open(self._directory) as monitor:
                await monitor.execute("stop")
                await monitor.descriptor_named(descriptor, MEMORY)
                await monitor.execute("migrate-set-parameters", max_bandwidth=MEMORY_BYTES_A_SECOND)
                await monitor.execute("migrate", uri=memory_address(version, MEMORY, part.name))
            await self._memory_written()
            await self._runtime.run_blocking(_rename_synced, part, self._directory / MEMORY)
        except MonitorUnreachable as error:
            raise MachineFailure(f"its memory could not be written: {error}") from error
        finally:
            os.close(descriptor)

    async def _half_written_memory_forget(self) -> None:
        """End what an interrupted attempt left behind. QEMU writes a guest's memory once, unless that ran in between."""
        try:
            while True:
                async with monitor_open(self._directory) as monitor:
                    progress = await monitor.execute("query-migrate")
                    if progress.get("status", "none") in _MIGRATION_ENDED:
                        if await monitor.status() == "postmigrate":
                            await monitor.execute("cont")
                        return
                    await monitor.execute("migrate_cancel")
                await self._runtime.sleep(LOOK_EVERY_S)
        except MonitorUnreachable as error:
            raise MachineFailure(f"its memory could not be written: {error}") from error

    async def _memory_written(self) -> None:
        while True:
            async with monitor_open(self._directory) as monitor:
                progress = await monitor.execute("query-migrate")
            if progress.get("status") == "completed":
                return
            if progress.get("status") in {"failed", "cancelled"}:
                raise MachineFailure(f"its memory could not be written: {progress.get('error-desc', 'QEMU gave up')}")
            await self._runtime.sleep(LOOK_EVERY_S)

    async def migration_status(self) -> str | None:
        """What QEMU says of the migration of its guest, in its own word (`MigrationStatus`); None when it says nothing."""
        try:
            async with monitor_open(self._directory) as monitor:
                status: str | None = (await monitor.execute("query-migrate")).get("status")
                return status
        except MonitorUnreachable:
            return None

    async def shut_down(self, grace_s: float) -> bool:
        """Press the power button and wait up to `grace_s` seconds for the guest's system to go; whether it went."""
        give_up = self._runtime.monotonic() + grace_s
        press = 0.0
        while (now := self._runtime.monotonic()) < give_up:
            try:
                async with monitor_open(self._directory) as monitor:
                    if await self._look(monitor) in _ENDED:
                        return True
                    if now >= press:
                        await monitor.press_power_button()
                        press = now + PRESS_EVERY_S
            except MonitorUnreachable:
                return not process_alive(self._directory)
            await self._runtime.sleep(LOOK_EVERY_S)
        return not process_alive(self._directory)

    async def restart(self, grace_s: float) -> bool:
        """Reboot softly: True when the guest was reset and runs on, False when it shut down and needs a new start."""
        if await self.shut_down(grace_s):
            return False
        try:
            async with monitor_open(self._directory) as monitor:
                await monitor.reset()
                return True
        except MonitorUnreachable:
            return False

    async def end(self) -> None:
        """End QEMU at once, if it runs: by a word, or by force.

        Raises:
            MachineFailure: it survives both.
        """
        if not process_alive(self._directory):
            return
        asked = False
        with suppress(MonitorUnreachable):
            async with monitor_open(self._directory) as monitor:
                await self._look(monitor)
                asked = True
                await monitor.quit()
        if asked and await self._gone():  # it may break off the talk, but is given the time to write out its disk
            return
        await self._runtime.run_blocking(process_kill, self._directory, self._record.server_id)
        if not await self._gone():
            raise MachineFailure("its process doesn't end")

    async def _gone(self) -> bool:
        give_up = self._runtime.monotonic() + END_S
        while process_alive(self._directory):
            if self._runtime.monotonic() >= give_up:
                return False
            await self._runtime.sleep(LOOK_EVERY_S / 10)
        return True


def memory_address(version: tuple[int, int, int], descriptor: int | str, filename: str) -> str:
    """A file of the guest's directory as QEMU's migration takes it: by descriptor, or by name where QEMU knows files."""
    return f"file:{filename}" if version >= _FILE_ADDRESSES else f"fd:{descriptor}"


def _writable(path: Path, uid: int | None) -> int:
    """A new file that the guest's user may write."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    if uid is not None:
        os.fchown(descriptor, uid, uid)
    return descriptor


def _rename_synced(part: Path, path: Path) -> None:
    sync(part)
    part.rename(path)
    sync(path.parent)
