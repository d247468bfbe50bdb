"""The simulated hypervisor: the driver's contract is judged by `contract/test_driver.py`; here is what only a simulation has."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from kilonova.drivers.driver import HypervisorFailure
from kilonova.kernel.ids import HostName
from kilonova.objects.guest import PowerState
from kilonova.simulation.faults import QUIET, Faults, Rates
from kilonova.simulation.hypervisor import HostSize, Hypervisor, SimDriver
from kilonova.simulation.loop import SimLoop, simulate
from kilonova.simulation.sometimes import Sometimes
from kilonova.testing.guests import Images, guest_spec, hello_disk

ONE, TWO = HostName("one"), HostName("two")
IMAGES = Images()
SPEC = guest_spec(IMAGES.add("image", hello_disk()))


def _run(work: Callable[[SimLoop, Hypervisor, SimDriver, list[str]], Any], rates: Rates = QUIET) -> Any:
    async def main(loop: SimLoop) -> Any:
        reported: list[str] = []
        hypervisor = Hypervisor(loop, HostSize(), reported.append)
        hypervisor.add_host(ONE)
        hypervisor.add_host(TWO)
        driver = SimDriver(loop, hypervisor, (ONE, TWO), Faults(rates), Sometimes())
        return await work(loop, hypervisor, driver, reported)

    return simulate(main, 1)[0]


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
        dark = list(await driver.guests())
        with pytest.raises(HypervisorFailure):
            await driver.guest_destroy(ONE, SPEC.server_id, 2)
        hypervisor.restore_power(ONE)
        return dark, [guest.power_state for guest in await driver.guests()]

    assert _run(work) == ([], [PowerState.SHUTDOWN])
