"""Orders for tests that kill the program in the middle of one: given by the test itself, or by a program that dies."""

import asyncio
import sys
from pathlib import Path

import msgspec

from contract.hypervisors import DyingRuntime, QemuHypervisor
from contract.qemu_guests import counter_disk, counts_until
from kilonova.drivers.qemu.driver import QemuDriver
from kilonova.kernel.ids import HostName
from kilonova.objects.guest import Guest, GuestSpec
from kilonova.testing.guests import SERVER, Images, guest_spec

RESCUE = b"hello from the other image\r\n"
MEMORY_ORDERS = ("suspend", "resume")
DISK_ORDERS = ("rescue", "unrescue", "rebuild", "resize", "revert")


async def ordered(driver: QemuDriver, host: HostName, order: str) -> Guest:
    """Give one of the orders, or all that comes before it: generations 1, 2, 3."""
    images = Images()
    spec = guest_spec(images.add("image", counter_disk()))
    other = msgspec.structs.replace(spec, image=images.add("other", counter_disk(RESCUE)))
    match order:
        case "before resume":
            await ordered(driver, host, "before suspend")
            return await driver.guest_suspend(host, SERVER, 2)
        case "before unrescue":
            return await driver.guest_rescue(host, await _made(driver, host, other, images), images)
        case "before revert":
            larger = msgspec.structs.replace(await _made(driver, host, spec, images), disk_gb=2)
            return await driver.guest_resize(host, larger, run=True)
        case "suspend":
            return await driver.guest_suspend(host, SERVER, 3)
        case "resume":
            return await driver.guest_resume(host, SERVER, 3)
        case "rescue":
            return await driver.guest_rescue(host, msgspec.structs.replace(other, generation=3), images)
        case "unrescue":
            return await driver.guest_unrescue(host, SERVER, 3)
        case "rebuild":
            return await driver.guest_rebuild(host, msgspec.structs.replace(other, generation=3), images, run=True)
        case "resize":
            larger = msgspec.structs.replace(spec, generation=3, disk_gb=2)
            return await driver.guest_resize(host, larger, run=True)
        case "revert":
            return await driver.guest_resize_revert(host, SERVER, 3, run=True)
        case _:
            made = await driver.guest_ensure(host, spec, images)
            await counts_until(driver, QemuHypervisor(Path()), 3)
            return made


async def _made(driver: QemuDriver, host: HostName, spec: GuestSpec, images: Images) -> GuestSpec:
    await ordered(driver, host, "before")
    return msgspec.structs.replace(spec, generation=2)


def die_amid(order: str, folder: Path, calls: int) -> None:
    """Give the order, and be killed after `calls` blocking calls."""

    async def scenario() -> None:
        hypervisor = QemuHypervisor(folder)
        driver = hypervisor.driver(DyingRuntime(calls))
        await driver.start()
        await ordered(driver, hypervisor.host, order)

    asyncio.run(scenario())


if __name__ == "__main__":
    die_amid(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
