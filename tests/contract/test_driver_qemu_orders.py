"""Real guests that are paused, suspended, rescued, rebuilt, resized, copied, and asked by way of their agent."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from contract.hypervisors import QemuHypervisor
from contract.qemu_guests import (
    PATTERN,
    PATTERN_AT,
    Sink,
    command_line,
    count_now,
    counted_on,
    counter_disk,
    counts_until,
    disk_bytes,
    has_pattern,
    linux_spec,
    never_went_back,
    pattern_write,
    root_disk,
    run,
)
from contract.qemu_interrupted import DISK_ORDERS, MEMORY_ORDERS, RESCUE, ordered
from kilonova.drivers.driver import HypervisorFailure, NoGuestAgent
from kilonova.drivers.qemu.driver import QemuDriver
from kilonova.drivers.qemu.process import process_alive
from kilonova.drivers.qemu.resources import GIB
from kilonova.objects.guest import GuestSpec, PowerState
from kilonova.testing.guests import HELLO, SERVER, Images, console_until, guest_spec, hello_disk

pytestmark = pytest.mark.qemu

INTERRUPTED = Path(__file__).with_name("qemu_interrupted.py")
AGENT = """
port=$(grep -l org.qemu.guest_agent.0 /sys/class/virtio-ports/*/name | head -n 1)
exec 3<>/dev/$(basename $(dirname $port))
echo the agent listens
while true; do
    read -r line <&3 || { usleep 100000; continue; }  # nobody has opened the other side
    case "$line" in
    *guest-sync-delimited*)
        printf '\\377{"return": %s}\\n' "$(echo "$line" | sed -n 's/.*"id": *\\([0-9]*\\).*/\\1/p')" >&3 ;;
    *guest-set-user-password*)
        password=$(echo "$line" | sed -n 's/.*"password": *"\\([^"]*\\)".*/\\1/p' | base64 -d)
        echo "the password is now $password"
        if [ "$password" = short ]; then printf '{"error": {"class": "GenericError", "desc": "too short"}}\\n' >&3
        else printf '{"return": {}}\\n' >&3; fi ;;
    esac
done
"""


@pytest.fixture
def spec(images: Images) -> GuestSpec:
    return guest_spec(images.add("image", counter_disk()))


def at(spec: GuestSpec, generation: int, **changes: object) -> GuestSpec:
    return msgspec.structs.replace(spec, generation=generation, **changes)


def test_pause__twice__stands_still_until_unpaused(hypervisor: QemuHypervisor, images: Images, spec: GuestSpec) -> None:
    async def before(driver: QemuDriver) -> None:
        await driver.guest_ensure(hypervisor.host, spec, images)
        await counts_until(driver, hypervisor, 3)
        for _ in range(2):
            paused = await driver.guest_pause(hypervisor.host, SERVER, 2)
            assert (paused.power_state, paused.generation) == (PowerState.PAUSED, 2)

    async def after(driver: QemuDriver) -> None:
        (guest,) = await driver.guests()
        assert guest.power_state is PowerState.PAUSED
        still = await count_now(driver, hypervisor)
        await driver.guest_crash_dump(hypervisor.host, SERVER, 3)
        assert await count_now(driver, hypervisor) == still
        for _ in range(2):
            went_on = await driver.guest_unpause(hypervisor.host, SERVER, 4)
            assert went_on.power_state is PowerState.RUNNING
        assert counted_on(await counts_until(driver, hypervisor, still + 3))

    run(hypervisor, before, after)


def test_suspend__driver_restarts__resume_goes_on_where_it_was(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec
) -> None:
    reached = 0

    async def before(driver: QemuDriver) -> None:
        nonlocal reached
        await driver.guest_ensure(hypervisor.host, spec, images)
        await counts_until(driver, hypervisor, 3)
        for _ in range(2):
            suspended = await driver.guest_suspend(hypervisor.host, SERVER, 2)
            assert (suspended.power_state, suspended.generation) == (PowerState.SUSPENDED, 2)
        assert not process_alive(hypervisor.folder / "guests" / SERVER)
        reached = await count_now(driver, hypervisor)

    async def after(driver: QemuDriver) -> None:
        (guest,) = await driver.guests()
        assert guest.power_state is PowerState.SUSPENDED
        for _ in range(2):
            resumed = await driver.guest_resume(hypervisor.host, SERVER, 3)
            assert resumed.power_state is PowerState.RUNNING
        assert counted_on(await counts_until(driver, hypervisor, reached + 3))
        assert not (hypervisor.folder / "guests" / SERVER / "memory").exists()

    run(hypervisor, before, after)


def test_suspended__started__gives_its_memory_up(hypervisor: QemuHypervisor, images: Images, spec: GuestSpec) -> None:
    async def scenario(driver: QemuDriver) -> None:
        await driver.guest_ensure(hypervisor.host, spec, images)
        await counts_until(driver, hypervisor, 1)
        await driver.guest_suspend(hypervisor.host, SERVER, 2)
        started = await driver.guest_start(hypervisor.host, SERVER, 3)
        assert started.power_state is PowerState.RUNNING
        await console_until(driver, hypervisor.host, lambda text: hypervisor.boots(text) == 2)
        assert not (hypervisor.folder / "guests" / SERVER / "memory").exists()
        await driver.guest_stop(hypervisor.host, SERVER, 4, grace_s=0)
        with pytest.raises(HypervisorFailure, match="not suspended"):
            await driver.guest_resume(hypervisor.host, SERVER, 5)

    run(hypervisor, scenario)


@pytest.mark.parametrize("order", MEMORY_ORDERS)
def test_memory_order__killed_at_any_step__the_next_one_finishes_and_no_tick_is_counted_twice(
    hypervisor: QemuHypervisor, order: str
) -> None:
    async def again(driver: QemuDriver) -> None:
        await ordered(driver, hypervisor.host, order)
        if order == "suspend":
            assert [guest.power_state for guest in await driver.guests()] == [PowerState.SUSPENDED]
            await driver.guest_resume(hypervisor.host, SERVER, 9)
        reached = await count_now(driver, hypervisor)
        assert never_went_back(await counts_until(driver, hypervisor, reached + 3))
        await driver.guest_destroy(hypervisor.host, SERVER, 10)

    _interrupt(hypervisor, order, again)


@pytest.mark.parametrize("order", DISK_ORDERS)
def test_disk_order__killed_at_any_step__the_next_one_finishes_and_nothing_is_left_over(
    hypervisor: QemuHypervisor, order: str
) -> None:
    async def again(driver: QemuDriver) -> None:
        shown = await ordered(driver, hypervisor.host, order)
        assert shown.power_state is PowerState.RUNNING
        hello = {"rescue": RESCUE, "rebuild": RESCUE}.get(order, HELLO).decode().strip()
        await console_until(driver, hypervisor.host, lambda text: hello in text)
        kept = [path.name for path in (hypervisor.folder / "guests" / SERVER).iterdir() if path.is_dir()]
        assert len(kept) == (2 if order in {"rescue", "resize"} else 1)
        await driver.guest_destroy(hypervisor.host, SERVER, 10)
        assert list((hypervisor.folder / "guests").iterdir()) == []

    _interrupt(hypervisor, order, again)


def _interrupt(hypervisor: QemuHypervisor, order: str, again: object) -> None:
    """Give the order to a program that dies after one, two, three, ... steps, and each time `again` to one that lives."""

    async def before(driver: QemuDriver) -> None:
        await ordered(driver, hypervisor.host, f"before {order}")

    for calls in range(3, 60):  # the first ones are those of finding what runs
        run(hypervisor, before)
        program = [sys.executable, INTERRUPTED, order, hypervisor.folder.parent, str(calls)]
        here = {**os.environ, "PYTHONPATH": str(INTERRUPTED.parents[1])}
        died = subprocess.run(program, stderr=subprocess.PIPE, text=True, check=False, env=here)
        run(hypervisor, again)  # type: ignore[arg-type]
        if died.returncode == 0:
            return
        assert died.returncode == -signal.SIGKILL, died.stderr
    pytest.fail("the order never came to its end")


def test_rescue__then_unrescue__keeps_its_own_disk(hypervisor: QemuHypervisor, images: Images, spec: GuestSpec) -> None:
    rescue = at(spec, 2, image=images.add("rescue", counter_disk(RESCUE)))

    async def scenario(driver: QemuDriver) -> None:
        host = hypervisor.host
        await driver.guest_ensure(host, spec, images, run=False)
        pattern_write(hypervisor)
        for _ in range(2):
            rescued = await driver.guest_rescue(host, rescue, images)
            assert rescued.power_state is PowerState.RUNNING
        console = await console_until(driver, host, lambda text: RESCUE.decode().strip() in text)
        assert hypervisor.boots(console) == 0
        assert sum('"drive": "own"' in word for word in command_line(hypervisor)) == 1
        for _ in range(2):
            unrescued = await driver.guest_unrescue(host, SERVER, 3)
            assert unrescued.power_state is PowerState.RUNNING
        await console_until(driver, host, lambda text: hypervisor.boots(text) == 1)
        await driver.guest_stop(host, SERVER, 4, grace_s=0)
        assert has_pattern(hypervisor)
        assert await driver.images_clean(0) == ["rescue"]

    run(hypervisor, scenario)


def test_rebuild__same_image_or_new_or_kept_disk__boots_what_it_should(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec
) -> None:
    new = images.add("new", counter_disk(RESCUE))

    async def scenario(driver: QemuDriver) -> None:
        host = hypervisor.host
        await driver.guest_ensure(host, spec, images, run=False)
        pattern_write(hypervisor)
        await driver.guest_rebuild(host, at(spec, 2), images, run=False, keep_disk=True)
        assert has_pattern(hypervisor)
        await driver.guest_rebuild(host, at(spec, 3), images, run=False)
        assert not has_pattern(hypervisor)
        pattern_write(hypervisor)
        stopped = await driver.guest_rebuild(host, at(spec, 3), images, run=False)
        assert (has_pattern(hypervisor), stopped.power_state) == (True, PowerState.SHUTDOWN)
        for _ in range(2):
            rebuilt = await driver.guest_rebuild(host, at(spec, 4, image=new), images, run=True)
            assert rebuilt.power_state is PowerState.RUNNING
        console = await console_until(driver, host, lambda text: RESCUE.decode().strip() in text)
        assert hypervisor.boots(console) == 0
        assert await driver.images_clean(0) == ["image"]

    run(hypervisor, scenario)


def test_resize__grows_disk_and_memory__and_reverts_or_is_confirmed(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec
) -> None:
    async def scenario(driver: QemuDriver) -> None:
        host = hypervisor.host
        await driver.guest_ensure(host, spec, images, run=False)
        small = root_disk(hypervisor)
        for _ in range(2):
            resized = await driver.guest_resize(host, at(spec, 2, disk_gb=2, memory_mb=96, vcpus=2), run=True)
            assert resized.power_state is PowerState.RUNNING
        assert "96M" in command_line(hypervisor)
        assert (disk_bytes(root_disk(hypervisor)), disk_bytes(small)) == (2 * GIB, GIB)
        await driver.guest_stop(host, SERVER, 3, grace_s=0)
        pattern_write(hypervisor)
        for _ in range(2):
            reverted = await driver.guest_resize_revert(host, SERVER, 4, run=True)
            assert reverted.power_state is PowerState.RUNNING
        assert "64M" in command_line(hypervisor)
        assert root_disk(hypervisor) == small
        await driver.guest_stop(host, SERVER, 5, grace_s=0)
        assert not has_pattern(hypervisor)
        await driver.guest_resize(host, at(spec, 6, disk_gb=3), run=False)
        for _ in range(2):
            confirmed = await driver.guest_resize_confirm(host, SERVER, 7)
            assert confirmed.power_state is PowerState.SHUTDOWN
        assert not small.exists()
        with pytest.raises(HypervisorFailure, match="can't shrink"):
            await driver.guest_resize(host, at(spec, 8, disk_gb=2), run=False)
        await driver.guest_start(host, SERVER, 9)
        await console_until(driver, host, lambda text: hypervisor.boots(text) > 0)

    run(hypervisor, scenario)


@pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
@pytest.mark.parametrize("state", ["running", "paused", "suspended", "stopped"])
def test_snapshot__of_a_guest_in_any_state__is_its_disk_with_nothing_beneath(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec, tmp_path: Path, disk_format: str, state: str
) -> None:
    sink = Sink()
    spec = msgspec.structs.replace(spec, disk_gb=0)  # as small as the image

    async def scenario(driver: QemuDriver) -> None:
        host = hypervisor.host
        await driver.guest_ensure(host, spec, images, run=False)
        pattern_write(hypervisor)
        if state != "stopped":
            await driver.guest_start(host, SERVER, 2)
        if state == "paused":
            await driver.guest_pause(host, SERVER, 3)
        if state == "suspended":
            await driver.guest_suspend(host, SERVER, 3)
        (before,) = await driver.guests()
        for _ in range(2):
            shown = await driver.guest_snapshot(host, SERVER, 4, "made", disk_format, sink)
            assert shown.power_state is before.power_state
        made = tmp_path / "made"
        made.write_bytes(sink.contents["made"])
        if disk_format == "qcow2":
            subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", made, tmp_path / "raw"], check=True)
        content = (made if disk_format == "raw" else tmp_path / "raw").read_bytes()
        assert content[:512] == counter_disk()[:512]
        assert content[PATTERN_AT : PATTERN_AT + len(PATTERN)] == PATTERN
        assert not list((hypervisor.folder / "guests" / SERVER).glob("snapshot*"))

    run(hypervisor, scenario)


def test_snapshot__upload_fails__leaves_nothing_and_can_be_repeated(
    hypervisor: QemuHypervisor, images: Images, spec: GuestSpec
) -> None:
    class Broken(Sink):
        async def image_upload(self, image_id: str, content: object) -> None:
            raise ConnectionResetError("the gateway is gone")

    async def scenario(driver: QemuDriver) -> None:
        await driver.guest_ensure(hypervisor.host, spec, images)
        with pytest.raises(HypervisorFailure):
            await driver.guest_snapshot(hypervisor.host, SERVER, 2, "made", "qcow2", Broken())
        assert not list((hypervisor.folder / "guests" / SERVER).glob("snapshot*"))
        sink = Sink()
        await driver.guest_snapshot(hypervisor.host, SERVER, 2, "made", "qcow2", sink)
        assert sink.contents["made"][:4] == b"QFI\xfb"

    run(hypervisor, scenario)


def test_password__guest_has_an_agent__is_set_inside(hypervisor: QemuHypervisor, images: Images) -> None:
    spec = linux_spec(images, AGENT)

    async def scenario(driver: QemuDriver) -> None:
        host = hypervisor.host
        await driver.guest_ensure(host, spec, images)
        await console_until(driver, host, lambda text: "the agent listens" in text)
        await driver.guest_password_set(host, SERVER, 2, 's3cret; $(reboot) "é"')
        console = await console_until(driver, host, lambda text: "the password is now" in text)
        assert 'the password is now s3cret; $(reboot) "é"' in console
        with pytest.raises(HypervisorFailure, match="too short"):
            await driver.guest_password_set(host, SERVER, 3, "short")

    run(hypervisor, scenario)


def test_password__guest_has_no_agent__says_so(hypervisor: QemuHypervisor, images: Images) -> None:
    spec = guest_spec(images.add("hello", hello_disk()))

    async def scenario(driver: QemuDriver) -> None:
        await driver.guest_ensure(hypervisor.host, spec, images)
        async with asyncio.timeout(10):
            for _ in range(2):
                with pytest.raises(NoGuestAgent):
                    await driver.guest_password_set(hypervisor.host, SERVER, 2, "secret")
        await driver.guest_stop(hypervisor.host, SERVER, 3, grace_s=0)
        with pytest.raises(HypervisorFailure, match="doesn't run"):
            await driver.guest_password_set(hypervisor.host, SERVER, 4, "secret")

    run(hypervisor, scenario)
