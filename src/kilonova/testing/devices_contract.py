"""What every hypervisor driver does with cards and volumes of a guest that lets go of them when asked.

A suite to be inherited, as `DriverContract` is.
"""

import pytest

from kilonova.drivers.driver import Driver, HypervisorFailure
from kilonova.objects.guest import GuestSpec
from kilonova.testing.driver_contract import play
from kilonova.testing.guests import CARD, NEW_VOLUME, SERVER, VOLUME, Devices, Images, guest_spec, hello_disk, twice


class DevicesContract:
    """Inherit it, and say in a fixture `hypervisor` which hypervisor is judged."""

    @pytest.fixture
    def hypervisor(self) -> Devices:
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

    @pytest.mark.parametrize("stopped", [False, True])
    def test_nic__attached_and_detached__each_twice_and_after_a_restart(
        self, hypervisor: Devices, images: Images, spec: GuestSpec, stopped: bool
    ) -> None:
        async def before(driver: Driver) -> None:
            host = hypervisor.host
            await driver.guest_ensure(host, spec, images)
            if stopped:
                await driver.guest_stop(host, SERVER, 2, grace_s=0)
            await twice(lambda: driver.nic_attach(host, SERVER, 3, CARD))
            assert hypervisor.devices(driver) == {"port": "fa:16:3e:00:00:07", "second": "fa:16:3e:00:00:08"}

        async def after(driver: Driver) -> None:
            host = hypervisor.host
            await driver.guest_reboot(host, SERVER, 4, hard=True)
            assert hypervisor.devices(driver) == {"port": "fa:16:3e:00:00:07", "second": "fa:16:3e:00:00:08"}
            await twice(lambda: driver.nic_detach(host, SERVER, 5, "port"))
            assert hypervisor.devices(driver) == {"second": "fa:16:3e:00:00:08"}

        play(hypervisor, before, after)

    @pytest.mark.parametrize("stopped", [False, True])
    def test_volume__attached_swapped_and_detached__each_twice_and_after_a_restart(
        self, hypervisor: Devices, images: Images, spec: GuestSpec, stopped: bool
    ) -> None:
        cards = {"port": "fa:16:3e:00:00:07"}

        async def before(driver: Driver) -> None:
            host = hypervisor.host
            await driver.guest_ensure(host, spec, images)
            if stopped:
                await driver.guest_stop(host, SERVER, 2, grace_s=0)
            await twice(lambda: driver.volume_attach(host, SERVER, 3, VOLUME))
            assert hypervisor.devices(driver) == cards | {"data": "/dev/vdb"}

        async def after(driver: Driver) -> None:
            host = hypervisor.host
            await driver.guest_reboot(host, SERVER, 4, hard=True)
            await twice(lambda: driver.volume_swap(host, SERVER, 5, "data", NEW_VOLUME))
            assert hypervisor.devices(driver) == cards | {"new": "/dev/vdb"}
            with pytest.raises(HypervisorFailure, match="no volume elsewhere"):
                await driver.volume_swap(host, SERVER, 6, "elsewhere", VOLUME)
            await twice(lambda: driver.volume_detach(host, SERVER, 7, "new"))
            assert hypervisor.devices(driver) == cards

        play(hypervisor, before, after)
