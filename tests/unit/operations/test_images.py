"""Images of servers, rebuild and shelving; what failures and deletes at every moment leave."""

import asyncio
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from kilonova.drivers.driver import HypervisorFailure
from kilonova.kernel.errors import OverLimit
from kilonova.objects.guest import PowerState
from kilonova.objects.server import VmState
from kilonova.simulation.faults import QUIET, Faults
from kilonova.simulation.hypervisor.driver import SimDriver
from unit.operations.life import NEW, act, booted, guests, make_image, own_images, shelved, shown
from unit.operations.rig import CALLER, HOST, REQUEST, Rig, play, server_id


class FailingDriver(SimDriver):
    """Fails at whatever is asked after the boot."""

    @override
    async def guest_ensure(self, host: Any, spec: Any, images: Any, *, run: bool = True) -> Any:
        guest = await super().guest_ensure(host, spec, images, run=run)
        if spec.generation > 1:
            raise HypervisorFailure(host=host, action="make the guest", reason="it was told to fail")
        return guest

    @override
    async def guest_snapshot(self, host: Any, *order: Any) -> Any:
        await super().guest_snapshot(host, *order)
        raise HypervisorFailure(host=host, action="snapshot the guest", reason="it was told to fail")

    @override
    async def guest_rebuild(self, host: Any, *order: Any, **options: Any) -> Any:
        raise HypervisorFailure(host=host, action="rebuild the guest", reason="it was told to fail")


def test_snapshot__image_is_whole_and_the_server_as_it_was() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        image_id = await make_image(api, "snapshot")
        assert image_id in rig.images.images, "declared before the answer"
        await rig.settled()
        assert rig.images.images[image_id].status == "active"
        assert (shown(rig).vm_state, shown(rig).task_state, guests(rig)) == (
            VmState.ACTIVE,
            None,
            [(HOST, PowerState.RUNNING)],
        )

    play(work)


def test_snapshot__api_dies_after_the_acceptance__the_operation_declares_the_image_itself() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        params = {"new_image": msgspec.to_builtins(NEW)}
        await api.act(CALLER, REQUEST, server_id(), "snapshot", params)
        await rig.settled()
        assert rig.images.images[NEW.id].status == "active"

    play(work)


def test_snapshot__caller_may_not_have_the_image__refused_and_the_server_is_usable() -> None:
    async def work(rig: Rig) -> None:
        await booted(rig)
        rig.faults = Faults(msgspec.structs.replace(QUIET, service_refuses=1.0))
        api = await rig.servers()
        with pytest.raises(OverLimit):
            await make_image(api, "snapshot")
        await rig.settled()
        assert own_images(rig) == []
        assert (await act(rig, api, "stop")).vm_state is VmState.STOPPED

    play(work)


def test_c5_snapshot_fails__no_half_image_and_the_server_as_it_was() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig, FailingDriver)
        await make_image(api, "snapshot")
        await rig.settled(20_000.0)
        assert own_images(rig) == []
        assert (shown(rig).vm_state, shown(rig).task_state) == (VmState.ACTIVE, None)

    play(work)


@pytest.mark.parametrize("kind", ["snapshot", "backup", "shelve"])
def test_c5_server_deleted_at_every_moment__no_half_image_is_left(kind: str) -> None:
    for tenths in range(15):

        async def work(rig: Rig, tenths: int = tenths) -> None:
            api = await booted(rig)
            await make_image(api, kind, rotation=1, offload=True)
            await asyncio.sleep(tenths / 10)
            await api.delete(CALLER, REQUEST, server_id())
            await rig.settled()
            left = [rig.images.images[one].status for one in own_images(rig)]
            assert left in ([], ["active"]) if kind != "shelve" else left == []
            assert rig.held() == rig.ports.ports == {}
            assert guests(rig) == []

        play(work)


def test_backup__rotation__the_newest_stay() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        for number in (1, 2, 3):
            await make_image(api, "backup", number, rotation=2)
            await rig.settled()
        assert [one[-1] for one in own_images(rig)] == ["2", "3"]
        await make_image(api, "backup", 4, rotation=0)
        await rig.settled()
        assert own_images(rig) == []

    play(work)


@pytest.mark.parametrize("offload", [True, False])
def test_shelve_and_unshelve__runs_again_and_its_image_is_gone(offload: bool) -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        server = await shelved(rig, api, offload=offload)
        if offload:
            assert (server.vm_state, server.host, guests(rig)) == (VmState.SHELVED_OFFLOADED, None, [])
            assert (rig.held(), [port.host for port in rig.ports.ports.values()]) == ({}, [""])
        else:
            assert (server.vm_state, server.host) == (VmState.SHELVED, HOST)
            assert guests(rig) == [(HOST, PowerState.SHUTDOWN)]
        server = await act(rig, api, "unshelve")
        assert (server.vm_state, server.host, server.shelved) == (VmState.ACTIVE, HOST, None)
        assert guests(rig) == [(HOST, PowerState.RUNNING)]
        assert rig.held() == {server_id(): 1}
        assert own_images(rig) == []
        assert [port.host for port in rig.ports.ports.values()] == [HOST]

    play(work)


def test_shelve_fails__runs_again_and_no_image_is_left() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig, FailingDriver)
        server = await shelved(rig, api, offload=True)
        assert (server.vm_state, server.task_state) == (VmState.ACTIVE, None)
        assert guests(rig) == [(HOST, PowerState.RUNNING)]
        assert own_images(rig) == []

    play(work)


def test_c9_rebuild_fails__in_error_with_a_fault_and_not_rebuilding_for_ever() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig, FailingDriver)
        server = await act(rig, api, "rebuild", changes={"description": "anew"})
        assert (server.vm_state, server.task_state, server.description) == (VmState.ERROR, None, "anew")
        assert server.fault is not None

    play(work)


def test_reset__interrupts_a_snapshot__no_half_made_image_stays() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        image_id = await make_image(api, "snapshot")
        assert image_id in rig.images.images
        await act(rig, api, "reset_state", state="active")
        await rig.settled()
        assert (shown(rig).vm_state, shown(rig).task_state, own_images(rig)) == (VmState.ACTIVE, None, [])

    play(work)
