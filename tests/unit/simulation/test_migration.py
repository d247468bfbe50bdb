"""Live migrations in the simulated hardware: they take long, and one moment decides where the guest is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from kilonova.drivers.driver import HypervisorFailure, MigrationAborted
from kilonova.kernel.ids import HostName
from kilonova.objects.guest import PowerState
from kilonova.simulation.faults import QUIET, Faults, Rates
from kilonova.simulation.hypervisor import HostSize, Hypervisor, SimDriver
from kilonova.simulation.loop import SimLoop, simulate
from kilonova.simulation.process import Process
from kilonova.simulation.sometimes import Sometimes
from kilonova.testing.guests import SERVER, Images, guest_spec, hello_disk

ONE, TWO = HostName("one"), HostName("two")
IMAGES = Images()
SPEC = guest_spec(IMAGES.add("image", hello_disk()))


class Site:
    """Two hosts with an agent each, and a guest that was told to move from one to two."""

    def __init__(self, loop: SimLoop, rates: Rates) -> None:
        self.loop = loop
        self.reported: list[str] = []
        self.hardware = Hypervisor(loop, HostSize(), self.reported.append)
        self.hardware.add_host(ONE)
        self.hardware.add_host(TWO)
        faults = Faults(rates)
        self.source = SimDriver(loop, self.hardware, (ONE,), faults, Sometimes())
        self.target = SimDriver(loop, self.hardware, (TWO,), faults, Sometimes())
        self.agent: Process | None = None

    async def begin(self) -> "asyncio.Task[None]":
        await self.source.guest_ensure(ONE, SPEC, IMAGES)
        incoming = await self.target.guest_incoming(
            TWO, msgspec.structs.replace(SPEC, generation=2), IMAGES, shared=False
        )
        self.agent = self.loop.process("agent")
        task = self.agent.spawn(self.source.guest_migrate(ONE, SERVER, 2, incoming, shared=False), name="migrate")
        while self.hardware.migration(SERVER) is None:
            await asyncio.sleep(0.01)
        return task

    def states(self) -> tuple[PowerState | None, PowerState | None]:
        found = {host: guest.power_state for host, _, guest in self.hardware.everything()}
        return found.get(ONE), found.get(TWO)

    async def over(self) -> None:
        while self.hardware.migration(SERVER) is not None:
            await asyncio.sleep(0.1)


def _play(work: Callable[[Site], Awaitable[Any]], *, seed: int = 1, **rates: float) -> Any:
    async def main(loop: SimLoop) -> Any:
        site = Site(loop, msgspec.structs.replace(QUIET, **rates))
        found = await work(site)
        assert site.reported == []
        return found

    return simulate(main, seed)[0]


def test_migration__as_long_as_it_lasts__exactly_one_side_runs():
    async def work(site: Site) -> float:
        task = await site.begin()
        began = site.loop.time()
        while not task.done():
            assert site.states().count(PowerState.RUNNING) == 1
            await asyncio.sleep(0.01)
        assert site.states() == (PowerState.SHUTDOWN, PowerState.RUNNING)
        return site.loop.time() - began

    assert all(5.0 <= _play(work, seed=seed) <= 60.1 for seed in range(10))


@pytest.mark.parametrize("dies_too", [False, True])
def test_agent__killed_meanwhile__the_migration_survives_it_or_not(dies_too: bool):
    async def work(site: Site) -> tuple[PowerState | None, PowerState | None]:
        await site.begin()
        assert site.agent
        site.agent.kill()
        await site.over()
        return site.states()

    wanted = (PowerState.RUNNING, PowerState.NOSTATE) if dies_too else (PowerState.SHUTDOWN, PowerState.RUNNING)
    assert _play(work, migration_dies_with_agent=float(dies_too)) == wanted


def test_next_agent__finds_the_migration_under_way__waits_for_it():
    async def work(site: Site) -> tuple[PowerState | None, PowerState | None]:
        await site.begin()
        assert site.agent
        site.agent.kill()
        driver = SimDriver(site.loop, site.hardware, (ONE,), Faults(QUIET), Sometimes())
        await driver.guest_migrate(ONE, SERVER, 2, {"host": TWO}, shared=False)
        return site.states()

    assert _play(work) == (PowerState.SHUTDOWN, PowerState.RUNNING)


def test_step__cancelled_while_it_waits__the_hardware_goes_on():
    async def work(site: Site) -> tuple[PowerState | None, PowerState | None]:
        task = await site.begin()
        task.cancel()
        await site.over()
        return site.states()

    assert _play(work) == (PowerState.SHUTDOWN, PowerState.RUNNING)


def test_abort__the_guest_stays():
    async def work(site: Site) -> tuple[PowerState | None, PowerState | None]:
        task = await site.begin()
        await site.source.guest_migrate_abort(ONE, SERVER)
        with pytest.raises(MigrationAborted):
            await task
        return site.states()

    assert _play(work) == (PowerState.RUNNING, PowerState.NOSTATE)


def test_force__ends_at_once():
    async def work(site: Site) -> float:
        task = await site.begin()
        began = site.loop.time()
        await site.source.guest_migrate_force(ONE, SERVER)
        await task
        return site.loop.time() - began

    assert _play(work) < 1.0


@pytest.mark.parametrize(
    ("dark", "wanted"),
    [(ONE, (PowerState.SHUTDOWN, PowerState.NOSTATE)), (TWO, (PowerState.RUNNING, PowerState.NOSTATE))],
)
def test_host_goes_dark_meanwhile__nothing_moves(dark: HostName, wanted: tuple[PowerState, PowerState]):
    async def work(site: Site) -> tuple[PowerState | None, PowerState | None]:
        task = await site.begin()
        site.hardware.cut_power(dark)
        with pytest.raises(HypervisorFailure):
            await task
        return site.states()

    assert _play(work) == wanted


def test_target__taken_back_meanwhile__the_guest_stays():
    async def work(site: Site) -> tuple[PowerState | None, PowerState | None]:
        task = await site.begin()
        await site.target.guest_destroy(TWO, SERVER, 3)
        with pytest.raises(HypervisorFailure):
            await task
        return site.states()

    assert _play(work) == (PowerState.RUNNING, None)


def test_migration__fails_amid__has_to_be_made_ready_anew():
    async def work(site: Site) -> tuple[PowerState | None, PowerState | None]:
        faults = site.source._faults
        faults.on = False
        await site.source.guest_ensure(ONE, SPEC, IMAGES)
        spec = msgspec.structs.replace(SPEC, generation=2)
        incoming = await site.target.guest_incoming(TWO, spec, IMAGES, shared=False)
        faults.on = True
        with pytest.raises(HypervisorFailure, match="broke off"):
            await site.source.guest_migrate(ONE, SERVER, 2, incoming, shared=False)
        assert site.states() == (PowerState.RUNNING, PowerState.NOSTATE)
        faults.on = False
        with pytest.raises(HypervisorFailure, match="isn't ready"):
            await site.source.guest_migrate(ONE, SERVER, 2, incoming, shared=False)
        incoming = await site.target.guest_incoming(TWO, spec, IMAGES, shared=False)
        await site.source.guest_migrate(ONE, SERVER, 2, incoming, shared=False)
        return site.states()

    assert _play(work, hypervisor_fails_halfway=1.0) == (PowerState.SHUTDOWN, PowerState.RUNNING)
