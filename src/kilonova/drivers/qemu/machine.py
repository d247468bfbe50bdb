"""One guest's QEMU: look at it, launch it, shut it down, end it."""

import os
from contextlib import suppress
from pathlib import Path

from kilonova.drivers.qemu.builder import has_disk
from kilonova.drivers.qemu.command import Launch, guest_command
from kilonova.drivers.qemu.console import ConsoleLog
from kilonova.drivers.qemu.guest_dir import GuestRecord
from kilonova.drivers.qemu.monitor import Monitor, MonitorUnreachable, monitor_listen, monitor_open
from kilonova.drivers.qemu.probe import Emulator
from kilonova.drivers.qemu.process import (
    AlreadyRunning,
    complaints_read,
    process_alive,
    process_kill,
    process_start,
)
from kilonova.drivers.qemu.user import guest_user
from kilonova.objects.guest import PowerState
from kilonova.runtime.runtime import Runtime

START_S = 30.0
"""How long QEMU may take until it answers."""
END_S = 10.0
"""How long QEMU may take to end, once when asked and once when killed."""
LOOK_EVERY_S = 0.2
PRESS_EVERY_S = 10.0
"""The power button is pressed again: a guest that was still booting has not heard the first time."""

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
        try:
            async with monitor_open(self._directory) as monitor:
                return await self._look(monitor)
        except MonitorUnreachable:
            if process_alive(self._directory):
                return PowerState.NOSTATE
            return PowerState.CRASHED if self._record.running else PowerState.SHUTDOWN

    async def _look(self, monitor: Monitor) -> PowerState:
        output = await monitor.console_fetch()
        if output:
            with suppress(OSError):  # a full disk costs what the console said, never the guest's state
                await self._runtime.run_blocking(ConsoleLog(self._directory).append, output)
        return await monitor.power_state()

    async def launch(self, emulator: Emulator) -> PowerState:
        """Start QEMU, which must not be running, and wait until it answers.

        Raises:
            MachineFailure: it doesn't start.
            OSError, ValueError: nor can it be tried.
        """
        complaints = await self._runtime.run_blocking(self._start, emulator)
        try:
            async with monitor_open(self._directory, START_S) as monitor:
                return await monitor.power_state()
        except MonitorUnreachable as error:
            await self.end()
            raise MachineFailure(f"QEMU did not start: {complaints_read(complaints)}") from error
        finally:
            os.close(complaints)

    def _start(self, emulator: Emulator) -> int:
        record = self._record
        listener = monitor_listen(self._directory)
        with listener:
            launch = Launch(
                binary=emulator.binary,
                accelerator=emulator.accelerator,
                monitor_fd=listener.fileno(),
                base_format=record.base_format,
                has_disk=has_disk(record.spec),
                has_config_drive=record.has_config_drive,
                ssh_port=record.ssh_port,
            )
            command = guest_command(record.spec, launch)
            try:
                return process_start(command, self._directory, listener, guest_user(record.uid))
            except AlreadyRunning as error:
                raise MachineFailure("its process runs and doesn't answer") from error

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
