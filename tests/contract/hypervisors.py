"""Hypervisors for the driver suite: how to open one, open it again, and harm it from outside."""

import asyncio
import functools
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from kilonova.drivers.driver import Driver
from kilonova.drivers.fake.driver import FakeDriver
from kilonova.drivers.qemu.driver import QemuDriver
from kilonova.drivers.qemu.probe import Unusable, emulator_find
from kilonova.drivers.qemu.process import process_kill
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestAddress, GuestImage, GuestNic, GuestSpec, PowerState
from kilonova.runtime.real import RealRuntime
from kilonova.runtime.runtime import Runtime
from kilonova.simulation.faults import QUIET, Faults
from kilonova.simulation.hypervisor import HostSize, SimDriver
from kilonova.simulation.hypervisor import Hypervisor as Hardware
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.sometimes import Sometimes

SERVER = ServerId("5a5a5a5a-0000-4000-8000-000000000001")
HELLO = b"hello from the boot sector\r\n"
WAIT_S = 30.0


class Hypervisor(Protocol):
    """One hypervisor whose driver can be opened again and again, as after a restart."""

    host: HostName

    def driver(self, runtime: Runtime) -> Driver: ...

    def crash(self, driver: Driver, server_id: ServerId) -> None:
        """End the guest from outside, at once."""

    def boots(self, console: str) -> int:
        """How often a guest was started, to judge by its console."""


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


def boot_sector(code: bytes) -> bytes:
    """A disk of 1 MiB whose boot sector is `code`."""
    return code.ljust(510, b"\0") + b"\x55\xaa" + bytes(1024 * 1024 - 512)


def hello_disk() -> bytes:
    """A disk that boots, writes `HELLO` to the first serial port, and halts.

    In assembler: cld; xor ax, ax; mov ds, ax; mov si, text; mov dx, 0x3f8; next: lodsb; test al, al; jz halt; out dx, al;
    jmp next; halt: hlt; jmp halt; text: ...
    """
    code = bytes.fromhex("fc 31c0 8ed8 be167c baf803 ac 84c0 7403 ee ebf8 f4 ebfd")
    return boot_sector(code + HELLO)


def power_off_disk() -> bytes:
    """A disk that boots and switches the machine off (ACPI's sleep port of the q35 machine): mov dx, 0x604; mov ax, 0x2000;
    out dx, ax; hlt."""
    return boot_sector(bytes.fromhex("ba0406 b80020 ef f4"))


class Images:
    """An `ImageSource` of contents in memory."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self.fetched: list[str] = []

    def add(self, image_id: str, content: bytes, disk_format: str = "raw") -> GuestImage:
        self._contents[image_id] = content
        digest = hashlib.sha512(content).hexdigest()
        return GuestImage(id=image_id, disk_format=disk_format, size=len(content), sha512=digest)

    async def image_content(self, image: GuestImage) -> AsyncIterator[bytes]:
        self.fetched.append(image.id)
        content = self._contents[image.id]
        for start in range(0, len(content), 256 * 1024):
            yield content[start : start + 256 * 1024]


def guest_spec(image: GuestImage | None, **changes: Any) -> GuestSpec:
    """A small guest with one card."""
    address = GuestAddress(address="10.9.0.7", version=4, cidr="10.9.0.0/24", gateway="10.9.0.1", dns=("10.9.0.2",))
    nic = GuestNic(port_id="port", network_id="net", mac="fa:16:3e:00:00:07", mtu=1442, addresses=(address,))
    spec = GuestSpec(
        server_id=SERVER,
        generation=1,
        name="small",
        hostname="small",
        vcpus=1,
        memory_mb=64,
        disk_gb=1,
        image=image,
        kernel=None,
        ramdisk=None,
        cmdline="",
        nics=(nic,),
        config_drive={"openstack/latest/meta_data.json": json.dumps({"hostname": "small"}).encode()},
        project_id="project",
        user_id="user",
        flavor_name="tiny",
    )
    return msgspec.structs.replace(spec, **changes)


async def console_until(driver: Driver, host: HostName, enough: Callable[[str], bool]) -> str:
    """The console as soon as it satisfies `enough`."""
    async with asyncio.timeout(WAIT_S):
        while not enough(text := await driver.console_output(host, SERVER, None)):
            await asyncio.sleep(0.05)
    return text


async def power_until(driver: Driver, state: PowerState) -> Guest:
    """The only guest, as soon as it shows `state`."""
    async with asyncio.timeout(WAIT_S):
        while (guest := (await driver.guests())[0]).power_state is not state:
            await asyncio.sleep(0.05)
    return guest


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
