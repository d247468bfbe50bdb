"""What every hypervisor driver does, whatever is behind it: a suite that each driver's own tests inherit.

    class TestMyDriver(DriverContract):
        @pytest.fixture
        def hypervisor(self, tmp_path: Path) -> Hypervisor:
            return MyHypervisor(tmp_path)

Its tests are sentences, and `drivers/driver.py` has the words.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from kilonova.drivers.driver import Driver, HypervisorFailure, NoSuchGuest, StaleGeneration
from kilonova.kernel.ids import CellId, HostName
from kilonova.objects.guest import GuestSpec, PowerState
from kilonova.runtime.real import RealRuntime
from kilonova.testing.guests import (
    SERVER,
    Hypervisor,
    Images,
    console_until,
    guest_spec,
    hello_disk,
    power_until,
)

Scenario = Callable[[Driver], Awaitable[None]]


def play(hypervisor: Hypervisor, *scenarios: Scenario) -> None:
    """Play each scenario on a driver of its own, as if Kilonova had restarted in between."""

    async def play_one(scenario: Scenario) -> None:
        driver = hypervisor.driver(RealRuntime())
        await driver.start()
        try:
            await scenario(driver)
        finally:
            await driver.close()

    for scenario in scenarios:
        asyncio.run(play_one(scenario))


async def destroy_all(driver: Driver) -> None:
    """Leave no guest behind, for fixtures of drivers whose guests outlive the tests."""
    for guest in await driver.guests():
        await driver.guest_destroy(guest.host, guest.server_id, guest.generation)


class DriverContract:
    """Inherit it, and say in a fixture `hypervisor` which hypervisor is judged."""

    @pytest.fixture
    def hypervisor(self) -> Hypervisor:
        """The hypervisor, without guests."""
        raise NotImplementedError("give your hypervisor in a fixture of this name")

    @pytest.fixture
    def images(self) -> Images:
        """Where the driver fetches images."""
        return Images()

    @pytest.fixture
    def spec(self, images: Images) -> GuestSpec:
        """A guest that boots and writes a line to its console."""
        return guest_spec(images.add("image", hello_disk()))

    def test_hosts__asked__each_has_resources_and_a_name_of_its_own(self, hypervisor: Hypervisor) -> None:
        async def scenario(driver: Driver) -> None:
            hosts = await driver.hosts()
            assert hypervisor.host in {host.name for host in hosts}
            assert len({host.name for host in hosts}) == len(hosts)
            assert all(host.vcpus > 0 and host.memory_mb > 0 and host.disk_gb > 0 for host in hosts)
            assert all(notice.endswith(".") for notice in driver.notices())

        play(hypervisor, scenario)

    def test_ensure__new_guest__runs_and_is_listed(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            made = await driver.guest_ensure(hypervisor.host, spec, images)
            assert (made.server_id, made.host, made.generation) == (SERVER, hypervisor.host, 1)
            assert made.power_state is PowerState.RUNNING
            assert await driver.guests() == [made]

        play(hypervisor, scenario)

    def test_ensure__the_cell_that_it_is_made_for_is_kept_as_its_mark(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        marked = msgspec.structs.replace(spec, cell_id=CellId("cell"))

        async def scenario(driver: Driver) -> None:
            assert (await driver.guest_ensure(hypervisor.host, marked, images)).cell_id == "cell"

        async def after_a_restart(driver: Driver) -> None:
            assert [guest.cell_id for guest in await driver.guests()] == ["cell"]

        play(hypervisor, scenario, after_a_restart)

    def test_ensure__twice__makes_and_boots_once(self, hypervisor: Hypervisor, images: Images, spec: GuestSpec) -> None:
        async def scenario(driver: Driver) -> None:
            first = await driver.guest_ensure(hypervisor.host, spec, images)
            await console_until(driver, hypervisor.host, lambda text: hypervisor.boots(text) == 1)
            assert await driver.guest_ensure(hypervisor.host, spec, images) == first
            assert images.fetched == ["image"]
            assert hypervisor.boots(await driver.console_output(hypervisor.host, SERVER, None)) == 1

        play(hypervisor, scenario)

    def test_ensure__at_the_same_time__makes_one_guest(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            made = await asyncio.gather(*(driver.guest_ensure(hypervisor.host, spec, images) for _ in range(3)))
            assert len(set(made)) == 1
            assert len(await driver.guests()) == 1

        play(hypervisor, scenario)

    def test_restart__guest_runs__it_is_found_and_obeys(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def before(driver: Driver) -> None:
            await driver.guest_ensure(hypervisor.host, spec, images)

        async def after(driver: Driver) -> None:
            (guest,) = await driver.guests()
            assert (guest.server_id, guest.generation, guest.power_state) == (SERVER, 1, PowerState.RUNNING)
            await console_until(driver, hypervisor.host, lambda text: hypervisor.boots(text) == 1)
            stopped = await driver.guest_stop(hypervisor.host, SERVER, 2, grace_s=0)
            assert stopped.power_state is PowerState.SHUTDOWN

        async def later(driver: Driver) -> None:
            (guest,) = await driver.guests()
            assert (guest.generation, guest.power_state) == (2, PowerState.SHUTDOWN)

        play(hypervisor, before, after, later)

    def test_destroy__twice__nothing_is_left(self, hypervisor: Hypervisor, images: Images, spec: GuestSpec) -> None:
        async def scenario(driver: Driver) -> None:
            await driver.guest_ensure(hypervisor.host, spec, images)
            await driver.guest_destroy(hypervisor.host, SERVER, 2)
            await driver.guest_destroy(hypervisor.host, SERVER, 2)
            assert await driver.guests() == []
            assert await driver.console_output(hypervisor.host, SERVER, None) == ""

        play(hypervisor, scenario)

    def test_order__generation_is_older_than_stored__is_refused(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            host = hypervisor.host
            await driver.guest_ensure(host, msgspec.structs.replace(spec, generation=5), images)
            late: list[Callable[[], Awaitable[object]]] = [
                lambda: driver.guest_ensure(host, msgspec.structs.replace(spec, generation=4), images),
                lambda: driver.guest_start(host, SERVER, 4),
                lambda: driver.guest_stop(host, SERVER, 4, grace_s=0),
                lambda: driver.guest_reboot(host, SERVER, 4, hard=True),
                lambda: driver.guest_destroy(host, SERVER, 4),
            ]
            for order in late:
                with pytest.raises(StaleGeneration, match="generation 5"):
                    await order()
            (guest,) = await driver.guests()
            assert (guest.generation, guest.power_state) == (5, PowerState.RUNNING)

        play(hypervisor, scenario)

    def test_order__about_no_guest__says_so(self, hypervisor: Hypervisor) -> None:
        async def scenario(driver: Driver) -> None:
            for order in (
                driver.guest_start(hypervisor.host, SERVER, 1),
                driver.guest_stop(hypervisor.host, SERVER, 1, grace_s=0),
                driver.guest_reboot(hypervisor.host, SERVER, 1, hard=True),
            ):
                with pytest.raises(NoSuchGuest, match=f"no guest {SERVER}"):
                    await order

        play(hypervisor, scenario)

    def test_order__for_a_host_not_served__says_so(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            with pytest.raises(HypervisorFailure, match="elsewhere"):
                await driver.guest_ensure(HostName("elsewhere"), spec, images)

        play(hypervisor, scenario)

    def test_stop_and_start__each_twice__works_once(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            host = hypervisor.host
            await driver.guest_ensure(host, spec, images)
            await console_until(driver, host, lambda text: hypervisor.boots(text) == 1)
            for _ in range(2):
                stopped = await driver.guest_stop(host, SERVER, 2, grace_s=0.1)
                assert (stopped.generation, stopped.power_state) == (2, PowerState.SHUTDOWN)
            for _ in range(2):
                started = await driver.guest_start(host, SERVER, 3)
                assert (started.generation, started.power_state) == (3, PowerState.RUNNING)
            console = await console_until(driver, host, lambda text: hypervisor.boots(text) >= 2)
            assert hypervisor.boots(console) == 2

        play(hypervisor, scenario)

    @pytest.mark.parametrize("hard", [True, False])
    def test_reboot__twice_with_one_generation__reboots_once(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec, hard: bool
    ) -> None:
        async def scenario(driver: Driver) -> None:
            host = hypervisor.host
            await driver.guest_ensure(host, spec, images)
            for boots, generation in ((2, 2), (3, 7)):
                await console_until(driver, host, _booted(hypervisor, boots - 1))
                for _ in range(2):
                    guest = await driver.guest_reboot(host, SERVER, generation, hard=hard)
                    assert (guest.generation, guest.power_state) == (generation, PowerState.RUNNING)
                console = await console_until(driver, host, _booted(hypervisor, boots))
                assert hypervisor.boots(console) == boots

        play(hypervisor, scenario)

    def test_reboot__guest_is_stopped__it_runs(self, hypervisor: Hypervisor, images: Images, spec: GuestSpec) -> None:
        async def scenario(driver: Driver) -> None:
            await driver.guest_ensure(hypervisor.host, spec, images)
            await driver.guest_stop(hypervisor.host, SERVER, 2, grace_s=0)
            rebooted = await driver.guest_reboot(hypervisor.host, SERVER, 3, hard=True)
            assert rebooted.power_state is PowerState.RUNNING

        play(hypervisor, scenario)

    def test_console__lines_asked__are_the_last_ones(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            host = hypervisor.host
            await driver.guest_ensure(host, spec, images)
            await console_until(driver, host, lambda text: hypervisor.boots(text) == 1)
            await driver.guest_reboot(host, SERVER, 2, hard=True)
            whole = await console_until(driver, host, lambda text: hypervisor.boots(text) == 2)
            lines = whole.splitlines(keepends=True)
            assert await driver.console_output(host, SERVER, 1) == lines[-1]
            assert await driver.console_output(host, SERVER, 0) == ""
            assert await driver.console_output(host, SERVER, 1000) == whole

        play(hypervisor, scenario)

    def test_guest__killed_from_outside__shows_and_can_be_started(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            await driver.guest_ensure(hypervisor.host, spec, images)
            hypervisor.crash(driver, SERVER)
            await power_until(driver, PowerState.CRASHED)
            started = await driver.guest_start(hypervisor.host, SERVER, 2)
            assert started.power_state is PowerState.RUNNING

        play(hypervisor, scenario)

    def test_guest__killed_while_kilonova_is_down__shows_after_the_restart(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def before(driver: Driver) -> None:
            await driver.guest_ensure(hypervisor.host, spec, images)
            hypervisor.crash(driver, SERVER)

        async def after(driver: Driver) -> None:
            guest = await power_until(driver, PowerState.CRASHED)
            await driver.guest_destroy(hypervisor.host, SERVER, guest.generation)
            assert await driver.guests() == []

        play(hypervisor, before, after)

    def test_image__content_is_not_as_declared__is_refused_and_leaves_nothing(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            assert spec.image
            other = msgspec.structs.replace(spec.image, sha512="0" * 128)
            with pytest.raises(HypervisorFailure, match="checksum"):
                await driver.guest_ensure(hypervisor.host, msgspec.structs.replace(spec, image=other), images)
            assert await driver.guests() == []
            assert await driver.images_cached() == []
            made = await driver.guest_ensure(hypervisor.host, spec, images)
            assert made.power_state is PowerState.RUNNING

        play(hypervisor, scenario)

    def test_image_cache__guest_uses_it__is_kept_until_the_guest_is_gone(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def used(driver: Driver) -> None:
            await driver.guest_ensure(hypervisor.host, spec, images)
            assert await driver.images_clean(0) == []
            assert await driver.images_cached() == ["image"]

        async def unused(driver: Driver) -> None:
            assert await driver.images_clean(0) == []
            await driver.guest_destroy(hypervisor.host, SERVER, 1)
            assert await driver.images_clean(3600) == []
            assert await driver.images_clean(0) == ["image"]
            assert await driver.images_cached() == []

        play(hypervisor, used, unused)


def _booted(hypervisor: Hypervisor, times: int) -> Callable[[str], bool]:
    """Whether a console shows that the guest was started so often."""
    return lambda console: hypervisor.boots(console) >= times
