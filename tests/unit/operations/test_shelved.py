"""Servers that were shelved or rescued, and then something else: the right disk runs, and no image is left or lost."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from kilonova.objects.guest import PowerState
from kilonova.objects.server import VmState
from kilonova.operations.servers import Servers
from kilonova.simulation.doubles.images import IMAGE
from unit.operations.life import act, booted, guests, make_image, own_images, shelved, shown
from unit.operations.moves_rig import host_down, lives, start_watch
from unit.operations.rig import CALLER, HOST, REQUEST, Rig, play, server_id


async def soft_delete(rig: Rig, api: Servers) -> None:
    await api.delete(CALLER, REQUEST, server_id(), softly=True)
    await rig.settled()
    assert shown(rig).vm_state is VmState.SOFT_DELETED


def test_restore__of_a_rescued_server__runs_from_its_own_disk() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await act(rig, api, "rescue", image=msgspec.to_builtins(IMAGE))
        await soft_delete(rig, api)
        server = await act(rig, api, "restore")
        ((_, _, guest),) = rig.hypervisor.everything()
        assert (server.vm_state, guest.power_state, guest.rescued) == (VmState.ACTIVE, PowerState.RUNNING, False)

    play(work)


def test_restore__of_a_shelved_server__runs_and_its_image_is_gone() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await shelved(rig, api, offload=False)
        await soft_delete(rig, api)
        server = await act(rig, api, "restore")
        assert (server.vm_state, server.shelved, own_images(rig)) == (VmState.ACTIVE, None, [])
        assert guests(rig) == [(HOST, PowerState.RUNNING)]

    play(work)


async def _shelved_again(rig: Rig, api: Servers) -> None:
    """A server is shelved, and unshelved, without an image of before."""
    await make_image(api, "shelve", 2, offload=True)
    await rig.settled(20_000.0)
    assert len(own_images(rig)) == 1
    await act(rig, api, "unshelve")
    assert (shown(rig).vm_state, own_images(rig)) == (VmState.ACTIVE, [])


def test_reset__of_a_shelved_server__its_guest_has_all_and_the_image_goes() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await shelved(rig, api, offload=False)
        server = await act(rig, api, "reset_state", state="active")
        assert (server.shelved, own_images(rig)) == (None, [])
        await _shelved_again(rig, api)

    play(work)


def test_reset__of_an_offloaded_server__its_image_is_all_there_is_and_stays() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await shelved(rig, api, offload=True)
        for _ in range(2):
            server = await act(rig, api, "reset_state", state="error")
            assert (server.shelved is None, len(own_images(rig))) == (False, 1)
        await api.delete(CALLER, REQUEST, server_id())
        await rig.settled()
        assert own_images(rig) == []

    play(work)


async def _reset(rig: Rig, api: Servers) -> None:
    await api.act(CALLER, REQUEST, server_id(), "reset_state", {"state": "error"})


async def _reset_twice(rig: Rig, api: Servers) -> None:
    await _reset(rig, api)
    await _reset(rig, api)


@pytest.mark.parametrize("happens", [_reset, _reset_twice])
@pytest.mark.parametrize("kind", ["shelve", "unshelve"])
def test_reset__at_every_step__the_disk_or_its_image_is_there_and_never_a_second_image(
    kind: str, happens: Callable[[Rig, Servers], Awaitable[None]]
) -> None:
    async def work(rig: Rig, moment: int) -> bool:
        api = await booted(rig)
        if kind == "unshelve":
            await shelved(rig, api, offload=True)
            await api.act(CALLER, REQUEST, server_id(), kind, {})
        else:
            await make_image(api, kind, offload=True)
        commits = rig.cell1.commits
        while rig.cell1.commits < commits + moment and rig.live():
            await asyncio.sleep(0.002)
        if not rig.live():
            return False
        await happens(rig, api)
        await rig.settled(20_000.0)
        there = [guest.disk.content for _, _, guest in rig.hypervisor.everything()]
        assert len(there) + len(own_images(rig)) >= 1, moment
        assert len(own_images(rig)) == (shown(rig).shelved is not None), moment
        assert [port.host for port in rig.ports.ports.values()] == [shown(rig).host or ""], moment
        assert rig.held() == ({} if shown(rig).host is None else {server_id(): 1}), moment
        await api.delete(CALLER, REQUEST, server_id())
        await rig.settled(20_000.0)
        assert (guests(rig), own_images(rig), rig.held()) == ([], [], {}), moment
        return True

    moment = 0
    while play(lambda rig, moment=moment: work(rig, moment)):
        moment += 1
    assert moment > 3


def test_evacuate__interrupts_a_shelving__no_half_made_image_stays() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig)
        await make_image(api, "shelve", offload=True)
        rig.hypervisor.cut_power(HOST)
        await host_down(rig, HOST)
        await start_watch(rig)
        await act(rig, api, "evacuate")
        assert (shown(rig).vm_state, shown(rig).host != HOST, own_images(rig)) == (VmState.ACTIVE, True, [])

    play(work)
