"""Guests that move between two QEMU hosts, cold and live: what runs goes on where it was, on one host and never on two."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from contract.counting import counter_disk, counts
from contract.hypervisors import SERVER, DyingRuntime, Images, QemuHosts, guest_spec, qemu_missing
from kilonova.drivers.driver import HypervisorFailure
from kilonova.drivers.qemu.driver import QemuDriver
from kilonova.kernel.errors import NotFound
from kilonova.kernel.ids import HostName
from kilonova.objects.guest import Guest, GuestImage, GuestSpec, PowerState
from kilonova.runtime.real import RealRuntime

pytestmark = pytest.mark.qemu

LEFT, RIGHT = QemuHosts.host, QemuHosts.other
WAIT_S = 120.0
SLOW = 200_000
"""Bytes a second at which a migration takes seconds."""


async def destroy_all(*drivers: QemuDriver) -> None:
    for driver in drivers:
        for guest in await driver.guests():
            await driver.guest_destroy(guest.host, guest.server_id, 1000)


Scenario = Callable[[QemuDriver, QemuDriver], Awaitable[None]]


def run(hosts: QemuHosts, scenario: Scenario) -> None:
    async def play() -> None:
        runtime = RealRuntime()
        left = hosts.driver(runtime)
        right = hosts.other_driver(runtime, left)
        await left.start()
        await right.start()
        await scenario(left, right)

    asyncio.run(play())


@pytest.fixture
def hosts(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[QemuHosts]:
    reason = qemu_missing(tmp_path_factory.getbasetemp() / "probe")
    if reason:
        pytest.skip(reason)
    two = QemuHosts(tmp_path, shared=getattr(request, "param", False))
    yield two
    run(two, destroy_all)
    assert not [*(tmp_path / "storage").glob("*/")], "nothing is left on the storage"


shared_or_not = pytest.mark.parametrize("hosts", [False, True], ids=["own disks", "shared disks"], indirect=True)


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


async def migrate(hosts: QemuHosts, left: QemuDriver, right: QemuDriver, spec: GuestSpec, images: Images) -> Guest:
    incoming = await right.guest_incoming(RIGHT, at(spec, 2), images, shared=hosts.shared)
    await left.guest_migrate(LEFT, SERVER, 2, incoming, shared=hosts.shared)
    return await right.guest_arrived(RIGHT, SERVER, 2)


async def states(driver: QemuDriver) -> list[PowerState]:
    return [guest.power_state for guest in await driver.guests()]


def written(hosts: QemuHosts, host: HostName) -> int:
    """What the guest's disk says it has counted to; the guest is off."""
    (disk,) = (hosts.guest_folder(host)).glob("parts-*/disk.qcow2")
    out = disk.with_name("out")
    os.system(f"cd {disk.parent} && qemu-img convert -f qcow2 -O raw disk.qcow2 out")
    return int.from_bytes(out.read_bytes()[512:514], "little")


@shared_or_not
def test_live__guest_counts_on_where_it_was__and_its_disk_came_along(
    hosts: QemuHosts, images: Images, spec: GuestSpec
) -> None:
    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        before = await boot(left, spec, images)
        arrived = await migrate(hosts, left, right, spec, images)
        assert (arrived.host, arrived.power_state, arrived.generation) == (RIGHT, PowerState.RUNNING, 2)
        assert await states(left) == [PowerState.SHUTDOWN]
        assert hosts.processes(LEFT) == []
        after = await goes_on(right, RIGHT)
        await left.guest_destroy(LEFT, SERVER, 2, keep_disks=True)
        await right.guest_stop(RIGHT, SERVER, 3, grace_s=0)
        console = await right.console_output(RIGHT, SERVER, None)
        said = counts(console)
        assert console.count("BOOT") == 1
        assert said == list(range(len(said))), "it lost no step on the way"
        assert before < after <= written(hosts, RIGHT)

    run(hosts, scenario)


@shared_or_not
def test_live__there_and_back__guest_counts_on(hosts: QemuHosts, images: Images, spec: GuestSpec) -> None:
    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        await boot(left, spec, images)
        await migrate(hosts, left, right, spec, images)
        incoming = await left.guest_incoming(LEFT, at(spec, 4), images, shared=hosts.shared)
        await right.guest_migrate(RIGHT, SERVER, 4, incoming, shared=hosts.shared)
        await right.guest_destroy(RIGHT, SERVER, 4)
        assert (await left.guest_arrived(LEFT, SERVER, 4)).power_state is PowerState.RUNNING
        await goes_on(left, LEFT)
        said = counts(await left.console_output(LEFT, SERVER, None))
        assert said == list(range(len(said)))

    run(hosts, scenario)


@shared_or_not
def test_live__killed_at_any_step__a_repetition_finishes_and_the_guest_never_stops(
    hosts: QemuHosts, images: Images, spec: GuestSpec
) -> None:
    there, incoming, generation = RIGHT, {}, 1

    async def before(left: QemuDriver, right: QemuDriver) -> None:
        nonlocal incoming
        if generation == 2:
            await boot(left, spec, images)
        receiver = right if there == RIGHT else left
        incoming = await receiver.guest_incoming(there, at(spec, generation), images, shared=hosts.shared)

    async def after(left: QemuDriver, right: QemuDriver) -> None:
        sender, receiver = (left, right) if there == RIGHT else (right, left)
        here = LEFT if there == RIGHT else RIGHT
        await sender.guest_migrate(here, SERVER, generation, incoming, shared=hosts.shared)
        assert (await receiver.guest_arrived(there, SERVER, generation)).power_state is PowerState.RUNNING
        await sender.guest_destroy(here, SERVER, generation, keep_disks=True)
        await goes_on(receiver, there)
        said = counts(await receiver.console_output(there, SERVER, None))
        assert said == sorted(set(said)), "what was being read from the console when the agent died may be missing"

    for calls in range(2, 30):
        generation = calls
        run(hosts, before)
        here = LEFT if there == RIGHT else RIGHT
        died = died_amid(lambda here=here, calls=calls: abandoned(hosts, here, calls, incoming))
        run(hosts, after)
        there = here
        if not died:
            assert calls > 3
            return
    pytest.fail("the migration never came to its end")


def died_amid(work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
    """Do `work` in a process of its own; whether that was killed."""
    pid = os.fork()
    if not pid:
        try:
            asyncio.run(work())
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


async def abandoned(hosts: QemuHosts, here: HostName, calls: int, incoming: dict[str, Any]) -> None:
    """Migrate the guest, and be killed after `calls` blocking calls."""
    runtime = DyingRuntime(10_000)
    left = hosts.driver(runtime)
    driver = left if here == LEFT else hosts.other_driver(runtime, left)
    await driver.start()
    runtime.calls_left = calls - 2
    await driver.guest_migrate(here, SERVER, calls, incoming, shared=hosts.shared)


async def under_way(left: QemuDriver, right: QemuDriver, spec: GuestSpec, images: Images) -> "asyncio.Future[None]":
    """A migration that takes long, so that something can happen to it."""
    await boot(left, spec, images)
    incoming = await right.guest_incoming(RIGHT, at(spec, 2), images, shared=False)
    moving = asyncio.ensure_future(left.guest_migrate(LEFT, SERVER, 2, incoming, shared=False))
    await asyncio.sleep(1.0)
    assert not moving.done(), moving
    return moving


def test_live__the_other_qemu_dies__guest_goes_on_here(hosts: QemuHosts, images: Images, spec: GuestSpec) -> None:
    hosts.bytes_a_second = SLOW

    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        moving = await under_way(left, right, spec, images)
        for pid in hosts.processes(RIGHT):
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(HypervisorFailure):
            await moving
        await goes_on(left, LEFT)
        assert "BOOT" in (await left.console_output(LEFT, SERVER, None)).partition("\n")[0]

    run(hosts, scenario)


def test_live__step_runs_out_of_time__guest_goes_on_here(hosts: QemuHosts, images: Images, spec: GuestSpec) -> None:
    hosts.bytes_a_second = SLOW

    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        moving = await under_way(left, right, spec, images)
        moving.cancel()
        await asyncio.wait([moving])
        await goes_on(left, LEFT)
        assert await states(left) == [PowerState.RUNNING]

    run(hosts, scenario)


def test_live__agent_is_killed_while_memory_is_sent__a_repetition_attends_to_it(
    hosts: QemuHosts, images: Images, spec: GuestSpec
) -> None:
    hosts.bytes_a_second = SLOW
    told: list[dict[str, Any]] = []

    async def before(left: QemuDriver, right: QemuDriver) -> None:
        await boot(left, spec, images)
        told.append(await right.guest_incoming(RIGHT, at(spec, 2), images, shared=False))

    async def sending() -> None:
        left = hosts.driver(RealRuntime())
        await left.start()
        asyncio.get_running_loop().call_later(1.0, os.kill, os.getpid(), signal.SIGKILL)
        await left.guest_migrate(LEFT, SERVER, 2, told[0], shared=False)

    async def after(left: QemuDriver, right: QemuDriver) -> None:
        assert await states(left) == [PowerState.RUNNING]
        await left.guest_migrate_force(LEFT, SERVER)
        await left.guest_migrate(LEFT, SERVER, 2, told[0], shared=False)
        assert (await right.guest_arrived(RIGHT, SERVER, 2)).power_state is PowerState.RUNNING
        assert hosts.processes(LEFT) == []
        await goes_on(right, RIGHT)

    run(hosts, before)
    assert died_amid(sending)
    run(hosts, after)


def test_cold__stopped_guest__its_disk_is_there_grown_and_it_starts(
    hosts: QemuHosts, images: Images, spec: GuestSpec
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
        assert (hosts.guest_folder(RIGHT) / "parts-3" / "out").stat().st_size == 2 << 30
        assert (await right.guest_start(RIGHT, SERVER, 4)).power_state is PowerState.RUNNING
        await goes_on(right, RIGHT)

    run(hosts, scenario)


class NoImages(Images):
    """An image service whose images have been deleted."""

    @override
    def image_content(self, image: GuestImage) -> AsyncIterator[bytes]:
        raise NotFound(kind="Image", id=image.id)


def test_cold__its_image_was_deleted__the_base_comes_along(hosts: QemuHosts, images: Images, spec: GuestSpec) -> None:
    async def scenario(left: QemuDriver, right: QemuDriver) -> None:
        await boot(left, spec, images)
        await left.guest_stop(LEFT, SERVER, 2, grace_s=0)
        offer = await left.guest_offer(LEFT, SERVER, 3)
        got = await right.guest_receive(RIGHT, at(spec, 3), offer, NoImages(), run=True)
        assert got.power_state is PowerState.RUNNING
        await left.guest_offer_end(LEFT, SERVER, 3)
        await goes_on(right, RIGHT)

    run(hosts, scenario)
