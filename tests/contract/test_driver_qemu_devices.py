"""Cards and volumes that real guests plug in and out."""

import socket
import subprocess
from pathlib import Path

import msgspec
import pytest

from contract.hypervisors import QemuHypervisor
from contract.qemu_guests import linux_spec, run, volume
from kilonova.drivers.driver import HypervisorFailure
from kilonova.drivers.qemu.driver import QemuDriver
from kilonova.drivers.qemu.process import processes_of
from kilonova.objects.guest import GuestNic, GuestSpec, GuestVolume, PowerState
from kilonova.testing.guests import SERVER, Images, console_until, guest_spec, hello_disk

pytestmark = pytest.mark.qemu

WATCH = """
while true; do
    now="cards: $(ls /sys/class/net | tr '\\n' ' ') disks: $(ls /sys/block | grep vd | tr '\\n' ' ')"
    [ "$now" = "$before" ] || echo "seen $now"
    before=$now
    usleep 100000
done
"""
"""Says what devices there are, each time that changes."""
MIB = 1024 * 1024
NIC = GuestNic(port_id="second", network_id="net", mac="fa:16:3e:00:00:09", mtu=1442, addresses=())


@pytest.fixture
def spec(images: Images) -> GuestSpec:
    return guest_spec(images.add("image", hello_disk()))


def made(hypervisor: QemuHypervisor, volume_id: str, content: bytes = bytes(MIB)) -> GuestVolume:
    path = hypervisor.volumes / volume_id
    path.write_bytes(content)
    path.chmod(0o600)
    return volume(volume_id, path)


async def seen(driver: QemuDriver, hypervisor: QemuHypervisor, devices: str) -> None:
    """Wait until the newest thing that the guest has seen is this."""
    await console_until(
        driver,
        hypervisor.host,
        lambda text: [line for line in text.splitlines() if line.startswith("seen ")][-1:] == [f"seen {devices} "],
    )


def test_devices__plugged_in_and_out_of_a_running_guest__it_sees_them_come_and_go(
    hypervisor: QemuHypervisor, images: Images
) -> None:
    spec = linux_spec(images, WATCH)
    one = made(hypervisor, "one")

    async def before(driver: QemuDriver) -> None:
        host = hypervisor.host
        await driver.guest_ensure(host, spec, images)
        await seen(driver, hypervisor, "cards: eth0 lo  disks: vda vdb")
        for _ in range(2):
            await driver.nic_attach(host, SERVER, 2, NIC)
        await seen(driver, hypervisor, "cards: eth0 eth1 lo  disks: vda vdb")
        for _ in range(2):
            await driver.volume_attach(host, SERVER, 3, one)
        await seen(driver, hypervisor, "cards: eth0 eth1 lo  disks: vda vdb vdc")
        await driver.guest_reboot(host, SERVER, 4, hard=True)

    async def after(driver: QemuDriver) -> None:
        host = hypervisor.host
        await console_until(driver, host, lambda text: text.count("user-data begins") == 2)
        await seen(driver, hypervisor, "cards: eth0 eth1 lo  disks: vda vdb vdc")
        for _ in range(2):
            await driver.nic_detach(host, SERVER, 5, "port")
        for _ in range(2):
            await driver.volume_detach(host, SERVER, 6, "one")
        await seen(driver, hypervisor, "cards: eth1 lo  disks: vda vdb")
        await driver.nic_attach(host, SERVER, 7, spec.nics[0])
        await driver.volume_attach(host, SERVER, 8, one)
        await seen(driver, hypervisor, "cards: eth0 eth1 lo  disks: vda vdb vdc")

    run(hypervisor, before, after)


def test_volume__swapped_while_the_guest_writes__the_new_one_has_everything(
    hypervisor: QemuHypervisor, images: Images
) -> None:
    script = (
        "i=0; while true; do i=$((i + 1)); echo $i | dd of=/dev/vdc conv=sync 2>/dev/null; sync; echo wrote $i; done"
    )
    spec = linux_spec(images, script)
    old, new = made(hypervisor, "old", bytes(MIB - 4) + b"tail"), made(hypervisor, "new")
    spec = msgspec.structs.replace(spec, volumes=(old,))

    def wrote(console: str) -> int:
        lines = [line for line in console.splitlines() if line.startswith("wrote ")]
        return int(lines[-1].split()[1]) if lines else 0

    async def before(driver: QemuDriver) -> None:
        host = hypervisor.host
        await driver.guest_ensure(host, spec, images)
        await console_until(driver, host, lambda text: wrote(text) > 3)
        for _ in range(2):
            await driver.volume_swap(host, SERVER, 2, "old", new)
        count = wrote(await driver.console_output(host, SERVER, None))
        await console_until(driver, host, lambda text: wrote(text) > count + 3)
        (pid,) = processes_of(hypervisor.folder / "guests" / SERVER, SERVER)
        opened = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
        assert str(hypervisor.volumes / "new") in opened
        assert str(hypervisor.volumes / "old") not in opened
        await driver.guest_stop(host, SERVER, 3, grace_s=0)
        content = (hypervisor.volumes / "new").read_bytes()
        assert int(content.split(b"\n")[0]) >= count + 3
        assert content.endswith(b"tail")
        with pytest.raises(HypervisorFailure, match="no volume old"):
            await driver.volume_swap(host, SERVER, 4, "old", made(hypervisor, "third"))

    async def after(driver: QemuDriver) -> None:
        await driver.guest_start(hypervisor.host, SERVER, 5)
        await driver.volume_detach(hypervisor.host, SERVER, 6, "old")

    run(hypervisor, before, after)


def test_device__guest_keeps_it__says_so_and_lets_it_go_at_the_next_start(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec
) -> None:
    hypervisor.unplug_s = 1

    async def scenario(driver: QemuDriver) -> None:
        host = hypervisor.host
        await driver.guest_ensure(host, spec, images)
        await driver.volume_attach(host, SERVER, 2, made(hypervisor, "one"))
        with pytest.raises(HypervisorFailure, match="the guest has kept it for 1 s"):
            await driver.volume_detach(host, SERVER, 3, "one")
        with pytest.raises(HypervisorFailure, match="the guest has kept it for 1 s"):
            await driver.nic_detach(host, SERVER, 4, "port")
        await driver.guest_stop(host, SERVER, 5, grace_s=0)
        await driver.volume_detach(host, SERVER, 6, "one")
        await driver.nic_detach(host, SERVER, 7, "port")
        await driver.guest_start(host, SERVER, 8)
        assert not any("virtio-net" in word or "disk" in word for word in words(hypervisor) if '"id"' in word)

    run(hypervisor, scenario)


def words(hypervisor: QemuHypervisor) -> list[str]:
    (pid,) = processes_of(hypervisor.folder / "guests" / SERVER, SERVER)
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")


def test_suspended__with_a_volume__has_it_again_and_takes_no_other(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec
) -> None:
    async def scenario(driver: QemuDriver) -> None:
        host = hypervisor.host
        await driver.guest_ensure(host, spec, images)
        await console_until(driver, host, lambda text: hypervisor.boots(text) == 1)
        await driver.volume_attach(host, SERVER, 2, made(hypervisor, "one"))
        await driver.nic_attach(host, SERVER, 3, NIC)
        await driver.guest_suspend(host, SERVER, 4)
        with pytest.raises(HypervisorFailure, match="resume it first"):
            await driver.volume_attach(host, SERVER, 5, made(hypervisor, "two"))
        with pytest.raises(HypervisorFailure, match="resume it first"):
            await driver.volume_detach(host, SERVER, 6, "one")
        resumed = await driver.guest_resume(host, SERVER, 7)
        assert resumed.power_state is PowerState.RUNNING
        assert hypervisor.boots(await driver.console_output(host, SERVER, None)) == 1

    run(hypervisor, scenario)


def test_boot_volume__holds_the_system__is_booted_and_stays(hypervisor: QemuHypervisor, images: Images) -> None:
    boot = msgspec.structs.replace(made(hypervisor, "boot", hello_disk()), boot=True)
    spec = guest_spec(None, volumes=(boot, made(hypervisor, "data")))

    async def scenario(driver: QemuDriver) -> None:
        host = hypervisor.host
        await driver.guest_ensure(host, spec, images)
        await console_until(driver, host, lambda text: hypervisor.boots(text) == 1)
        with pytest.raises(HypervisorFailure, match="runs from it"):
            await driver.volume_detach(host, SERVER, 2, "boot")
        with pytest.raises(HypervisorFailure, match="no root disk of its own"):
            await driver.guest_snapshot(host, SERVER, 3, "image", "raw", None)  # type: ignore[arg-type]
        await driver.guest_destroy(host, SERVER, 4)
        assert (hypervisor.volumes / "boot").read_bytes() == hello_disk()

    run(hypervisor, scenario)


def test_nbd_volume__of_a_server__is_booted_from(hypervisor: QemuHypervisor, images: Images, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(hello_disk())
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    export = [
        "qemu-nbd",
        "--fork",
        "--persistent",
        "--shared=4",
        "-f",
        "raw",
        "-x",
        "v",
        "-b",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    pid_file = tmp_path / "pid"
    subprocess.run([*export, f"--pid-file={pid_file}", tmp_path / "disk"], check=True)
    data = {"host": "127.0.0.1", "port": port, "export": "v"}
    connection = {"driver_volume_type": "nbd", "data": data}
    boot = GuestVolume(volume_id="v", attachment_id="a", connection=connection, device="/dev/vda", boot=True)

    async def scenario(driver: QemuDriver) -> None:
        await driver.guest_ensure(hypervisor.host, guest_spec(None, volumes=(boot,)), images)
        await console_until(driver, hypervisor.host, lambda text: hypervisor.boots(text) == 1)
        await driver.guest_destroy(hypervisor.host, SERVER, 2)

    try:
        run(hypervisor, scenario)
    finally:
        subprocess.run(["kill", pid_file.read_text().strip()], check=True)


@pytest.mark.parametrize("connection", [{}, {"driver_volume_type": "rbd", "data": {"name": "pool/volume"}}])
def test_volume__that_can_not_be_connected__is_refused_and_not_remembered(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec, connection: dict[str, object]
) -> None:
    strange = GuestVolume(volume_id="v", attachment_id="a", connection=connection, device="/dev/vdb")

    async def scenario(driver: QemuDriver) -> None:
        await driver.guest_ensure(hypervisor.host, spec, images)
        with pytest.raises(HypervisorFailure, match="can't be connected here"):
            await driver.volume_attach(hypervisor.host, SERVER, 2, strange)
        rebooted = await driver.guest_reboot(hypervisor.host, SERVER, 3, hard=True)
        assert rebooted.power_state is PowerState.RUNNING

    run(hypervisor, scenario)
