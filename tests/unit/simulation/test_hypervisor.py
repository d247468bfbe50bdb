"""The simulated hypervisor: the driver's contract is judged by `contract/test_driver.py`; here is what only a simulation has."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from kilonova.drivers.driver import HypervisorFailure
from kilonova.drivers.fake.guest import FakeGuest
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import GuestSpec, GuestVolume, PowerState
from kilonova.simulation.faults import QUIET, Faults, Rates
from kilonova.simulation.hypervisor import HostSize, Hypervisor, SimDriver
from kilonova.simulation.loop import SimLoop, simulate
from kilonova.simulation.sometimes import Sometimes
from kilonova.testing.guests import SERVER, Images, guest_spec, hello_disk

ONE, TWO = HostName("one"), HostName("two")
IMAGES = Images()
SPEC = guest_spec(IMAGES.add("image", hello_disk()))


def _run(
    work: Callable[[SimLoop, Hypervisor, SimDriver, list[str]], Any],
    rates: Rates = QUIET,
    *,
    storage: str | None = None,
    seed: int = 1,
) -> Any:
    async def main(loop: SimLoop) -> Any:
        reported: list[str] = []
        hypervisor = Hypervisor(loop, HostSize(), reported.append)
        hypervisor.add_host(ONE, storage)
        hypervisor.add_host(TWO, storage)
        driver = SimDriver(loop, hypervisor, (ONE, TWO), Faults(rates, seed), Sometimes())
        return await work(loop, hypervisor, driver, reported)

    return simulate(main, seed)[0]


def test_fails_halfway__the_guest_is_half_made():
    async def work(loop, hypervisor, driver, reported):
        with pytest.raises(HypervisorFailure):
            await driver.guest_ensure(ONE, SPEC, IMAGES)
        return [guest.power_state for guest in await driver.guests()]

    assert _run(work, msgspec.structs.replace(QUIET, hypervisor_fails_halfway=1.0)) == [PowerState.NOSTATE]


def test_killed_in_between__the_guest_is_half_made_and_outlives_the_process():
    async def work(loop, hypervisor, driver, reported):
        process = loop.process("agent")
        process.spawn(driver.guest_ensure(ONE, SPEC, IMAGES), name="ensure")
        while not hypervisor.everything():
            await asyncio.sleep(0.001)
        process.kill()
        await asyncio.sleep(60.0)
        return [guest.power_state for _, _, guest in hypervisor.everything()]

    assert _run(work) == [PowerState.NOSTATE]


def test_runs_on_two_hosts__is_reported():
    async def work(loop, hypervisor, driver, reported):
        await driver.guest_ensure(ONE, SPEC, IMAGES)
        await driver.guest_ensure(TWO, SPEC, IMAGES)
        return reported

    assert _run(work) == [f"server {SPEC.server_id} runs on one and two"]


def test_host_dark__doesnt_answer_and_its_guests_are_off_afterwards():
    async def work(loop, hypervisor, driver, reported):
        await driver.guest_ensure(ONE, SPEC, IMAGES)
        hypervisor.cut_power(ONE)
        with pytest.raises(HypervisorFailure):
            await driver.guests()
        with pytest.raises(HypervisorFailure):
            await driver.guest_destroy(ONE, SPEC.server_id, 2)
        hypervisor.restore_power(ONE)
        return [guest.power_state for guest in await driver.guests()]

    assert _run(work) == [PowerState.SHUTDOWN]


Order = Callable[[SimDriver, GuestSpec], Any]
VOLUME = GuestVolume(volume_id="volume", attachment_id="attachment", connection={}, device="/dev/vdb")
OTHER = ServerId("5a5a5a5a-0000-4000-8000-000000000002")


def _at(generation: int, **changes: Any) -> GuestSpec:
    return msgspec.structs.replace(SPEC, generation=generation, **changes)


async def _migrated(driver: SimDriver, source: HostName, target: HostName, it: GuestSpec) -> None:
    """A migration that failed has used up its target's readiness: each attempt has both steps."""
    incoming = await driver.guest_incoming(target, it, IMAGES, shared=False)
    await driver.guest_migrate(source, SERVER, it.generation, incoming, shared=False)


LIVES: dict[str, tuple[Order, ...]] = {
    "power": (
        lambda driver, it: driver.guest_ensure(ONE, it, IMAGES),
        lambda driver, it: driver.guest_pause(ONE, SERVER, it.generation),
        lambda driver, it: driver.guest_suspend(ONE, SERVER, it.generation),
        lambda driver, it: driver.guest_resume(ONE, SERVER, it.generation),
        lambda driver, it: driver.guest_reboot(ONE, SERVER, it.generation, hard=True),
        lambda driver, it: driver.guest_rescue(ONE, it, IMAGES),
        lambda driver, it: driver.guest_unrescue(ONE, SERVER, it.generation),
        lambda driver, it: driver.guest_crash_dump(ONE, SERVER, it.generation),
    ),
    "sizes": (
        lambda driver, it: driver.guest_ensure(ONE, it, IMAGES, run=False),
        lambda driver, it: driver.guest_rebuild(ONE, it, IMAGES, run=True),
        lambda driver, it: driver.guest_resize(ONE, msgspec.structs.replace(it, disk_gb=7), run=True),
        lambda driver, it: driver.guest_resize_revert(ONE, SERVER, it.generation, run=True),
        lambda driver, it: driver.guest_resize(ONE, msgspec.structs.replace(it, disk_gb=7), run=True),
        lambda driver, it: driver.guest_resize_confirm(ONE, SERVER, it.generation),
    ),
    "devices": (
        lambda driver, it: driver.guest_ensure(ONE, it, IMAGES),
        lambda driver, it: driver.volume_attach(ONE, SERVER, it.generation, VOLUME),
        lambda driver, it: driver.nic_detach(ONE, SERVER, it.generation, "port"),
        lambda driver, it: driver.volume_detach(ONE, SERVER, it.generation, "volume"),
        lambda driver, it: driver.nic_attach(ONE, SERVER, it.generation, SPEC.nics[0]),
    ),
    "moves": (
        lambda driver, it: driver.guest_ensure(ONE, it, IMAGES, run=False),
        lambda driver, it: driver.guest_offer(ONE, SERVER, it.generation),
        lambda driver, it: driver.guest_receive(TWO, it, {"host": ONE, "generation": 2}, IMAGES, run=True),
        lambda driver, it: driver.guest_offer_end(ONE, SERVER, it.generation),
        lambda driver, it: driver.guest_destroy(ONE, SERVER, it.generation),
        lambda driver, it: _migrated(driver, TWO, ONE, it),
        lambda driver, it: driver.guest_arrived(ONE, SERVER, it.generation),
    ),
}
"""Orders that follow each other, with generations 1, 2, 3 and so on."""


async def _until_done(driver: SimDriver, order: Order, it: GuestSpec) -> int:
    """Give an order again and again, as the engine does; how often it failed."""
    for failures in range(50):
        try:
            await order(driver, it)
        except HypervisorFailure:
            continue
        return failures
    pytest.fail("it never ends")


@pytest.mark.parametrize("life", LIVES)
def test_orders__fail_at_any_time_and_are_repeated__the_guest_is_as_if_they_had_not(life: str):
    def after(rates: Rates, seed: int) -> tuple[int, list[tuple[HostName, FakeGuest]]]:
        async def work(loop, hypervisor, driver, reported):
            failures = 0
            for generation, order in enumerate(LIVES[life], start=1):
                failures += await _until_done(driver, order, _at(generation))
            assert reported == []
            return failures, [(host, guest) for host, _, guest in hypervisor.everything()]

        return _run(work, rates, seed=seed)

    _, wanted = after(QUIET, 1)
    rates = msgspec.structs.replace(QUIET, hypervisor_fails=0.2, hypervisor_fails_halfway=0.4, guest_keeps_device=0.3)
    found = [after(rates, seed) for seed in range(20)]
    assert sum(failures for failures, _ in found) > 20
    assert all(guests == wanted for _, guests in found)


@pytest.mark.parametrize("life", LIVES)
def test_orders__agent_is_killed_at_any_time_and_repeats_them__the_guest_is_as_if_it_had_not(life: str):
    async def agent(loop: SimLoop, hypervisor: Hypervisor, faults: Faults, done: list[int]) -> None:
        driver = SimDriver(loop, hypervisor, (ONE, TWO), faults, Sometimes())
        while done[0] < len(LIVES[life]):
            await LIVES[life][done[0]](driver, _at(done[0] + 1))
            done[0] += 1

    def after(*, killed: bool, seed: int) -> list[tuple[HostName, FakeGuest]]:
        async def work(loop, hypervisor, driver, reported):
            hypervisor.migration_s = (0.1, 0.3)
            done, chance = [0], loop.stream("kills")
            while done[0] < len(LIVES[life]):
                process = loop.process("agent")
                process.spawn(agent(loop, hypervisor, driver._faults, done), name="agent")
                await asyncio.sleep(chance.random() * 0.5 if killed else 60.0)
                process.kill()
            assert reported == []
            return [(host, guest) for host, _, guest in hypervisor.everything()]

        return _run(work, msgspec.structs.replace(QUIET, migration_dies_with_agent=0.5), seed=seed)

    wanted = after(killed=False, seed=1)
    assert all(after(killed=True, seed=seed) == wanted for seed in range(20))


def test_volume__two_running_guests_use_it__is_reported_unless_it_is_shared():
    async def work(loop, hypervisor, driver, reported):
        shared = GuestVolume(volume_id="many", attachment_id="a", connection={"multiattach": True}, device="/dev/vdc")
        spec = msgspec.structs.replace(SPEC, volumes=(VOLUME, shared))
        await driver.guest_ensure(ONE, spec, IMAGES)
        other = msgspec.structs.replace(spec, server_id=OTHER)
        await driver.guest_ensure(TWO, other, IMAGES, run=False)
        quiet = list(reported)
        await driver.guest_start(TWO, OTHER, 2)
        return quiet, reported

    assert _run(work) == ([], [f"volume volume is used by {SERVER} and {OTHER}"])


def test_half_a_disk__guest_runs_from_it__is_reported():
    async def work(loop, hypervisor, driver, reported):
        faults = driver._faults
        faults.on = False
        await driver.guest_ensure(ONE, SPEC, IMAGES, run=False)
        offer = await driver.guest_offer(ONE, SERVER, 2)
        faults.on = True
        with pytest.raises(HypervisorFailure):
            await driver.guest_receive(TWO, _at(3), offer, IMAGES, run=True)
        faults.on = False
        with pytest.raises(HypervisorFailure, match="never made whole"):
            await driver.guest_start(TWO, SERVER, 4)
        half = hypervisor.guest_get(TWO, SERVER)
        hypervisor.guests_put(msgspec.structs.replace(half, power_state=PowerState.RUNNING))
        return reported

    rates = msgspec.structs.replace(QUIET, hypervisor_fails_halfway=1.0)
    assert _run(work, rates) == [f"server {SERVER} runs on two from half a disk"]


def test_shared_disk__removed_while_another_host_uses_it__is_reported():
    async def work(loop, hypervisor, driver, reported):
        await driver.guest_ensure(ONE, SPEC, IMAGES, run=False)
        await driver.guest_ensure(TWO, _at(2), IMAGES)
        await driver.guest_destroy(ONE, SERVER, 3)
        return reported

    assert _run(work, storage="shared") == [f"the disk of {SERVER} on two was removed with its guest on one"]


def test_device__guest_keeps_it__the_call_fails_and_can_be_repeated():
    async def work(loop, hypervisor, driver, reported):
        await driver.guest_ensure(ONE, SPEC, IMAGES)
        with pytest.raises(HypervisorFailure, match="unplug a card"):
            await driver.nic_detach(ONE, SERVER, 2, "port")
        kept = hypervisor.on(ONE)[SERVER].spec.nics
        await driver.guest_stop(ONE, SERVER, 3, grace_s=0)
        await driver.nic_detach(ONE, SERVER, 4, "port")
        return kept, hypervisor.on(ONE)[SERVER].spec.nics

    assert _run(work, msgspec.structs.replace(QUIET, guest_keeps_device=1.0)) == (SPEC.nics, ())


def test_shown_late__is_what_was_true_when_it_was_asked():
    async def work(loop, hypervisor, driver, reported):
        await driver.guest_ensure(ONE, SPEC, IMAGES)
        asked = asyncio.create_task(driver.guests())
        await asyncio.sleep(0)
        await driver.guest_stop(ONE, SERVER, 2, grace_s=0)
        (late,) = await asked
        return late.power_state, hypervisor.on(ONE)[SERVER].power_state

    rates = msgspec.structs.replace(QUIET, hypervisor_late=1.0)
    assert _run(work, rates) == (PowerState.RUNNING, PowerState.SHUTDOWN)
