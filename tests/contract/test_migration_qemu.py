"""Guests that move between two QEMU hosts, cold and live: what runs goes on where it was, on one host and never on two."""

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from contract.hypervisors import SERVER, Images, boot_sector, guest_spec, qemu_missing
from kilonova.drivers.driver import HypervisorFailure, MigrationAborted, StaleGeneration
from kilonova.drivers.qemu.driver import QemuDriver
from kilonova.drivers.qemu.process import processes_of
from kilonova.drivers.qemu.resources import Share
from kilonova.kernel.errors import NotFound
from kilonova.kernel.ids import HostName
from kilonova.objects.guest import Guest, GuestSpec, PowerState
from kilonova.runtime.real import RealRuntime

pytestmark = pytest.mark.qemu

LEFT, RIGHT = HostName("left"), HostName("right")
WAIT_S = 30.0
SLOW = 200_000
"""Bytes a second at which a migration takes long enough to be interfered with."""


def counter_disk() -> bytes:
    """A disk that boots, writes `BOOT`, and counts: to the first serial port, in four digits of base 16 that are letters from
    A, and to its second sector; about 40 times a second.

    In assembler: cld; xor ax, ax; mov ds, ax; mov es, ax; mov ss, ax; mov sp, 0x7c00; xor bp, bp; mov si, text; mov cx, 5;
    mov dx, 0x3f8; rep outsb; again: mov bx, bp; mov cx, 4; mov dx, 0x3f8; digit: rol bx, 4; mov al, bl; and al, 15;
    add al, 'A'; out dx, al; loop digit; mov al, 10; out dx, al; mov [0x7e00], bp; mov ax, 0x301; mov cx, 2; mov dx, 0x80;
    mov bx, 0x7e00; int 0x13; mov ax, 0x8600; xor cx, cx; mov dx, 20000; int 0x15; inc bp; jmp again; text: ...
    """
    return boot_sector(
        bytes.fromhex(
            "fc31c08ed88ec08ed0bc007c31edbe4f7cb90500baf803f36e89ebb90400baf803c1c30488d8240f0441eee2f4b00aee"
            "892e007eb80103b90200ba8000bb007ecd13b8008631c9ba204ecd1545ebca"
        )
        + b"BOOT\n"
    )


def counts(console: str) -> list[int]:
    """The numbers that the guest said, but for one that was cut off."""
    words = re.findall(r"^[A-P]{4}$", console.rpartition("\n")[0], re.MULTILINE)
    return [sum((ord(letter) - ord("A")) << 4 * place for place, letter in enumerate(reversed(word))) for word in words]


class Hosts:
    """Two hosts of this machine. Their drivers may be opened again and again."""

    def __init__(self, folder: Path) -> None:
        self.folders = {LEFT: folder / "left", RIGHT: folder / "right"}
        self.bytes_a_second = 1 << 40

    def driver(self, host: HostName) -> QemuDriver:
        return QemuDriver(
            RealRuntime(),
            self.folders[host],
            host=host,
            share=Share(1 if host == LEFT else 2, 2),
            migration_bytes_a_second=self.bytes_a_second,
        )

    def processes(self, host: HostName) -> list[int]:
        folder = self.folders[host] / "guests" / SERVER
        return processes_of(folder, SERVER) if folder.exists() else []


Scenario = Callable[[QemuDriver, QemuDriver], Awaitable[None]]


def run(hosts: Hosts, scenario: Scenario) -> None:
    async def play() -> None:
        left, right = hosts.driver(LEFT), hosts.driver(RIGHT)
        await left.start()
        await right.start()
        await scenario(left, right)

    asyncio.run(play())


async def destroy_all(*drivers: QemuDriver) -> None:
    for driver in drivers:
        for guest in await driver.guests():
            await driver.guest_destroy(guest.host, guest.server_id, 1000)


@pytest.fixture
def hosts(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    reason = qemu_missing(tmp_path_factory.getbasetemp() / "probe")
    if reason:
        pytest.skip(reason)
    two = Hosts(tmp_path)
    yield two
    run(two, destroy_all)


@pytest.fixture
def images() -> Images:
    return Images()


@pytest.fixture
def spec(images: Images) -> GuestSpec:
    return guest_spec(images.add("image", counter_disk()))


def at(spec: GuestSpec, generation: int, **changes: object) -> GuestSpec:
    return msgspec.structs.replace(spec, generation=generation, **changes)


async def console_with(driver: QemuDriver, host: HostName, enough: Callable[[list[int]], bool]) -> str:
    async with asyncio.timeout(WAIT_S):
        while not enough(counts(text := await driver.console_output(host, SERVER, None))):
            await asyncio.sleep(0.05)
    return text


async def boot(driver: QemuDriver, spec: GuestSpec, images: Images, host: HostName = LEFT) -> int:
    """Boot the guest; how far it has counted."""
    await driver.guest_ensure(host, spec, images)
    return counts(await console_with(driver, host, lambda said: len(said) > 20))[-1]


async def goes_on(driver: QemuDriver, host: HostName) -> int:
    """Wait until the guest counts some more; how far it has come."""
    now = max(counts(await driver.console_output(host, SERVER, None)), default=0)
    return counts(await console_with(driver, host, lambda said: bool(said) and said[-1] > now + 20))[-1]


async def migrate(left: QemuDriver, right: QemuDriver, spec: GuestSpec, images: Images, generation: int = 2) -> Guest:
    incoming = await right.guest_incoming(RIGHT, at(spec, generation), images, shared=False)
    await left.guest_migrate(LEFT, SERVER, generation, incoming, shared=False)
    return await right.guest_arrived(RIGHT, SERVER, generation)


async def states(driver: QemuDriver) -> list[PowerState]:
    return [guest.power_state for guest in await driver.guests()]


def written(hosts: Hosts, host: HostName) -> int:
    """What the guest's disk says it has counted to; the guest is off."""
    (disk,) = (hosts.folders[host] / "guests" / SERVER).glob("parts-*/disk.qcow2")
    out = disk.with_name("out")
    os.system(f"cd {disk.parent} && qemu-img convert -f qcow2 -O raw disk.qcow2 out")
    return int.from_bytes(out.read_bytes()[512:514], "little")


def test_live__guest_counts_on_where_it_was__and_its_disk_came_along(
    hosts: Hosts, images: Images, spec: GuestSpec
) -> None:
    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        before = await boot(left, spec, images)
        arrived = await migrate(left, right, spec, images)
        assert (arrived.host, arrived.power_state, arrived.generation) == (RIGHT, PowerState.RUNNING, 2)
        assert await states(left) == [PowerState.SHUTDOWN]
        assert hosts.processes(LEFT) == []
        after = await goes_on(right, RIGHT)
        assert after > before
        assert "BOOT" not in await right.console_output(RIGHT, SERVER, None)
        last_here = counts(await left.console_output(LEFT, SERVER, None))[-1]
        first_there = counts(await right.console_output(RIGHT, SERVER, None))[0]
        assert first_there - last_here in {1, 2}, "it lost no step on the way"
        await left.guest_destroy(LEFT, SERVER, 2)
        await right.guest_stop(RIGHT, SERVER, 3, grace_s=0)
        assert written(hosts, RIGHT) >= after

    run(hosts, scenario)


def test_live__every_call_twice_and_there_and_back__nothing_more_happens(
    hosts: Hosts, images: Images, spec: GuestSpec
) -> None:
    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        await boot(left, spec, images)
        first = await right.guest_incoming(RIGHT, at(spec, 2), images, shared=False)
        pids = hosts.processes(RIGHT)
        assert await right.guest_incoming(RIGHT, at(spec, 2), images, shared=False) == first
        assert hosts.processes(RIGHT) == pids
        for _ in range(2):
            await left.guest_migrate(LEFT, SERVER, 2, first, shared=False)
        for _ in range(2):
            assert (await right.guest_arrived(RIGHT, SERVER, 2)).power_state is PowerState.RUNNING
        with pytest.raises(StaleGeneration):
            await left.guest_migrate(LEFT, SERVER, 1, first, shared=False)
        with pytest.raises(HypervisorFailure, match="has moved"):
            await left.guest_start(LEFT, SERVER, 3)
        incoming = await left.guest_incoming(LEFT, at(spec, 4), images, shared=False)
        await right.guest_migrate(RIGHT, SERVER, 4, incoming, shared=False)
        assert (await left.guest_arrived(LEFT, SERVER, 4)).power_state is PowerState.RUNNING
        await goes_on(left, LEFT)
        assert "BOOT" not in await left.console_output(LEFT, SERVER, None)

    run(hosts, scenario)


def test_live__guest_is_paused__it_is_paused_there(hosts: Hosts, images: Images, spec: GuestSpec) -> None:
    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        await boot(left, spec, images)
        await left.guest_pause(LEFT, SERVER, 2)
        assert (await migrate(left, right, spec, images, 3)).power_state is PowerState.PAUSED
        assert (await right.guest_unpause(RIGHT, SERVER, 4)).power_state is PowerState.RUNNING
        await goes_on(right, RIGHT)

    run(hosts, scenario)


async def under_way(hosts: Hosts, left: QemuDriver, right: QemuDriver, spec: GuestSpec, images: Images) -> "Moving":
    """A migration that takes long, so that something can happen to it."""
    await boot(left, spec, images)
    incoming = await right.guest_incoming(RIGHT, at(spec, 2), images, shared=False)
    moving = asyncio.ensure_future(left.guest_migrate(LEFT, SERVER, 2, incoming, shared=False))
    await asyncio.sleep(1.0)
    assert not moving.done(), moving
    return moving


Moving = asyncio.Future[None]


def test_live__aborted__guest_goes_on_here(hosts: Hosts, images: Images, spec: GuestSpec) -> None:
    hosts.bytes_a_second = SLOW

    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        moving = await under_way(hosts, left, right, spec, images)
        await left.guest_migrate_abort(LEFT, SERVER)
        with pytest.raises(MigrationAborted):
            await moving
        await goes_on(left, LEFT)
        await right.guest_destroy(RIGHT, SERVER, 2)
        assert await right.guests() == []
        await left.guest_migrate_abort(LEFT, SERVER)

    run(hosts, scenario)
    hosts.bytes_a_second = 1 << 40

    async def again(left: QemuDriver, right: QemuDriver) -> None:
        await migrate(left, right, spec, images, 3)
        await goes_on(right, RIGHT)

    run(hosts, again)


def test_live__forced__comes_to_its_end_at_once(hosts: Hosts, images: Images, spec: GuestSpec) -> None:
    hosts.bytes_a_second = SLOW

    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        moving = await under_way(hosts, left, right, spec, images)
        await left.guest_migrate_force(LEFT, SERVER)
        async with asyncio.timeout(WAIT_S):
            await moving
        assert (await right.guest_arrived(RIGHT, SERVER, 2)).power_state is PowerState.RUNNING
        await goes_on(right, RIGHT)

    run(hosts, scenario)


def test_live__the_other_qemu_dies__guest_goes_on_here(hosts: Hosts, images: Images, spec: GuestSpec) -> None:
    hosts.bytes_a_second = SLOW

    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        moving = await under_way(hosts, left, right, spec, images)
        for pid in hosts.processes(RIGHT):
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(HypervisorFailure):
            await moving
        await goes_on(left, LEFT)
        assert "BOOT" in (await left.console_output(LEFT, SERVER, None)).partition("\n")[0]

    run(hosts, scenario)


def test_live__step_runs_out_of_time__guest_goes_on_here(hosts: Hosts, images: Images, spec: GuestSpec) -> None:
    hosts.bytes_a_second = SLOW

    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        moving = await under_way(hosts, left, right, spec, images)
        moving.cancel()
        await asyncio.wait([moving])
        await goes_on(left, LEFT)
        assert await states(left) == [PowerState.RUNNING]

    run(hosts, scenario)


def test_live__both_agents_start_anew_amid__a_repetition_finishes(
    hosts: Hosts, images: Images, spec: GuestSpec
) -> None:
    hosts.bytes_a_second = SLOW
    told: list[dict[str, object]] = []

    async def before(left: QemuDriver, right: QemuDriver) -> None:
        await boot(left, spec, images)
        told.append(await right.guest_incoming(RIGHT, at(spec, 2), images, shared=False))
        pid = os.fork()
        if not pid:  # an agent that is killed amid its work
            try:
                asyncio.run(abandoned(hosts, told[0]))
            finally:
                os._exit(1)
        os.waitpid(pid, 0)

    run(hosts, before)

    async def after(left: QemuDriver, right: QemuDriver) -> None:
        assert await states(left) == [PowerState.RUNNING]
        await left.guest_migrate_force(LEFT, SERVER)
        await left.guest_migrate(LEFT, SERVER, 2, told[0], shared=False)
        assert (await right.guest_arrived(RIGHT, SERVER, 2)).power_state is PowerState.RUNNING
        assert hosts.processes(LEFT) == []
        await goes_on(right, RIGHT)

    run(hosts, after)


async def abandoned(hosts: Hosts, incoming: dict[str, object]) -> None:
    """Begin a migration, and be killed."""
    left = hosts.driver(LEFT)
    await left.start()
    asyncio.get_running_loop().call_later(1.0, os.kill, os.getpid(), signal.SIGKILL)
    await left.guest_migrate(LEFT, SERVER, 2, incoming, shared=False)


def test_cold__stopped_guest__its_disk_is_there_grown_and_it_starts(
    hosts: Hosts, images: Images, spec: GuestSpec
) -> None:
    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        before = await boot(left, spec, images)
        await left.guest_stop(LEFT, SERVER, 2, grace_s=0)
        offer = await left.guest_offer(LEFT, SERVER, 3)
        assert await left.guest_offer(LEFT, SERVER, 3) == offer
        assert await states(left) == [PowerState.SHUTDOWN]
        assert len(hosts.processes(LEFT)) == 1
        larger = at(spec, 3, disk_gb=2)
        for _ in range(2):
            got = await right.guest_receive(RIGHT, larger, offer, images, run=False)
            assert (got.host, got.power_state) == (RIGHT, PowerState.SHUTDOWN)
        for _ in range(2):
            await left.guest_offer_end(LEFT, SERVER, 3)
        assert hosts.processes(LEFT) == []
        assert written(hosts, RIGHT) >= before
        assert (hosts.folders[RIGHT] / "guests" / SERVER / "parts-3" / "out").stat().st_size == 2 << 30
        assert (await right.guest_start(RIGHT, SERVER, 4)).power_state is PowerState.RUNNING
        await goes_on(right, RIGHT)

    run(hosts, scenario)


class NoImages(Images):
    """An image service whose images have been deleted."""

    async def image_content(self, image: object):  # type: ignore[no-untyped-def]
        raise NotFound(kind="Image", id="image")
        yield b""


def test_cold__its_image_was_deleted__the_base_comes_along(hosts: Hosts, images: Images, spec: GuestSpec) -> None:
    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        await boot(left, spec, images)
        await left.guest_stop(LEFT, SERVER, 2, grace_s=0)
        offer = await left.guest_offer(LEFT, SERVER, 3)
        got = await right.guest_receive(RIGHT, at(spec, 3), offer, NoImages(), run=True)
        assert got.power_state is PowerState.RUNNING
        await left.guest_offer_end(LEFT, SERVER, 3)
        await goes_on(right, RIGHT)

    run(hosts, scenario)


def test_cold__offer_is_ended_amid_the_copy__receiving_fails_and_can_be_repeated(
    hosts: Hosts, images: Images, spec: GuestSpec
) -> None:
    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        await boot(left, spec, images)
        await left.guest_stop(LEFT, SERVER, 2, grace_s=0)
        offer = await left.guest_offer(LEFT, SERVER, 3)
        await left.guest_offer_end(LEFT, SERVER, 3)
        with pytest.raises(HypervisorFailure):
            await right.guest_receive(RIGHT, at(spec, 3), offer, images, run=False)
        assert await right.guests() == []
        assert list((hosts.folders[RIGHT] / "guests").iterdir()) == []
        offer = await left.guest_offer(LEFT, SERVER, 4)
        await right.guest_receive(RIGHT, at(spec, 4), offer, images, run=False)

    run(hosts, scenario)


def test_offer__guest_runs__is_refused(hosts: Hosts, images: Images, spec: GuestSpec) -> None:
    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        await boot(left, spec, images)
        with pytest.raises(HypervisorFailure, match="it runs"):
            await left.guest_offer(LEFT, SERVER, 2)
        assert await right.guest_offer_end(RIGHT, SERVER, 2) is None

    run(hosts, scenario)


def test_start__guest_is_offered__the_offer_ends(hosts: Hosts, images: Images, spec: GuestSpec) -> None:
    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        await boot(left, spec, images)
        await left.guest_stop(LEFT, SERVER, 2, grace_s=0)
        offer = await left.guest_offer(LEFT, SERVER, 3)
        assert (await left.guest_start(LEFT, SERVER, 4)).power_state is PowerState.RUNNING
        with pytest.raises(HypervisorFailure):
            await right.guest_receive(RIGHT, at(spec, 3), offer, images, run=False)

    run(hosts, scenario)
