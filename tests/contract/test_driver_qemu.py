"""What the QEMU driver does beyond the contract of all drivers: real guests, hostile images, harm at every step."""

import asyncio
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from contract.hypervisors import QemuHypervisor, order_given, power_off_disk
from kilonova.drivers.driver import HypervisorFailure
from kilonova.drivers.qemu.driver import QemuDriver
from kilonova.drivers.qemu.process import process_alive, processes_of
from kilonova.kernel.ids import ServerId
from kilonova.objects.guest import GuestAddress, GuestNic, GuestSpec, PowerState
from kilonova.runtime.real import RealRuntime
from kilonova.testing.guests import HELLO, SERVER, Images, console_until, guest_spec, hello_disk, power_until

pytestmark = pytest.mark.qemu

ROOT = Path(__file__).resolve().parents[2]
HELPER = Path(__file__).with_name("hypervisors.py")
QCOW2_SIZE = 64 * 1024 * 1024
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKl0e2mQTq0bVtH7VtZ1nq2Qf1HEv6b3sD0r0c2q1w2e me@laptop"
KEY_FINGERPRINT = "e6:85:92:c2:a9:cc:41:9b:64:3e:94:da:9e:ac:87:04"

Scenario = Callable[[QemuDriver], Awaitable[None]]


@pytest.fixture
def spec(images: Images) -> GuestSpec:
    return guest_spec(images.add("image", hello_disk()))


def run(hypervisor: QemuHypervisor, scenario: Scenario) -> None:
    async def play() -> None:
        driver = hypervisor.driver(RealRuntime())
        await driver.start()
        await scenario(driver)
        await driver.close()

    asyncio.run(play())


def qcow2(*options: str, folder: Path) -> bytes:
    """A qcow2 image as qemu-img makes it."""
    path = folder / "made.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, path, str(QCOW2_SIZE)], check=True, cwd=folder)
    return path.read_bytes()


def leftovers(hypervisor: QemuHypervisor) -> list[str]:
    return [path.name for folder in ("guests", "images") for path in (hypervisor.folder / folder).iterdir()]


def test_guest_image__booted__proves_who_it_is_and_stops_when_asked(
    hypervisor: QemuHypervisor, images: Images, tmp_path: Path
) -> None:
    maker = [sys.executable, ROOT / "tools/guest_image/make.py", ROOT / ".cache/guest-image"]
    made = subprocess.run(maker, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"the guest image can't be made here: {made.stderr.strip()}")
    contents = {name: Path(path).read_bytes() for name, path in json.loads(made.stdout).items()}
    meta_data = {"uuid": SERVER, "hostname": "web-1.test", "public_keys": {"mine": f"{KEY}\n"}}
    spec = guest_spec(
        images.add("disk", contents["disk"]),
        kernel=images.add("kernel", contents["kernel"], "aki"),
        ramdisk=images.add("ramdisk", contents["ramdisk"], "ari"),
        memory_mb=128,
        config_drive={
            "openstack/latest/meta_data.json": json.dumps(meta_data).encode(),
            "openstack/latest/user_data": b"#!/bin/sh\necho six times seven is $((6 * 7))\nexit 3\n",
        },
    )

    async def scenario(driver: QemuDriver) -> None:
        await driver.guest_ensure(hypervisor.host, spec, images)
        console = await console_until(driver, hypervisor.host, lambda text: "kilonova-guest: ready" in text)
        said = [line.partition("kilonova-guest: ")[2] for line in console.splitlines() if "kilonova-guest" in line]
        assert "hostname=web-1.test" in said
        assert f"uuid={SERVER}" in said
        assert "address=10.9.0.7" in said
        assert "card=eth0 mac=fa:16:3e:00:00:07 mtu=1442" in said
        assert f"key={KEY_FINGERPRINT} me@laptop" in said
        assert "user-data ends exit=3" in said
        assert "six times seven is 42" in console
        stopped = await driver.guest_stop(hypervisor.host, SERVER, 2, grace_s=30)
        assert stopped.power_state is PowerState.SHUTDOWN
        assert "power button" in await driver.console_output(hypervisor.host, SERVER, 30)

    run(hypervisor, scenario)


def test_guest__switches_itself_off__is_shut_down_and_its_process_ends(
    hypervisor: QemuHypervisor, images: Images
) -> None:
    async def scenario(driver: QemuDriver) -> None:
        await driver.guest_ensure(hypervisor.host, guest_spec(images.add("off", power_off_disk())), images)
        await power_until(driver, PowerState.SHUTDOWN)
        assert not process_alive(hypervisor.folder / "guests" / SERVER)
        (guest,) = await driver.guests()
        assert guest.power_state is PowerState.SHUTDOWN

    run(hypervisor, scenario)


def test_guest__its_qemu_hangs__shows_no_state_and_is_destroyed_by_force(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec
) -> None:
    async def scenario(driver: QemuDriver) -> None:
        await driver.guest_ensure(hypervisor.host, spec, images)
        (pid,) = processes_of(hypervisor.folder / "guests" / SERVER, SERVER)
        os.kill(pid, signal.SIGSTOP)
        await power_until(driver, PowerState.NOSTATE)
        await driver.guest_destroy(hypervisor.host, SERVER, 2)
        await driver.images_clean(0)
        assert leftovers(hypervisor) == []

    run(hypervisor, scenario)


def test_guests__asked_amid_orders__never_show_a_crash_or_a_ghost(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec
) -> None:
    async def orders(driver: QemuDriver) -> None:
        await driver.guest_ensure(hypervisor.host, spec, images)
        for generation in (2, 3, 4):
            await driver.guest_reboot(hypervisor.host, SERVER, generation, hard=True)
        await driver.guest_destroy(hypervisor.host, SERVER, 5)

    async def scenario(driver: QemuDriver) -> None:
        work = asyncio.create_task(orders(driver))
        looks = 0
        while not work.done():
            states = [guest.power_state for guest in await driver.guests()]
            assert states in ([], [PowerState.RUNNING], [PowerState.NOSTATE], [PowerState.SHUTDOWN])
            looks += 1
            await asyncio.sleep(0)
        await work
        assert looks > 10
        assert await driver.guests() == []

    run(hypervisor, scenario)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give guests a user of their own")
def test_guest__started_by_root__runs_as_a_user_of_its_own(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec
) -> None:
    hypervisor.folder.mkdir(mode=0o700)

    async def scenario(driver: QemuDriver) -> None:
        other = ServerId("5a5a5a5a-0000-4000-8000-000000000002")
        for server_id in (SERVER, other):
            await driver.guest_ensure(hypervisor.host, msgspec.structs.replace(spec, server_id=server_id), images)
        users = set()
        for server_id in (SERVER, other):
            (pid,) = processes_of(hypervisor.folder / "guests" / server_id, server_id)
            status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            assert status["Seccomp"] == "2"
            assert int(status["CapEff"], 16) == 0
            users.add(status["Uid"])
        assert len(users) == 2
        assert not any("0" in user.split() for user in users)

    run(hypervisor, scenario)


@pytest.mark.parametrize(("order", "steps"), [("ensure", 8), ("reboot", 4), ("destroy", 3)])
def test_order__killed_at_any_step__the_next_one_finishes(hypervisor: QemuHypervisor, order: str, steps: int) -> None:
    async def before(driver: QemuDriver) -> None:
        if order != "ensure":
            await order_given(driver, hypervisor.host, "ensure")
            await console_until(driver, hypervisor.host, lambda text: hypervisor.boots(text) == 1)

    async def again(driver: QemuDriver) -> None:
        await order_given(driver, hypervisor.host, order)
        running = processes_of(hypervisor.folder / "guests" / SERVER, SERVER)
        assert len(running) == (0 if order == "destroy" else 1)
        assert [guest.power_state for guest in await driver.guests()] == [PowerState.RUNNING] * len(running)
        if order == "reboot":
            await console_until(driver, hypervisor.host, lambda text: hypervisor.boots(text) == 2)
        await driver.guest_destroy(hypervisor.host, SERVER, 3)
        await driver.images_clean(0)
        assert leftovers(hypervisor) == []

    for calls in range(1, 30):
        run(hypervisor, before)
        helper = [sys.executable, HELPER, order, hypervisor.folder.parent, str(calls)]
        died = subprocess.run(helper, stderr=subprocess.PIPE, text=True, check=False)
        run(hypervisor, again)
        if died.returncode == 0:
            assert calls >= steps
            return
        assert died.returncode == -signal.SIGKILL, died.stderr
    pytest.fail("the order never came to its end")


def test_ensure__fails_at_the_start__leaves_no_process_and_can_be_repeated(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec
) -> None:
    async def scenario(driver: QemuDriver) -> None:
        huge = msgspec.structs.replace(spec, memory_mb=1 << 40)
        with pytest.raises(HypervisorFailure, match="QEMU did not start"):
            await driver.guest_ensure(hypervisor.host, huge, images)
        assert processes_of(hypervisor.folder / "guests" / SERVER, SERVER) == []
        with pytest.raises(HypervisorFailure, match="QEMU did not start"):
            await driver.guest_ensure(hypervisor.host, huge, images)
        await driver.guest_destroy(hypervisor.host, SERVER, 2)

    run(hypervisor, scenario)


def test_start__ssh_port_was_taken_meanwhile__another_one_is_used(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec
) -> None:
    async def scenario(driver: QemuDriver) -> None:
        made = await driver.guest_ensure(hypervisor.host, spec, images)
        await driver.guest_stop(hypervisor.host, SERVER, 2, grace_s=0)
        assert made.ssh_port
        with socket.create_server(("127.0.0.1", made.ssh_port)):
            started = await driver.guest_start(hypervisor.host, SERVER, 3)
        assert started.power_state is PowerState.RUNNING
        assert started.ssh_port not in {None, made.ssh_port}

    run(hypervisor, scenario)


@pytest.mark.parametrize(
    "addresses",
    [
        (),
        (GuestAddress(address="10.0.0.2", version=4, cidr="10.0.0.0/30", gateway="10.0.0.1", dns=()),),
        (GuestAddress(address="fd00::5", version=6, cidr="fd00::/64", gateway="fd00::1", dns=()),),
    ],
    ids=["none", "smallest", "IPv6"],
)
def test_ensure__unusual_networks__qemu_accepts_them(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec, addresses: tuple[GuestAddress, ...]
) -> None:
    nic = GuestNic(port_id="p", network_id="n", mac="fa:16:3e:00:00:08", mtu=1280, addresses=addresses)

    async def scenario(driver: QemuDriver) -> None:
        made = await driver.guest_ensure(hypervisor.host, msgspec.structs.replace(spec, nics=(*spec.nics, nic)), images)
        assert made.power_state is PowerState.RUNNING

    run(hypervisor, scenario)


def test_ensure__no_image_and_no_card__runs(hypervisor: QemuHypervisor, images: Images) -> None:
    async def scenario(driver: QemuDriver) -> None:
        made = await driver.guest_ensure(hypervisor.host, guest_spec(None, nics=(), config_drive={}), images)
        assert (made.power_state, made.ssh_port) == (PowerState.RUNNING, None)

    run(hypervisor, scenario)


def test_ensure__qcow2_image__boots_from_it(hypervisor: QemuHypervisor, images: Images, tmp_path: Path) -> None:
    (tmp_path / "hello.raw").write_bytes(hello_disk())
    convert = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", tmp_path / "hello.raw", tmp_path / "hello.qcow2"]

    async def scenario(driver: QemuDriver) -> None:
        subprocess.run(convert, check=True)
        image = images.add("image", (tmp_path / "hello.qcow2").read_bytes(), "qcow2")
        await driver.guest_ensure(hypervisor.host, guest_spec(image), images)
        await console_until(driver, hypervisor.host, lambda text: HELLO.decode().strip() in text)

    run(hypervisor, scenario)


def backing_file(folder: Path) -> tuple[bytes, str]:
    (folder / "secret").write_bytes(b"secret")
    return qcow2("-F", "raw", "-b", str(folder / "secret"), folder=folder), "qcow2"


def data_file(folder: Path) -> tuple[bytes, str]:
    return qcow2("-o", f"data_file={folder / 'data'},data_file_raw=on", folder=folder), "qcow2"


def qcow2_as_raw(folder: Path) -> tuple[bytes, str]:
    return qcow2(folder=folder), "raw"


def qcow2_as_kernel(folder: Path) -> tuple[bytes, str]:
    return qcow2(folder=folder), "aki"


def raw_as_qcow2(folder: Path) -> tuple[bytes, str]:
    return hello_disk(), "qcow2"


def vmdk_as_raw(folder: Path) -> tuple[bytes, str]:
    path = folder / "made.vmdk"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", path, str(QCOW2_SIZE)], check=True)
    return path.read_bytes(), "raw"


def vmdk(folder: Path) -> tuple[bytes, str]:
    return vmdk_as_raw(folder)[0], "vmdk"


def unknown_feature(folder: Path) -> tuple[bytes, str]:
    content = bytearray(qcow2(folder=folder))
    struct.pack_into(">Q", content, 72, 1 << 40)
    return bytes(content), "qcow2"


@pytest.mark.parametrize(
    ("hostile", "complaint"),
    [
        (backing_file, "backing file"),
        (data_file, "data_file"),
        (qcow2_as_raw, "declared as raw and is qcow2"),
        (qcow2_as_kernel, "declared as aki and is qcow2"),
        (raw_as_qcow2, "declared as qcow2 and is gpt"),
        (vmdk_as_raw, "declared as raw and is vmdk"),
        (vmdk, "vmdk can't be used"),
        (unknown_feature, "not safe"),
    ],
)
def test_ensure__hostile_image__is_refused_before_any_tool_opens_it(
    hypervisor: QemuHypervisor,
    images: Images,
    tmp_path: Path,
    hostile: Callable[[Path], tuple[bytes, str]],
    complaint: str,
) -> None:
    async def scenario(driver: QemuDriver) -> None:
        content, declared = hostile(tmp_path)
        image = images.add("hostile", content, declared)
        spec = guest_spec(None, kernel=image) if declared == "aki" else guest_spec(image)
        with pytest.raises(HypervisorFailure, match=complaint):
            await driver.guest_ensure(hypervisor.host, spec, images)
        assert await driver.guests() == []
        assert leftovers(hypervisor) == []

    run(hypervisor, scenario)


def test_ensure__image_is_larger_than_the_disk__says_so(
    hypervisor: QemuHypervisor, images: Images, tmp_path: Path
) -> None:
    async def scenario(driver: QemuDriver) -> None:
        path = tmp_path / "large.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "5G"], check=True)
        image = images.add("large", path.read_bytes(), "qcow2")
        with pytest.raises(HypervisorFailure, match="needs a disk of 5 GiB, and the flavor gives 1 GiB"):
            await driver.guest_ensure(hypervisor.host, guest_spec(image), images)

    run(hypervisor, scenario)


def test_start__qemu_is_not_installed__says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HypervisorFailure, match="apt-get install qemu-system-x86"):
        asyncio.run(QemuHypervisor(tmp_path).driver(RealRuntime()).start())


def test_start__qemu_is_too_old__says_which_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, says in (("qemu-system-x86_64", "QEMU emulator version 5.2.0"), ("qemu-img", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HypervisorFailure, match=r"is QEMU 5\.2\.0, and 7 or newer is needed"):
        asyncio.run(QemuHypervisor(tmp_path).driver(RealRuntime()).start())
