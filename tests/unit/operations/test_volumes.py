"""Volumes given to servers that are there, taken away and swapped: scenarios H1 to H4, and what interruptions leave."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kilonova.drivers.driver import HypervisorFailure
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest
from kilonova.objects.server import VmState
from kilonova.operations.servers import Servers
from kilonova.simulation.doubles.volumes import SOME
from kilonova.simulation.hypervisor import SimDriver
from unit.operations.life import act, booted, shown
from unit.operations.rig import CALLER, HOST, REQUEST, Interruption, Rig, play, server_id

FIRST, SECOND, *_ = SOME
LEASE_S = 15.0


class Clinging(SimDriver):
    """A guest lets its volumes go only when it is asked the third time."""

    asked = 0

    async def volume_detach(self, host: HostName, server_id: ServerId, generation: int, volume_id: str) -> Guest:
        type(self).asked += 1
        if self.asked % 3:
            raise HypervisorFailure(host=host, action="unplug a volume", reason="the guest keeps it")
        return await super().volume_detach(host, server_id, generation, volume_id)


class Refusing(SimDriver):
    """A hypervisor that takes no volume."""

    async def volume_attach(self, host: HostName, server_id: ServerId, generation: int, volume: Any) -> Guest:
        raise HypervisorFailure(host=host, action="plug in a volume", reason="no slot is free")

    async def volume_swap(
        self, host: HostName, server_id: ServerId, generation: int, volume_id: str, new: Any
    ) -> Guest:
        raise HypervisorFailure(host=host, action="swap a volume", reason="it is too small")


def same(rig: Rig, *volume_ids: str) -> None:
    """Users, the hypervisor and the volume service agree on the server's volumes."""
    (guest,) = [guest for _, _, guest in rig.hypervisor.everything()]
    server = shown(rig)
    assert server.current_op is None
    assert sorted(volume.guest.volume_id for volume in server.volumes) == sorted(volume_ids)
    assert sorted(guest.spec.volumes, key=str) == sorted((volume.guest for volume in server.volumes), key=str)
    there = {(one.id, one.volume_id, one.status) for one in rig.volumes.of(server_id())}
    assert there == {(one.guest.attachment_id, one.guest.volume_id, "attached") for one in server.volumes}
    for volume_id in (FIRST, SECOND):
        assert rig.volumes.get(volume_id).status == ("in-use" if volume_id in volume_ids else "available")


def test_attach_and_detach__volume_is_where_everybody_looks_then_free() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await act(rig, api, "attach_volume", volume_id=FIRST, tag="data")
        same(rig, FIRST)
        (volume,) = shown(rig).volumes
        assert (volume.guest.device, volume.tag) == ("/dev/vdb", "data")
        await act(rig, api, "attach_volume", volume_id=SECOND)
        assert [one.guest.device for one in shown(rig).volumes] == ["/dev/vdb", "/dev/vdc"]
        with pytest.raises(Conflict):
            await act(rig, api, "attach_volume", volume_id=FIRST)
        await act(rig, api, "detach_volume", volume_id=FIRST)
        same(rig, SECOND)
        with pytest.raises(Conflict):
            await act(rig, api, "detach_volume", volume_id=FIRST)

    play(work)


def test_attach__another_server_has_it__fails_and_shows_nothing() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        rig.volumes.reserve(FIRST, "another server")
        await act(rig, api, "attach_volume", volume_id=FIRST)
        assert shown(rig).volumes == ()
        assert shown(rig).vm_state is VmState.ACTIVE
        assert rig.volumes.of(server_id()) == []

    play(work)


def test_attach__host_refuses__volume_is_free_again() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig, Refusing)
        await act(rig, api, "attach_volume", volume_id=FIRST)
        same(rig)

    play(work)


def test_swap__guest_goes_on_with_the_other_and_the_first_is_free() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await act(rig, api, "attach_volume", volume_id=FIRST)
        await act(rig, api, "swap_volume", volume_id=FIRST, new_volume_id=SECOND)
        same(rig, SECOND)
        assert shown(rig).volumes[0].guest.device == "/dev/vdb"

    play(work)


def test_h3__guest_keeps_its_volume__asked_again_until_it_lets_go() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig, Clinging)
        await act(rig, api, "attach_volume", volume_id=FIRST)
        await act(rig, api, "detach_volume", volume_id=FIRST)
        same(rig)

    play(work)


def test_h4__host_down__detach_refused_at_once() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await act(rig, api, "attach_volume", volume_id=FIRST)
        await (await rig.parts("operator")).hosts.force_down(HOST, down=True)
        with pytest.raises(Conflict) as refused:
            await api.act(CALLER, REQUEST, server_id(), "detach_volume", {"volume_id": FIRST})
        assert refused.value.code == "host-not-up"
        same(rig, FIRST)

    play(work)


def test_delete__volumes_are_free_and_those_that_go_with_the_server_are_gone() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await act(rig, api, "attach_volume", volume_id=FIRST)
        await act(rig, api, "attach_volume", volume_id=SECOND, delete_on_termination=True)
        await api.delete(CALLER, REQUEST, server_id())
        await rig.settled()
        assert rig.volumes.attachments == {}
        assert rig.volumes.get(FIRST).status == "available"
        assert SECOND not in rig.volumes.volumes

    play(work)


PARAMS = {
    "attach_volume": {"volume_id": FIRST},
    "detach_volume": {"volume_id": FIRST},
    "swap_volume": {"volume_id": FIRST, "new_volume_id": SECOND},
}


async def _interrupted(rig: Rig, kind: str, moment: int, happens: Callable[[Servers], Awaitable[Any]]) -> int:
    """Carry `kind` out on a server, with `happens` before the worker's call number `moment`; how many calls there were."""
    await rig.add_hosts()
    await rig.start_agent()
    free = await rig.parts("free")
    rig.start_global(free, "free")
    before = rig.start_cell(free, "free")
    api = await rig.boot(1)
    await rig.settled()
    if kind != "attach_volume":
        await act(rig, api, "attach_volume", volume_id=FIRST)
    before.cancel()
    interruption = Interruption(moment, lambda: happens(api))
    rig.start_cell(await rig.parts("interrupted", interruption), "interrupted")
    with contextlib.suppress(Conflict, NotFound):  # a delete may have come even before
        await act(rig, api, kind, **PARAMS[kind])
    await rig.settled()
    calls = interruption.passed
    await asyncio.sleep(3 * LEASE_S)
    await rig.start_all("last")
    await rig.settled()
    return calls


@pytest.mark.parametrize("kind", PARAMS)
def test_h1__taken_over_at_every_moment__attached_or_not_and_nothing_in_between(kind: str) -> None:
    left = {"attach_volume": [FIRST], "detach_volume": [], "swap_volume": [SECOND]}[kind]

    async def life(rig: Rig, moment: int) -> int:
        async def take_over(_: Servers) -> None:
            await asyncio.sleep(LEASE_S + 1)
            await rig.start_all("other")
            await asyncio.sleep(8.0)

        calls = await _interrupted(rig, kind, moment, take_over)
        same(rig, *left)
        return calls

    moments = play(lambda rig: life(rig, 0))
    assert moments > 4
    for moment in range(1, moments + 1):
        play(lambda rig, moment=moment: life(rig, moment))


@pytest.mark.parametrize("kind", PARAMS)
def test_delete__at_every_moment__no_attachment_is_left(kind: str) -> None:
    async def life(rig: Rig, moment: int) -> int:
        async def delete(api: Servers) -> None:
            await api.delete(CALLER, REQUEST, server_id())

        calls = await _interrupted(rig, kind, moment, delete)
        if moment:
            assert shown(rig).vm_state is VmState.DELETED
            assert rig.volumes.attachments == {}
            assert list(rig.hypervisor.everything()) == []
        return calls

    for moment in range(1, play(lambda rig: life(rig, 0)) + 1):
        play(lambda rig, moment=moment: life(rig, moment))
