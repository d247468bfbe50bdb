"""What every hypervisor driver does to a guest beyond starting and stopping it, on one host; `devices_contract` has its devices.

A suite to be inherited, as `DriverContract` is.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from kilonova.drivers.driver import Driver, HypervisorFailure, NoGuestAgent, NoSuchGuest, StaleGeneration
from kilonova.kernel.ids import HostName
from kilonova.objects.guest import Guest, GuestSpec, PowerState
from kilonova.testing.driver_contract import play
from kilonova.testing.guests import (
    CARD,
    NEW_VOLUME,
    SERVER,
    VOLUME,
    Hypervisor,
    Images,
    boot_sector,
    console_until,
    guest_spec,
    hello_disk,
    twice,
)

Order = Callable[[Driver, HostName, GuestSpec, Images], Awaitable[object]]

_ORDERS: dict[str, Order] = {
    "pause": lambda driver, host, it, _: driver.guest_pause(host, SERVER, it.generation),
    "unpause": lambda driver, host, it, _: driver.guest_unpause(host, SERVER, it.generation),
    "suspend": lambda driver, host, it, _: driver.guest_suspend(host, SERVER, it.generation),
    "resume": lambda driver, host, it, _: driver.guest_resume(host, SERVER, it.generation),
    "rescue": lambda driver, host, it, images: driver.guest_rescue(host, it, images),
    "unrescue": lambda driver, host, it, _: driver.guest_unrescue(host, SERVER, it.generation),
    "rebuild": lambda driver, host, it, images: driver.guest_rebuild(host, it, images, run=True),
    "resize": lambda driver, host, it, _: driver.guest_resize(host, it, run=True),
    "resize_confirm": lambda driver, host, it, _: driver.guest_resize_confirm(host, SERVER, it.generation),
    "resize_revert": lambda driver, host, it, _: driver.guest_resize_revert(host, SERVER, it.generation, run=True),
    "password_set": lambda driver, host, it, _: driver.guest_password_set(host, SERVER, it.generation, "secret"),
    "crash_dump": lambda driver, host, it, _: driver.guest_crash_dump(host, SERVER, it.generation),
    "snapshot": lambda driver, host, it, images: driver.guest_snapshot(
        host, SERVER, it.generation, "snapshot", "raw", images
    ),
    "nic_attach": lambda driver, host, it, _: driver.nic_attach(host, SERVER, it.generation, CARD),
    "nic_detach": lambda driver, host, it, _: driver.nic_detach(host, SERVER, it.generation, "port"),
    "volume_attach": lambda driver, host, it, _: driver.volume_attach(host, SERVER, it.generation, VOLUME),
    "volume_detach": lambda driver, host, it, _: driver.volume_detach(host, SERVER, it.generation, "data"),
    "volume_swap": lambda driver, host, it, _: driver.volume_swap(host, SERVER, it.generation, "data", NEW_VOLUME),
}
"""Each order to a guest that must be there."""


def _at(spec: GuestSpec, generation: int, **changes: Any) -> GuestSpec:
    return msgspec.structs.replace(spec, generation=generation, **changes)


async def _booted(driver: Driver, hypervisor: Hypervisor, spec: GuestSpec, images: Images) -> Guest:
    made = await driver.guest_ensure(hypervisor.host, spec, images)
    await console_until(driver, hypervisor.host, lambda text: hypervisor.boots(text) == 1)
    return made


async def _content(driver: Driver, hypervisor: Hypervisor, images: Images, name: str, generation: int) -> str:
    """A digest of what is on the guest's root disk."""
    await driver.guest_snapshot(hypervisor.host, SERVER, generation, name, "raw", images)
    return images.uploaded[name].sha512


class OrdersContract:
    """Inherit it, and say in a fixture `hypervisor` which hypervisor is judged."""

    @pytest.fixture
    def hypervisor(self) -> Hypervisor:
        """The hypervisor, without guests."""
        raise NotImplementedError("give your hypervisor in a fixture of this name")

    @pytest.fixture
    def images(self) -> Images:
        """Where the driver fetches images and stores snapshots."""
        return Images()

    @pytest.fixture
    def spec(self, images: Images) -> GuestSpec:
        """A guest that boots and writes a line to its console."""
        return guest_spec(images.add("image", hello_disk()))

    @pytest.mark.parametrize("order", _ORDERS)
    def test_any_order__generation_is_older_than_stored__is_refused(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec, order: str
    ) -> None:
        async def scenario(driver: Driver) -> None:
            before = await driver.guest_ensure(hypervisor.host, _at(spec, 5), images)
            with pytest.raises(StaleGeneration, match="generation 5"):
                await _ORDERS[order](driver, hypervisor.host, _at(spec, 4), images)
            assert await driver.guests() == [before]

        play(hypervisor, scenario)

    @pytest.mark.parametrize("order", _ORDERS)
    def test_any_order__about_no_guest__says_so(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec, order: str
    ) -> None:
        async def scenario(driver: Driver) -> None:
            with pytest.raises(NoSuchGuest, match=f"no guest {SERVER}"):
                await _ORDERS[order](driver, hypervisor.host, spec, images)

        play(hypervisor, scenario)

    @pytest.mark.parametrize("order", ["pause", "unpause", "suspend", "resume", "password_set", "crash_dump"])
    def test_any_order__needs_a_guest_that_runs__says_so_and_it_stays_off(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec, order: str
    ) -> None:
        async def scenario(driver: Driver) -> None:
            await driver.guest_ensure(hypervisor.host, spec, images)
            stopped = await driver.guest_stop(hypervisor.host, SERVER, 2, grace_s=0)
            with pytest.raises(HypervisorFailure):
                await _ORDERS[order](driver, hypervisor.host, _at(spec, 3), images)
            (guest,) = await driver.guests()
            assert guest.power_state is stopped.power_state

        play(hypervisor, scenario)

    def test_ensure__not_to_run__is_there_and_can_be_started(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            made = await twice(lambda: driver.guest_ensure(hypervisor.host, spec, images, run=False))
            assert made.power_state is PowerState.SHUTDOWN
            started = await driver.guest_start(hypervisor.host, SERVER, 2)
            assert started.power_state is PowerState.RUNNING
            await console_until(driver, hypervisor.host, lambda text: hypervisor.boots(text) == 1)

        play(hypervisor, scenario)

    def test_pause_and_unpause__each_twice__the_guest_goes_on(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def before(driver: Driver) -> None:
            await _booted(driver, hypervisor, spec, images)
            paused = await twice(lambda: driver.guest_pause(hypervisor.host, SERVER, 2))
            assert (paused.generation, paused.power_state) == (2, PowerState.PAUSED)

        async def after(driver: Driver) -> None:
            (guest,) = await driver.guests()
            assert guest.power_state is PowerState.PAUSED
            unpaused = await twice(lambda: driver.guest_unpause(hypervisor.host, SERVER, 3))
            assert (unpaused.generation, unpaused.power_state) == (3, PowerState.RUNNING)
            assert hypervisor.boots(await driver.console_output(hypervisor.host, SERVER, None)) == 1

        play(hypervisor, before, after)

    @pytest.mark.parametrize("paused", [False, True])
    def test_suspend_and_resume__each_twice__the_guest_goes_on_without_a_boot(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec, paused: bool
    ) -> None:
        async def before(driver: Driver) -> None:
            await _booted(driver, hypervisor, spec, images)
            if paused:
                await driver.guest_pause(hypervisor.host, SERVER, 2)
            suspended = await twice(lambda: driver.guest_suspend(hypervisor.host, SERVER, 3))
            assert (suspended.generation, suspended.power_state) == (3, PowerState.SUSPENDED)

        async def after(driver: Driver) -> None:
            (guest,) = await driver.guests()
            assert guest.power_state is PowerState.SUSPENDED
            resumed = await twice(lambda: driver.guest_resume(hypervisor.host, SERVER, 4))
            assert (resumed.generation, resumed.power_state) == (4, PowerState.RUNNING)
            assert hypervisor.boots(await driver.console_output(hypervisor.host, SERVER, None)) == 1

        play(hypervisor, before, after)

    def test_suspended__started_or_rebooted_hard__gives_its_memory_up(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            host = hypervisor.host
            await _booted(driver, hypervisor, spec, images)
            await driver.guest_suspend(host, SERVER, 2)
            assert (await driver.guest_start(host, SERVER, 3)).power_state is PowerState.RUNNING
            await console_until(driver, host, lambda text: hypervisor.boots(text) == 2)
            await driver.guest_suspend(host, SERVER, 4)
            assert (await driver.guest_reboot(host, SERVER, 5, hard=True)).power_state is PowerState.RUNNING
            await console_until(driver, host, lambda text: hypervisor.boots(text) == 3)

        play(hypervisor, scenario)

    def test_image_fetch__before_anybody_needs_it__guest_finds_it_there(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            assert spec.image is not None
            for _ in range(2):
                await driver.image_fetch(hypervisor.host, spec.image, images)
            assert await driver.images_cached() == ["image"]
            await _booted(driver, hypervisor, spec, images)
            assert images.fetched == ["image"]

        play(hypervisor, scenario)

    def test_diagnostics__of_a_guest_and_of_none(self, hypervisor: Hypervisor, images: Images, spec: GuestSpec) -> None:
        async def scenario(driver: Driver) -> None:
            with pytest.raises(NoSuchGuest):
                await driver.guest_diagnostics(hypervisor.host, SERVER)
            await _booted(driver, hypervisor, spec, images)
            told = await driver.guest_diagnostics(hypervisor.host, SERVER)
            assert (told.state, told.num_cpus, len(told.cpu_details)) == ("running", spec.vcpus, spec.vcpus)
            assert [nic.mac_address for nic in told.nic_details] == [nic.mac for nic in spec.nics]
            assert (told.num_disks, told.memory_details.maximum) == (len(told.disk_details), spec.memory_mb)
            await driver.guest_stop(hypervisor.host, SERVER, 3, grace_s=0)
            assert (await driver.guest_diagnostics(hypervisor.host, SERVER)).state == "shutdown"

        play(hypervisor, scenario)

    def test_rescue_and_unrescue__each_twice__runs_another_image_and_keeps_the_disk(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        rescue = _at(spec, 3, image=images.add("rescue", boot_sector(b"\xf4\xeb\xfd")))

        async def before(driver: Driver) -> None:
            await _booted(driver, hypervisor, spec, images)
            await _content(driver, hypervisor, images, "before", 2)
            rescued = await twice(lambda: driver.guest_rescue(hypervisor.host, rescue, images))
            assert (rescued.generation, rescued.power_state) == (3, PowerState.RUNNING)
            assert await driver.images_clean(0) == []
            assert sorted(await driver.images_cached()) == ["image", "rescue"]

        async def after(driver: Driver) -> None:
            unrescued = await twice(lambda: driver.guest_unrescue(hypervisor.host, SERVER, 4))
            assert (unrescued.generation, unrescued.power_state) == (4, PowerState.RUNNING)
            assert await driver.images_clean(0) == ["rescue"]
            assert await _content(driver, hypervisor, images, "after", 5) == images.uploaded["before"].sha512

        play(hypervisor, before, after)

    def test_unrescue__not_rescued__is_run(self, hypervisor: Hypervisor, images: Images, spec: GuestSpec) -> None:
        async def scenario(driver: Driver) -> None:
            await driver.guest_ensure(hypervisor.host, spec, images, run=False)
            unrescued = await twice(lambda: driver.guest_unrescue(hypervisor.host, SERVER, 2))
            assert unrescued.power_state is PowerState.RUNNING

        play(hypervisor, scenario)

    def test_rebuild__twice_with_one_generation__makes_the_disk_anew_once(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        other = _at(spec, 3, image=images.add("other", boot_sector(b"\xf4\xeb\xfd")))

        async def scenario(driver: Driver) -> None:
            await _booted(driver, hypervisor, spec, images)
            before = await _content(driver, hypervisor, images, "before", 2)
            rebuilt = await twice(lambda: driver.guest_rebuild(hypervisor.host, other, images, run=True))
            assert (rebuilt.generation, rebuilt.power_state) == (3, PowerState.RUNNING)
            assert images.fetched == ["image", "other"]
            anew = await _content(driver, hypervisor, images, "anew", 4)
            assert anew != before
            kept = _at(spec, 5)
            await twice(lambda: driver.guest_rebuild(hypervisor.host, kept, images, run=False, keep_disk=True))
            (guest,) = await driver.guests()
            assert guest.power_state is PowerState.SHUTDOWN
            assert await _content(driver, hypervisor, images, "kept", 6) == anew

        play(hypervisor, scenario)

    def test_rebuild__while_rescued_or_suspended__is_an_ordinary_guest(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            host = hypervisor.host
            await _booted(driver, hypervisor, spec, images)
            await driver.guest_rescue(host, _at(spec, 2, image=images.add("rescue", boot_sector(b"\xf4"))), images)
            await driver.guest_rebuild(host, _at(spec, 3), images, run=True)
            assert await driver.images_clean(0) == ["rescue"]
            await driver.guest_suspend(host, SERVER, 4)
            rebuilt = await driver.guest_rebuild(host, _at(spec, 5), images, run=False)
            assert rebuilt.power_state is PowerState.SHUTDOWN

        play(hypervisor, scenario)

    def test_resize__then_reverted__has_its_old_sizes_again(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        larger, between = _at(spec, 2, vcpus=2, disk_gb=3), _at(spec, 3, disk_gb=2)

        async def before(driver: Driver) -> None:
            await _booted(driver, hypervisor, spec, images)
            resized = await twice(lambda: driver.guest_resize(hypervisor.host, larger, run=True))
            assert (resized.generation, resized.power_state, resized.resized) == (2, PowerState.RUNNING, True)
            with pytest.raises(HypervisorFailure, match=r"shrink|smaller"):
                await driver.guest_resize(hypervisor.host, between, run=True)

        async def after(driver: Driver) -> None:
            reverted = await twice(lambda: driver.guest_resize_revert(hypervisor.host, SERVER, 3, run=False))
            assert (reverted.generation, reverted.power_state, reverted.resized) == (3, PowerState.SHUTDOWN, False)
            resized = await driver.guest_resize(hypervisor.host, _at(between, 4), run=True)
            assert resized.power_state is PowerState.RUNNING

        play(hypervisor, before, after)

    def test_resize__then_confirmed__can_not_be_reverted(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            host = hypervisor.host
            await _booted(driver, hypervisor, spec, images)
            resized = await driver.guest_resize(host, _at(spec, 2, disk_gb=3), run=False)
            assert resized.power_state is PowerState.SHUTDOWN
            confirmed = await twice(lambda: driver.guest_resize_confirm(host, SERVER, 3))
            assert (confirmed.power_state, confirmed.resized) == (PowerState.SHUTDOWN, False)
            reverted = await driver.guest_resize_revert(host, SERVER, 4, run=True)
            assert reverted.power_state is PowerState.RUNNING
            with pytest.raises(HypervisorFailure, match=r"shrink|smaller"):
                await driver.guest_resize(host, _at(spec, 5, disk_gb=1), run=True)

        play(hypervisor, scenario)

    def test_resize__to_a_smaller_disk__is_refused_and_the_guest_runs(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            made = await driver.guest_ensure(hypervisor.host, _at(spec, 1, disk_gb=2), images)
            with pytest.raises(HypervisorFailure, match=r"shrink|smaller"):
                await driver.guest_resize(hypervisor.host, _at(spec, 2, disk_gb=1), run=True)
            (guest,) = await driver.guests()
            assert guest.power_state is made.power_state

        play(hypervisor, scenario)

    def test_password__no_guest_agent__says_so(self, hypervisor: Hypervisor, images: Images) -> None:
        async def scenario(driver: Driver) -> None:
            made = await driver.guest_ensure(hypervisor.host, guest_spec(None), images)
            with pytest.raises(NoGuestAgent, match=f"{SERVER} on {hypervisor.host} runs no guest agent"):
                await driver.guest_password_set(hypervisor.host, SERVER, 2, "secret")
            (guest,) = await driver.guests()
            assert guest.power_state is made.power_state

        play(hypervisor, scenario)

    def test_crash_dump__twice__is_sent_and_the_guest_is_there(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(driver: Driver) -> None:
            await _booted(driver, hypervisor, spec, images)
            dumped = await twice(lambda: driver.guest_crash_dump(hypervisor.host, SERVER, 2))
            assert (dumped.generation, dumped.power_state) == (2, PowerState.RUNNING)

        play(hypervisor, scenario)

    @pytest.mark.parametrize("disk_format", ["raw", "qcow2"])
    @pytest.mark.parametrize("order", [None, "pause", "suspend", "stop"])
    def test_snapshot__in_any_state__is_stored_and_the_guest_stays_what_it_was(
        self, hypervisor: Hypervisor, images: Images, spec: GuestSpec, order: str | None, disk_format: str
    ) -> None:
        async def scenario(driver: Driver) -> None:
            guest = await _booted(driver, hypervisor, spec, images)
            if order == "stop":
                guest = await driver.guest_stop(hypervisor.host, SERVER, 2, grace_s=0)
            elif order:
                await _ORDERS[order](driver, hypervisor.host, _at(spec, 2), images)
                (guest,) = await driver.guests()
            shown = await twice(
                lambda: driver.guest_snapshot(hypervisor.host, SERVER, 3, "snapshot", disk_format, images)
            )
            assert (shown.generation, shown.power_state) == (3, guest.power_state)
            head = images.uploaded["snapshot"].head
            assert head.startswith(b"QFI\xfb\0\0\0\3") == (disk_format == "qcow2")

        play(hypervisor, scenario)
