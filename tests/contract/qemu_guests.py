"""Guests for what only a hypervisor that computes can show: one that counts, and one that runs Linux."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from contract.hypervisors import QemuHypervisor
from kilonova.drivers.qemu.driver import QemuDriver
from kilonova.drivers.qemu.process import processes_of
from kilonova.objects.guest import GuestSpec, GuestVolume
from kilonova.runtime.real import RealRuntime
from kilonova.testing.guests import HELLO, SERVER, Images, boot_sector, guest_spec

ROOT = Path(__file__).resolve().parents[2]
PATTERN = b"\x5a" * 65536
PATTERN_AT = 512 * 1024

Scenario = Callable[[QemuDriver], Awaitable[None]]


def run(hypervisor: QemuHypervisor, *scenarios: Scenario) -> None:
    """Play each scenario on a driver of its own, as if Kilonova had restarted in between."""

    async def play(scenario: Scenario) -> None:
        driver = hypervisor.driver(RealRuntime())
        await driver.start()
        await scenario(driver)
        await driver.close()

    for scenario in scenarios:
        asyncio.run(play(scenario))


def counter_disk(hello: bytes = HELLO) -> bytes:
    """A disk that boots, says `hello`, and then counts the timer's ticks, a line each: AAAB, AAAC, ...

    In assembler: cld; xor ax, ax; mov ds, ax; mov ss, ax; mov sp, 0x7c00; mov dx, 0x3f8; mov si, text; next: lodsb;
    test al, al; jz count; out dx, al; jmp next; count: xor bx, bx; tick: sti; hlt; inc bx; mov cx, 4; digit: rol bx, 4;
    mov al, bl; and al, 15; add al, 'A'; out dx, al; loop digit; mov al, 10; out dx, al; jmp tick; text: ...
    """
    code = bytes.fromhex(
        "fc 31c0 8ed8 8ed0 bc007c baf803 be317c ac 84c0 7403 ee ebf8 31db fb f4 43 b90400 c1c304 88d8 240f 0441 ee e2f4"
        "b00a ee ebe9"
    )
    return boot_sector(code + hello)


def counts(console: str) -> list[int]:
    """What a guest of `counter_disk` has counted."""
    lines = re.findall(r"^([A-P]{4})\n", console, flags=re.MULTILINE)
    return [int("".join(f"{ord(letter) - ord('A'):x}" for letter in line), 16) for line in lines]


def counted_on(console: str) -> bool:
    """Whether the guest was booted once and has missed nothing since."""
    found = counts(console)
    return console.count(HELLO.decode().strip()) == 1 and found == list(range(1, len(found) + 1))


def never_went_back(console: str) -> bool:
    """Whether it was booted once and has counted nothing twice. What it said may be lost: a kill can cost that."""
    found = counts(console)
    return console.count(HELLO.decode().strip()) <= 1 and found == sorted(set(found))


async def counts_until(driver: QemuDriver, hypervisor: QemuHypervisor, more_than: int) -> str:
    """The console once the guest has counted further."""
    async with asyncio.timeout(30):
        while True:
            console = await driver.console_output(hypervisor.host, SERVER, None)
            if (counts(console) or [0])[-1] > more_than:
                return console
            await asyncio.sleep(0.05)


async def count_now(driver: QemuDriver, hypervisor: QemuHypervisor) -> int:
    """What it has counted to."""
    return (counts(await driver.console_output(hypervisor.host, SERVER, None)) or [0])[-1]


def linux_spec(images: Images, user_data: str, **changes: Any) -> GuestSpec:
    """The demo's guest, with a script that it runs. Skips the test where that can't be made."""
    maker = [sys.executable, ROOT / "tools/guest_image/make.py", ROOT / ".cache/guest-image"]
    made = subprocess.run(maker, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"the guest image can't be made here: {made.stderr.strip()}")
    contents = {name: Path(path).read_bytes() for name, path in json.loads(made.stdout).items()}
    config_drive = {
        "openstack/latest/meta_data.json": json.dumps({"uuid": SERVER, "hostname": "linux"}).encode(),
        "openstack/latest/user_data": f"#!/bin/sh\n{user_data}\n".encode(),
    }
    return guest_spec(
        images.add("disk", contents["disk"]),
        kernel=images.add("kernel", contents["kernel"], "aki"),
        ramdisk=images.add("ramdisk", contents["ramdisk"], "ari"),
        memory_mb=128,
        config_drive=config_drive,
        **changes,
    )


class Sink:
    """An `ImageSink` that keeps contents in memory."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    async def image_upload(self, image_id: str, content: AsyncIterator[bytes]) -> None:
        assert image_id not in self.contents
        self.contents[image_id] = b"".join([piece async for piece in content])


def volume(volume_id: str, path: Path, **changes: Any) -> GuestVolume:
    """A volume in a file."""
    connection = {"driver_volume_type": "local", "data": {"path": str(path), "format": "raw"}}
    return GuestVolume(
        volume_id=volume_id, attachment_id=f"a-{volume_id}", connection=connection, device="/dev/vdb", **changes
    )


def root_disk(hypervisor: QemuHypervisor) -> Path:
    """The file of the guest's root disk."""
    guest = hypervisor.folder / "guests" / SERVER
    return guest / json.loads((guest / "guest.json").read_bytes())["parts"]["folder"] / "disk.qcow2"


def pattern_write(hypervisor: QemuHypervisor) -> None:
    """Write `PATTERN` to the root disk of a guest that is off."""
    words = ["qemu-io", "-f", "qcow2", "-c", f"write -P 0x5a {PATTERN_AT} {len(PATTERN)}", root_disk(hypervisor)]
    subprocess.run(words, check=True, capture_output=True)


def has_pattern(hypervisor: QemuHypervisor) -> bool:
    """Whether the root disk of a guest that is off has it."""
    words = ["qemu-io", "-r", "-f", "qcow2", "-c", f"read -P 0x5a {PATTERN_AT} {len(PATTERN)}", root_disk(hypervisor)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    return done.returncode == 0 and "Pattern verification failed" not in done.stdout


def disk_bytes(path: Path, disk_format: str = "qcow2") -> int:
    """The size of a disk as its guest sees it."""
    words = ["qemu-img", "info", "-U", "-f", disk_format, "--output=json", path]
    return int(json.loads(subprocess.run(words, check=True, capture_output=True).stdout)["virtual-size"])


def command_line(hypervisor: QemuHypervisor) -> list[str]:
    """The words of the guest's process."""
    (pid,) = processes_of(hypervisor.folder / "guests" / SERVER, SERVER)
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
