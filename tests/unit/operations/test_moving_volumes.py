"""Volumes of servers that move: what the volume service, users and guests see of them on the way and afterwards."""

from typing import Any

import msgspec
import pytest

from kilonova.drivers.driver import HypervisorFailure
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.kernel.ids import HostName
from kilonova.objects.boot import Boot
from kilonova.objects.guest import Guest, GuestVolume
from kilonova.objects.image import NewImage
from kilonova.objects.server import VmState, Volume
from kilonova.operations.attaching import VolumeRefused
from kilonova.operations.servers import Servers
from kilonova.simulation.doubles.volumes import SOME
from kilonova.simulation.hypervisor import SimDriver
from unit.operations.life import act, shown
from unit.operations.moves_rig import host_down, start_watch
from unit.operations.rig import CALLER, FLAVOR, REQUEST, Rig, play, server, server_id

FIRST, SECOND, THIRD, *_ = SOME
HOSTS = ("host-1", "host-2")
LARGE = msgspec.structs.replace(FLAVOR, id="2", name="large", vcpus=4, memory_mb=1024, disk_gb=20)


class Unwilling(SimDriver):
    """Nothing comes to `host-2`."""

    async def guest_receive(self, host: HostName, *args: Any, **kwargs: Any) -> Guest:
        raise HypervisorFailure(host=host, action="receive a guest", reason="no")

    async def guest_incoming(self, host: HostName, *args: Any, **kwargs: Any) -> dict[str, Any]:
        raise HypervisorFailure(host=host, action="make ready", reason="no")

    async def guest_ensure(self, host: HostName, *args: Any, **kwargs: Any) -> Guest:
        if host == "host-2":
            raise HypervisorFailure(host=host, action="make a guest", reason="no")
        return await super().guest_ensure(host, *args, **kwargs)


async def lives(rig: Rig, driver: type[SimDriver] = SimDriver, hosts: tuple[str, ...] = HOSTS) -> Servers:
    """A server that boots from a volume and has another one, on `host-1`."""
    await rig.add_hosts(*hosts)
    await rig.start_agent(*hosts, driver_class=driver)
    await rig.start_all()
    api = await rig.servers()
    root = GuestVolume(volume_id=FIRST, attachment_id="", connection={}, device="/dev/vda", boot=True)
    wanted = server(volumes=(Volume(guest=root),), requested_host=HostName("host-1"))
    await api.boot(CALLER, REQUEST, [Boot(server=wanted, image=None, volumes=(FIRST,))])
    await rig.settled()
    await act(rig, api, "attach_volume", volume_id=SECOND)
    check(rig, "host-1")
    return api


async def shelve(rig: Rig, api: Servers) -> None:
    image = NewImage(
        id="77777777-0000-4000-8000-000000000001", name="s", owner=CALLER.project_id, disk_format="raw", properties={}
    )
    await api.make_image(CALLER, REQUEST, server_id(), "shelve", image, {"offload": True})
    await rig.settled()


def held(rig: Rig, resource_class: str) -> list[int]:
    query = f"SELECT used FROM allocations WHERE resource_class = '{resource_class}' ORDER BY 1"
    return [row[0] for row in rig.placement.rows(query)]


def check(rig: Rig, host: str, *, also_on: str | None = None) -> None:
    """The server's guest on `host` has both volumes, each attached for that host, and once more for `also_on`."""
    now = shown(rig)
    assert (now.host, now.current_op) == (host, None)
    guests = {at: guest for at, _, guest in rig.hypervisor.everything()}
    assert list(guests[HostName(host)].spec.volumes) == [volume.guest for volume in now.volumes]
    assert [volume.guest.volume_id for volume in now.volumes] == [FIRST, SECOND]
    there = {one.id: one for one in rig.volumes.attachments.values()}
    hosts = [(there[one.guest.attachment_id].connection["data"]["host"], one.guest.volume_id) for one in now.volumes]
    assert hosts == [(host, FIRST), (host, SECOND)]
    assert {one.status for one in there.values()} == {"attached"}
    kept = sorted(one.connection["data"]["host"] for one in there.values())
    assert kept == sorted([host, host, *([also_on] * 2 if also_on else [])])
    assert [rig.volumes.get(volume_id).status for volume_id in (FIRST, SECOND)] == ["in-use", "in-use"]


@pytest.mark.parametrize("settles", ["confirm_resize", "revert_resize"])
def test_cold_migration__both_hosts_have_the_volumes_until_it_is_settled(settles: str) -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig)
        await act(rig, api, "migration")
        assert shown(rig).status == "VERIFY_RESIZE"
        check(rig, "host-2", also_on="host-1")
        await act(rig, api, settles)
        check(rig, "host-2" if settles == "confirm_resize" else "host-1")
        await api.delete(CALLER, REQUEST, server_id())
        await rig.settled()
        assert rig.volumes.attachments == {}

    play(work)


def test_resize__where_it_is__changes_no_attachment() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig, hosts=HOSTS[:1])
        before = dict(rig.volumes.attachments)
        await api.resize(CALLER, REQUEST, server_id(), LARGE, may_stay=True)
        await rig.settled()
        check(rig, "host-1")
        await act(rig, api, "confirm_resize")
        assert rig.volumes.attachments == before

    play(work)


def test_live_migration__attached_for_the_new_host_alone() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig)
        await act(rig, api, "live_migration")
        check(rig, "host-2")
        await act(rig, api, "detach_volume", volume_id=SECOND)
        assert rig.volumes.get(SECOND).status == "available"

    play(work)


def test_evacuate__attached_for_the_new_host_alone() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig)
        rig.hypervisor.cut_power(HostName("host-1"))
        await host_down(rig, "host-1")
        await start_watch(rig)
        await act(rig, api, "evacuate")
        check(rig, "host-2")

    play(work)


@pytest.mark.parametrize("kind", ["migration", "live_migration"])
def test_move__that_the_other_host_refuses__keeps_its_attachments_and_no_other(kind: str) -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig, Unwilling)
        before = dict(rig.volumes.attachments)
        await act(rig, api, kind)
        check(rig, "host-1")
        assert rig.volumes.attachments == before

    play(work)


def test_move__volume_service_refuses_one__nothing_is_left_of_it() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig)
        before = dict(rig.volumes.attachments)
        rig.volumes.volumes[SECOND] = msgspec.structs.replace(rig.volumes.get(SECOND), status="error")
        await act(rig, api, "migration")
        assert (shown(rig).host, shown(rig).vm_state, shown(rig).move) == ("host-1", VmState.ACTIVE, None)
        assert rig.volumes.attachments == before

    play(work)


def test_shelve_offload_and_unshelve__volumes_stay_reserved_and_come_along() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig)
        await shelve(rig, api)
        assert shown(rig).status == "SHELVED_OFFLOADED"
        assert {one.status for one in rig.volumes.attachments.values()} == {"reserved"}
        assert [rig.volumes.get(volume_id).status for volume_id in (FIRST, SECOND)] == ["reserved", "reserved"]
        with pytest.raises(Conflict):
            rig.volumes.reserve(FIRST, "another")
        await act(rig, api, "unshelve", to_host="host-2")
        check(rig, "host-2")

    play(work)


def test_unshelve__host_refuses__volumes_stay_reserved() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig, Unwilling)
        await shelve(rig, api)
        before = dict(rig.volumes.attachments)
        await act(rig, api, "unshelve", to_host="host-2")
        assert shown(rig).status == "SHELVED_OFFLOADED"
        assert rig.volumes.attachments == before

    play(work)


def test_b4__offloaded_server__volume_is_attached_detached_and_free_after_the_delete() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig)
        await shelve(rig, api)
        await give(rig, api, THIRD)
        assert rig.volumes.get(THIRD).status == "reserved"
        await act(rig, api, "detach_volume", volume_id=SECOND)
        assert rig.volumes.get(SECOND).status == "available"
        await act(rig, api, "unshelve")
        assert [one.guest.volume_id for one in shown(rig).volumes] == [FIRST, THIRD]
        assert rig.volumes.get(THIRD).status == "in-use"
        await api.delete(CALLER, REQUEST, server_id())
        await rig.settled()
        assert rig.volumes.attachments == {}

    play(work)


def test_disk__of_a_server_that_boots_from_a_volume__takes_nothing_of_its_host() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig)
        assert (held(rig, "VCPU"), held(rig, "DISK_GB")) == ([1], [])
        await act(rig, api, "migration")
        assert (held(rig, "VCPU"), held(rig, "DISK_GB")) == ([1, 1], [])

    play(work)


async def give(rig: Rig, api: Servers, volume_id: str) -> None:
    await api.give_volume(CALLER, REQUEST, server_id(), "attach_volume", volume_id, {"volume_id": volume_id})
    await rig.settled()


def test_give_volume__reserved_when_the_request_is_answered() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig)
        await api.give_volume(CALLER, REQUEST, server_id(), "attach_volume", THIRD, {"volume_id": THIRD})
        assert rig.volumes.get(THIRD).status == "reserved"
        await rig.settled()
        assert rig.volumes.get(THIRD).status == "in-use"
        assert len(rig.volumes.attachments) == 3

    play(work)


def test_give_volume__another_has_it_or_it_is_unknown__refused_at_once_and_nothing_shown() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig)
        other = rig.volumes.reserve(THIRD, "another")
        with pytest.raises(VolumeRefused):
            await give(rig, api, THIRD)
        await rig.settled()
        with pytest.raises(NotFound):
            await give(rig, api, "99999999-9999-4999-8999-999999999999")
        await rig.settled()
        rig.volumes.release(other.id)
        check(rig, "host-1")

    play(work)


def test_reset_state__in_the_middle_of_a_move__one_attachment_of_each_volume_is_left() -> None:
    async def work(rig: Rig) -> None:
        api = await lives(rig)
        before = dict(rig.volumes.attachments)
        rig.volumes.reserve(SECOND, server_id())
        await act(rig, api, "reset_state", state="error")
        assert rig.volumes.attachments == before
        assert [one.guest.volume_id for one in shown(rig).volumes] == [FIRST, SECOND]

    play(work)
