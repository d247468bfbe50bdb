"""Our own hypervisors for the driver suite: how to open one, open it again, and harm it from outside."""

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kilonova.drivers.driver import Driver
from kilonova.drivers.fake.driver import FakeDriver
from kilonova.drivers.qemu.driver import QemuDriver
from kilonova.drivers.qemu.probe import Unusable, emulator_find
from kilonova.drivers.qemu.process import process_kill
from kilonova.kernel.ids import HostName, ServerId
from kilonova.runtime.real import RealRuntime
from kilonova.runtime.runtime import Runtime
from kilonova.simulation.faults import QUIET, Faults
from kilonova.simulation.hypervisor import HostSize, SimDriver
from kilonova.simulation.hypervisor import Hypervisor as Hardware
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.sometimes import Sometimes
from kilonova.testing.guests import HELLO, SERVER, Images, boot_sector, guest_spec, hello_disk


class FakeHypervisor:
    host = HostName("fake-00002")

    def __init__(self, folder: Path) -> None:
        self._path = folder / "hypervisor.sqlite"

    def driver(self, runtime: Runtime) -> FakeDriver:
        return FakeDriver(runtime, self._path, hosts=3)

    def crash(self, driver: Driver, server_id: ServerId) -> None:
        assert isinstance(driver, FakeDriver)
        driver.guest_crash(self.host, server_id)

    def boots(self, console: str) -> int:
        return console.count("[fake] boot ")


class SimHypervisor:
    """The simulation's, outside of a simulation: time is real, and nothing goes wrong."""

    host = HostName("host-2")

    def __init__(self) -> None:
        self._loop = SimLoop(1)
        self._loop.close()
        self._hardware = Hardware(self._loop, HostSize(), report=pytest.fail)
        self._hosts = (HostName("host-1"), self.host)
        for host in self._hosts:
            self._hardware.add_host(host)

    def driver(self, runtime: Runtime) -> SimDriver:
        return SimDriver(self._loop, self._hardware, self._hosts, Faults(QUIET), Sometimes())

    def crash(self, driver: Driver, server_id: ServerId) -> None:
        self._hardware.crash(self.host, server_id)

    def boots(self, console: str) -> int:
        return console.count("[sim] boot ")


class QemuHypervisor:
    host = HostName("this-machine")

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "qemu"

    def driver(self, runtime: Runtime) -> QemuDriver:
        return QemuDriver(runtime, self.folder, host=self.host, soft_reboot_grace_s=0.5)

    def crash(self, driver: Driver, server_id: ServerId) -> None:
        assert process_kill(self.folder / "guests" / server_id, server_id)

    def boots(self, console: str) -> int:
        return console.count(HELLO.decode().strip())


@functools.cache
def qemu_missing(folder: Path) -> str | None:
    """Why the tests with QEMU can't run on this machine, or None."""
    try:
        emulator_find(folder, None)
    except Unusable as reason:
        return str(reason)
    return None


def power_off_disk() -> bytes:
    """A disk that boots and switches the machine off (ACPI's sleep port of the q35 machine): mov dx, 0x604; mov ax, 0x2000;
    out dx, ax; hlt."""
    return boot_sector(bytes.fromhex("ba0406 b80020 ef f4"))


class DyingRuntime(RealRuntime):
    """The real runtime, until a given number of blocking calls have begun: then its process is killed."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._calls_left = calls

    async def run_blocking(self, work: Callable[..., Any], *args: Any) -> Any:
        self._calls_left -= 1
        if self._calls_left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().run_blocking(work, *args)


async def order_given(driver: Driver, host: HostName, order: str) -> None:
    """Carry out one of the orders that tests interrupt. They follow each other: generations 1, 2, 3."""
    if order == "ensure":
        images = Images()
        await driver.guest_ensure(host, guest_spec(images.add("image", hello_disk())), images)
    elif order == "reboot":
        await driver.guest_reboot(host, SERVER, 2, hard=True)
    else:
        await driver.guest_destroy(host, SERVER, 3)


def die_amid(order: str, folder: Path, calls: int) -> None:
    """Give the order, and be killed after `calls` blocking calls."""

    async def scenario() -> None:
        hypervisor = QemuHypervisor(folder)
        driver = hypervisor.driver(DyingRuntime(calls))
        await driver.start()
        await order_given(driver, hypervisor.host, order)

    asyncio.run(scenario())


if __name__ == "__main__":
    die_amid(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
