"""What the driver suite needs: a hypervisor to judge, guests to make on it, and images that they boot."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, Protocol

import msgspec

from kilonova.drivers.driver import Driver
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestAddress, GuestImage, GuestNic, GuestSpec, GuestVolume, PowerState
from kilonova.runtime.runtime import Runtime

SERVER = ServerId("5a5a5a5a-0000-4000-8000-000000000001")
"""The server that the suite makes a guest for."""
CARD = GuestNic(port_id="second", network_id="net", mac="fa:16:3e:00:00:08", mtu=1442, addresses=())
"""A card that is plugged in."""
VOLUME = GuestVolume(volume_id="data", attachment_id="attachment", connection={}, device="/dev/vdb")
"""A volume that is plugged in."""
NEW_VOLUME = GuestVolume(volume_id="new", attachment_id="another", connection={}, device="")
"""A volume that takes its place."""
HELLO = b"hello from the boot sector\r\n"
"""What the guest of `hello_disk` writes to its first serial port."""
WAIT_S = 30.0
"""How long a guest may take to show something."""


class Hypervisor(Protocol):
    """One hypervisor whose driver can be opened again and again, as after a restart."""

    host: HostName
    """One of its hosts: the suite uses this one."""

    def driver(self, runtime: Runtime) -> Driver:
        """A driver for it, not started yet."""

    def crash(self, driver: Driver, server_id: ServerId) -> None:
        """End the guest from outside, at once."""

    def boots(self, console: str) -> int:
        """How often a guest was started, to judge by its console."""


class Devices(Hypervisor, Protocol):
    """A hypervisor that shows what is plugged into a guest."""

    def devices(self, driver: Driver) -> dict[str, str]:
        """Of the guest on `host`: MACs by port, and devices by volume."""


class TwoHosts(Hypervisor, Protocol):
    """A hypervisor with another host, whose driver is another agent's. Neither sees the other's disks."""

    other: HostName

    def other_driver(self, runtime: Runtime, driver: Driver) -> Driver:
        """The driver of `other`, not started yet; or `driver`, if it serves both."""

    def migrations_last(self, driver: Driver, seconds: float) -> None:
        """Make live migrations last at least this long, unless they are forced."""

    def migrates(self, driver: Driver) -> bool:
        """Whether a migration from `host` is under way."""

    def disk(self, host: HostName, driver: Driver) -> tuple[object, int]:
        """What stands for the content of the guest's root disk, and its size in GiB."""


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


class Uploaded(NamedTuple):
    """What is kept of an image that a driver stored."""

    head: bytes
    sha512: str


class Images:
    """An `ImageStore` of contents in memory."""

    def __init__(self) -> None:
        """Start with none."""
        self._contents: dict[str, bytes] = {}
        self.fetched: list[str] = []
        """Ids of the images asked for, in order."""
        self.uploaded: dict[str, Uploaded] = {}
        """What was stored, by image."""

    def add(self, image_id: str, content: bytes, disk_format: str = "raw") -> GuestImage:
        """Have an image with this content."""
        self._contents[image_id] = content
        digest = hashlib.sha512(content).hexdigest()
        return GuestImage(id=image_id, disk_format=disk_format, size=len(content), sha512=digest)

    async def image_content(self, image: GuestImage) -> AsyncIterator[bytes]:
        """See `ImageSource.image_content`."""
        self.fetched.append(image.id)
        content = self._contents[image.id]
        for start in range(0, len(content), 256 * 1024):
            yield content[start : start + 256 * 1024]

    async def image_upload(self, image_id: str, content: AsyncIterator[bytes]) -> None:
        """See `ImageSink.image_upload`."""
        if image_id in self.uploaded:
            return
        head, digest = b"", hashlib.sha512()
        async for piece in content:
            head = head or piece[:512]
            digest.update(piece)
        self.uploaded[image_id] = Uploaded(head, digest.hexdigest())


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


async def twice(order: Callable[[], Awaitable[Guest]]) -> Guest:
    """Give an order twice: the second finds the work done."""
    first = await order()
    assert await order() == first
    return first
