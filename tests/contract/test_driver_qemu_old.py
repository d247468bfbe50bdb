"""Real guests that 0.1.0 made: they run on, and take every order."""

import json
from pathlib import Path

import msgspec
import pytest

from contract.hypervisors import QemuHypervisor
from contract.qemu_guests import count_now, counted_on, counter_disk, counts_until, disk_bytes, root_disk, run
from kilonova.drivers.driver import HypervisorFailure
from kilonova.drivers.qemu.driver import QemuDriver
from kilonova.drivers.qemu.resources import GIB
from kilonova.objects.guest import GuestSpec, PowerState
from kilonova.testing.guests import SERVER, Images, guest_spec

pytestmark = pytest.mark.qemu

_SAME = ("generation", "running", "rebooted", "ssh_port", "uid")


@pytest.fixture
def spec(images: Images) -> GuestSpec:
    return guest_spec(images.add("image", counter_disk()))


def make_old(hypervisor: QemuHypervisor) -> None:
    """Have the guest's files lie as 0.1.0 put them. Its QEMU has them open, and doesn't notice."""
    directory = hypervisor.folder / "guests" / SERVER
    record = json.loads((directory / "guest.json").read_bytes())
    parts = record["parts"]
    for path in (directory / parts["folder"]).iterdir():
        path.rename(directory / path.name)
    (directory / parts["folder"]).rmdir()
    del record["spec"]["volumes"]
    old = {name: record[name] for name in ("spec", *_SAME)}
    old |= {"base_format": parts["base_format"], "has_config_drive": parts["config_drive"]}
    (directory / "guest.json").write_text(json.dumps(old | {"image_names": parts["image_names"]}), encoding="utf-8")


def test_old_guest__runs_on__and_is_as_others_after_a_hard_reboot(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec
) -> None:
    async def before(driver: QemuDriver) -> None:
        await driver.guest_ensure(hypervisor.host, spec, images)
        await counts_until(driver, hypervisor, 1)
        make_old(hypervisor)

    async def after(driver: QemuDriver) -> None:
        host = hypervisor.host
        assert counted_on(await counts_until(driver, hypervisor, 1 + await count_now(driver, hypervisor)))
        with pytest.raises(HypervisorFailure, match=r"started by Kilonova 0\.1\.0; reboot it hard first"):
            await driver.guest_suspend(host, SERVER, 2)
        with pytest.raises(HypervisorFailure, match=r"started by Kilonova 0\.1\.0; reboot it hard first"):
            await driver.nic_detach(host, SERVER, 3, "port")
        rebooted = await driver.guest_reboot(host, SERVER, 4, hard=True)
        assert rebooted.power_state is PowerState.RUNNING
        suspended = await driver.guest_suspend(host, SERVER, 5)
        assert suspended.power_state is PowerState.SUSPENDED
        assert (await driver.guest_resume(host, SERVER, 6)).power_state is PowerState.RUNNING

    run(hypervisor, before, after)


def test_old_guest__resized_and_confirmed__leaves_nothing_of_its_old_files(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec
) -> None:
    async def before(driver: QemuDriver) -> None:
        await driver.guest_ensure(hypervisor.host, spec, images, run=False)
        make_old(hypervisor)

    async def after(driver: QemuDriver) -> None:
        old, directory = root_disk_old(hypervisor), hypervisor.folder / "guests" / SERVER
        larger = msgspec.structs.replace(spec, generation=2, disk_gb=2)
        resized = await driver.guest_resize(hypervisor.host, larger, run=True)
        assert resized.power_state is PowerState.RUNNING
        assert (disk_bytes(root_disk(hypervisor)), disk_bytes(old)) == (2 * GIB, GIB)
        await driver.guest_resize_confirm(hypervisor.host, SERVER, 3)
        assert not {"disk.qcow2", "base", "config.iso"} & {path.name for path in directory.iterdir()}
        await counts_until(driver, hypervisor, 1)

    run(hypervisor, before, after)


def root_disk_old(hypervisor: QemuHypervisor) -> Path:
    """Where 0.1.0 put the root disk."""
    return hypervisor.folder / "guests" / SERVER / "disk.qcow2"
