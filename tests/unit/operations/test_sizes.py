"""Guests that still have the size of a resize which came to nothing are made what they were."""

import asyncio

from typing_extensions import override

from kilonova.drivers.driver import HypervisorFailure
from kilonova.kernel.ids import HostName
from kilonova.objects.guest import Guest, GuestSpec
from kilonova.objects.server import VmState
from kilonova.simulation.hypervisor import SimDriver
from unit.operations.life import shown
from unit.operations.moves_rig import act, check_whole, host_down, lives, resize, start_watch
from unit.operations.rig import FLAVOR, Rig, play


class ResizesAndFails(SimDriver):
    """A driver that resizes a guest and says that it could not."""

    @override
    async def guest_resize(self, host: HostName, spec: GuestSpec, *, run: bool) -> Guest:
        await super().guest_resize(host, spec, run=run)
        raise HypervisorFailure(host=host, action="resize the guest", reason="it was told to fail.")


def test_resize__in_place_and_its_host_is_lost_before_the_undo__has_its_old_size_when_that_is_back() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig, "host-1", driver=ResizesAndFails)
        await resize(api, may_stay=True)
        while rig.cell1.rows("SELECT state FROM operations WHERE kind = 'resize'") != [("undoing",)]:
            await asyncio.sleep(0.01)
        rig.hypervisor.cut_power(HostName("host-1"))
        await host_down(rig, "host-1")
        await start_watch(rig)
        await rig.settled(2000.0)
        assert shown(rig).flavor == FLAVOR
        rig.hypervisor.restore_power(HostName("host-1"))
        await host_down(rig, "host-1", down=False)
        await asyncio.sleep(60.0)
        assert shown(rig).vm_state is VmState.STOPPED
        await act(api, "start")
        await rig.settled()
        check_whole(rig, flavor=FLAVOR, host="host-1")

    play(work)


def test_reset__of_a_resize_in_place__the_guest_gets_its_old_size_back() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig, "host-1", driver=ResizesAndFails)
        await resize(api, may_stay=True)
        while rig.cell1.rows("SELECT attempt FROM operations WHERE step = 'resize'") != [(2,)]:
            await asyncio.sleep(0.01)
        await act(api, "reset_state", state="active")
        await rig.settled(300.0)
        await asyncio.sleep(60.0)
        check_whole(rig, flavor=FLAVOR, host="host-1")

    play(work)
