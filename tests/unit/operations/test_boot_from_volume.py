"""Servers that boot from a volume, and what a refused or interrupted boot leaves."""

import pytest

from kilonova.objects.boot import Boot
from kilonova.objects.guest import GuestVolume
from kilonova.objects.server import Server, VmState, Volume
from kilonova.operations.servers import Servers
from kilonova.simulation.doubles.volumes import SOME
from unit.operations.life import shown
from unit.operations.rig import CALLER, REQUEST, Interruption, Rig, play, server, server_id

FIRST, SECOND, *_ = SOME


def wanted(*, goes: bool = False) -> Server:
    root = GuestVolume(volume_id=FIRST, attachment_id="", connection={}, device="/dev/vda", boot=True)
    data = GuestVolume(volume_id=SECOND, attachment_id="", connection={}, device="/dev/vdb")
    return server(volumes=(Volume(guest=root), Volume(guest=data, delete_on_termination=goes)))


async def boot(rig: Rig, **options: bool) -> Servers:
    api = await rig.servers()
    await api.boot(CALLER, REQUEST, [Boot(server=wanted(**options), image=None, volumes=(FIRST, SECOND))])
    return api


def free(rig: Rig) -> None:
    assert rig.volumes.attachments == {}
    assert [rig.volumes.get(volume_id).status for volume_id in (FIRST, SECOND)] == ["available", "available"]


def test_boot__both_volumes_in_use_and_in_the_guest__delete_frees_one_and_deletes_the_other() -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts()
        await rig.start_agent()
        await rig.start_all()
        api = await boot(rig, goes=True)
        await rig.settled()
        assert shown(rig).vm_state is VmState.ACTIVE
        (guest,) = [guest for _, _, guest in rig.hypervisor.everything()]
        assert guest.boots_from_volume
        assert guest.spec.volumes == tuple(volume.guest for volume in shown(rig).volumes)
        assert {one.status for one in rig.volumes.attachments.values()} == {"attached"}
        await api.delete(CALLER, REQUEST, server_id())
        await rig.settled()
        assert rig.volumes.attachments == {}
        assert rig.volumes.get(FIRST).status == "available"
        assert SECOND not in rig.volumes.volumes

    play(work)


def test_boot__another_server_has_a_volume__fails_and_frees_the_other() -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts()
        await rig.start_agent()
        await rig.start_all()
        rig.volumes.reserve(SECOND, "another server")
        await boot(rig)
        await rig.settled()
        assert shown(rig).vm_state is VmState.ERROR
        assert rig.volumes.get(FIRST).status == "available"
        assert rig.volumes.of(server_id()) == []
        assert rig.held() == {}

    play(work)


@pytest.mark.parametrize("of", ["global", "cell"])
def test_b3__delete_at_every_moment__no_attachment_is_left(of: str) -> None:
    async def life(rig: Rig, moment: int) -> int:
        await rig.add_hosts()
        await rig.start_agent()
        api = await boot(rig)

        async def delete() -> None:
            await api.delete(CALLER, REQUEST, server_id())

        interruption = Interruption(moment, delete)
        interrupted, other = await rig.parts("interrupted", interruption), await rig.parts("other")
        rig.start_global(interrupted if of == "global" else other, "of the API")
        rig.start_cell(interrupted if of == "cell" else other, "of cell1")
        await rig.settled()
        calls = interruption.passed
        await rig.start_all("last")
        await rig.settled()
        if moment:
            free(rig)
            assert list(rig.hypervisor.everything()) == []
        return calls

    for moment in range(1, play(lambda rig: life(rig, 0)) + 1):
        play(lambda rig, moment=moment: life(rig, moment))
