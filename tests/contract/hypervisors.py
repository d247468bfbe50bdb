"""Our own hypervisors for the driver suite: how to open one, open it again, and harm it from outside."""

import asyncio
import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from kilonova.drivers.driver import Driver
from kilonova.drivers.fake.driver import FakeDriver
from kilonova.drivers.fake.guest import FakeGuest
from kilonova.drivers.fake.orders import Orders
from kilonova.drivers.fake.timings import FakeTimings
from kilonova.drivers.qemu.driver import QemuDriver
from kilonova.drivers.qemu.probe import Unusable, emulator_find
from kilonova.drivers.qemu.process import process_kill, processes_of
from kilonova.drivers.qemu.resources import Share
from kilonova.kernel.ids import HostName, ServerId
from kilonova.runtime.real import RealRuntime
from kilonova.runtime.runtime import Runtime
from kilonova.simulation.faults import QUIET, Faults
from kilonova.simulation.hypervisor import HostSize, SimDriver
from kilonova.simulation.hypervisor import Hypervisor as Hardware
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.sometimes import Sometimes
from kilonova.testing.guests import HELLO, SERVER, Images, boot_sector, guest_spec, hello_disk

FAST, SLOW = 1 << 40, 10_000
"""Bytes a second at which memory goes to another host: as fast as can be, and so that it takes minutes."""


class FakeHypervisor:
    host = HostName("fake-00002")
    other = HostName("fake-00003")

    def __init__(self, folder: Path, storage: str | None = None) -> None:
        self._path = folder / "hypervisor.sqlite"
        self._storage = storage

    def driver(self, runtime: Runtime) -> FakeDriver:
        return FakeDriver(runtime, self._path, hosts=3, storage=self._storage)

    def other_driver(self, runtime: Runtime, driver: Driver) -> Driver:
        return driver

    def migrations_last(self, driver: Driver, seconds: float) -> None:
        assert isinstance(driver, FakeDriver)
        driver.timings = FakeTimings(migrate_s=seconds)

    def migrates(self, driver: Driver) -> bool:
        assert isinstance(driver, FakeDriver)
        return (self.host, SERVER) in driver._migrating

    def crash(self, driver: Driver, server_id: ServerId) -> None:
        assert isinstance(driver, FakeDriver)
        driver.guest_crash(self.host, server_id)

    def boots(self, console: str) -> int:
        return console.count("[fake] boot ")

    def devices(self, driver: Driver) -> dict[str, str]:
        return _devices(_record(driver, self.host))

    def disk(self, host: HostName, driver: Driver) -> tuple[int, int]:
        guest = _record(driver, host)
        return guest.disk.content, guest.disk.gb


class SimHypervisor:
    """The simulation's, outside of a simulation: time is real, and nothing goes wrong."""

    host = HostName("host-2")
    other = HostName("host-3")

    def __init__(self, storage: str | None = None) -> None:
        self._loop = SimLoop(1)
        self._loop.close()
        self._hardware = Hardware(self._loop, HostSize(), report=_reported)
        self._hardware.half_max_s = self._hardware.migration_s = (0.0, 0.0)
        self._hosts = (HostName("host-1"), self.host)
        for host in (*self._hosts, self.other):
            self._hardware.add_host(host, storage)

    def driver(self, runtime: Runtime) -> SimDriver:
        return SimDriver(self._loop, self._hardware, self._hosts, Faults(QUIET), Sometimes())

    def other_driver(self, runtime: Runtime, driver: Driver) -> Driver:
        return SimDriver(self._loop, self._hardware, (self.other,), Faults(QUIET), Sometimes())

    def migrations_last(self, driver: Driver, seconds: float) -> None:
        self._hardware.migration_s = (seconds, seconds)

    def migrates(self, driver: Driver) -> bool:
        return self._hardware.migration(SERVER) is not None

    def crash(self, driver: Driver, server_id: ServerId) -> None:
        self._hardware.crash(self.host, server_id)

    def boots(self, console: str) -> int:
        return console.count("[sim] boot ")

    def devices(self, driver: Driver) -> dict[str, str]:
        return _devices(_record(driver, self.host))

    def disk(self, host: HostName, driver: Driver) -> tuple[int, int]:
        guest = _record(driver, host)
        return guest.disk.content, guest.disk.gb


def _reported(said: str) -> None:
    """Fail; but agents must not give two orders at once, and the suite may."""
    if not said.startswith("two orders at once"):
        pytest.fail(said)


def _record(driver: Driver, host: HostName) -> FakeGuest:
    assert isinstance(driver, Orders)
    guest = driver._hardware.guest_get(host, SERVER)
    assert guest, f"no guest on {host}"
    return guest


def _devices(guest: FakeGuest) -> dict[str, str]:
    cards = {nic.port_id: nic.mac for nic in guest.spec.nics}
    return cards | {volume.volume_id: volume.device for volume in guest.spec.volumes}


class QemuHypervisor:
    host = HostName("this-machine")
    unplug_s = 20.0
    """How long its guests may take to let a device go; the driver's own default."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "qemu"
        self.volumes = folder / "volumes"
        self.volumes.mkdir(mode=0o700, exist_ok=True)

    def driver(self, runtime: Runtime) -> QemuDriver:
        return QemuDriver(
            runtime, self.folder, host=self.host, volumes=self.volumes, soft_reboot_grace_s=0.5, unplug_s=self.unplug_s
        )

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
        self.calls_left = calls

    async def run_blocking(self, work: Callable[..., Any], *args: Any) -> Any:
        self.calls_left -= 1
        if self.calls_left < 0:
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


class QemuHosts(QemuHypervisor):
    """Two hosts of this machine, with a part of it each. With `shared`, both see the disks of all guests."""

    host, other = HostName("left"), HostName("right")

    def __init__(self, folder: Path, *, shared: bool = False) -> None:
        super().__init__(folder)
        self._folders = {self.host: folder / "left", self.other: folder / "right"}
        self.shared = shared
        self._storage = folder / "storage" if shared else None
        self.bytes_a_second = FAST

    @override
    def driver(self, runtime: Runtime) -> QemuDriver:
        return self._driver(runtime, self.host, 1)

    def other_driver(self, runtime: Runtime, driver: Driver) -> QemuDriver:
        return self._driver(runtime, self.other, 2)

    def _driver(self, runtime: Runtime, host: HostName, number: int) -> QemuDriver:
        return QemuDriver(
            runtime,
            self._folders[host],
            host=host,
            share=Share(number, 2),
            storage=self._storage,
            soft_reboot_grace_s=0.5,
            migration_bytes_a_second=self.bytes_a_second,
        )

    def guest_folder(self, host: HostName) -> Path:
        return self._folders[host] / "guests" / SERVER

    def processes(self, host: HostName) -> list[int]:
        folder = self.guest_folder(host)
        return processes_of(folder, SERVER) if folder.exists() else []

    def migrations_last(self, driver: Driver, seconds: float) -> None:
        assert isinstance(driver, QemuDriver)
        driver._migration._bytes_a_second = SLOW if seconds else FAST

    def migrates(self, driver: Driver) -> bool:
        assert isinstance(driver, QemuDriver)
        return driver._guests.records[SERVER].migrating

    def disk(self, host: HostName, driver: Driver) -> tuple[object, int]:
        (folder,) = self.guest_folder(host).glob("parts-*")
        flat = folder.parent / "flat"
        tree = {"driver": "qcow2", "file": {"driver": "file", "filename": str(folder / "disk.qcow2")}}
        tree["backing"] = {"driver": "raw", "file": {"driver": "file", "filename": str(folder / "base")}}
        subprocess.run(["qemu-img", "convert", "-U", "-O", "raw", f"json:{json.dumps(tree)}", flat], check=True)
        content = hashlib.sha256(b"".join(_data(flat))).hexdigest()
        size = flat.stat().st_size
        flat.unlink()
        return content, size >> 30


def _data(path: Path) -> Iterator[bytes]:
    """What a sparse file holds, with where."""
    with path.open("rb") as file:
        offset, size = 0, path.stat().st_size
        while offset < size:
            file.seek(offset)
            piece = file.read(1 << 20)
            if piece.strip(b"\0"):
                yield offset.to_bytes(8) + piece
            try:
                offset = os.lseek(file.fileno(), offset + len(piece), os.SEEK_DATA)
            except OSError:
                return  # nothing but holes from here on
