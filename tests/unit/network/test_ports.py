"""A server's ports: made once, replaced by a later attempt, given back."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import ProjectId, ServerId, UserId
from kilonova.network.ports import Attached, ports_attach, ports_drop, ports_release
from kilonova.objects.flavor import Flavor
from kilonova.objects.server import NicRequest, Server
from kilonova.simulation.doubles.networks import NETWORK, NetworkService, SimNetworks
from kilonova.simulation.faults import QUIET, Faults
from kilonova.simulation.loop import SimLoop, simulate


def _server(*requests: NicRequest) -> Server:
    return Server(
        id=ServerId("s1"),
        project_id=ProjectId("p"),
        user_id=UserId("u"),
        name="n",
        hostname="h",
        flavor=Flavor(id="1", name="small", vcpus=1, memory_mb=512, disk_gb=1),
        image_id=None,
        networks_requested=requests,
        created_at=0.0,
        updated_at=0.0,
    )


SERVER = _server(NicRequest(network_id=NETWORK.id), NicRequest(network_id=NETWORK.id, tag="second"))


def _run(work: Callable[[SimNetworks, NetworkService], Awaitable[Any]]) -> Any:
    async def main(loop: SimLoop) -> Any:
        service = NetworkService(loop)
        return await work(SimNetworks(loop, service, loop.process("conductor"), Faults(QUIET)), service)

    return simulate(main, 1)[0]


async def _attach(networks: SimNetworks, attempt: int, server: Server = SERVER) -> list[Attached]:
    return await ports_attach(networks, server, "host", "zone", ("group",), attempt=attempt)


def test_attach__networks_asked_for__a_bound_port_each_in_order():
    async def work(networks, service):
        attached = await _attach(networks, 1)
        assert [one.nic.tag for one in attached] == [None, "second"]
        assert all(one.nic.owned for one in attached)
        assert {port.host for port in service.of("s1")} == {"host"}
        assert [one.guest.port_id for one in attached] == [one.nic.port_id for one in attached]

    _run(work)


def test_attach__earlier_attempt_left_ports__they_are_replaced():
    async def work(networks, service):
        earlier = {one.nic.port_id for one in await _attach(networks, 1)}
        later = {one.nic.port_id for one in await _attach(networks, 3)}
        assert not earlier & later
        assert set(service.ports) == later

    _run(work)


def test_attach__later_attempt_has_ports__refused_and_they_stay():
    async def work(networks, service):
        later = {one.nic.port_id for one in await _attach(networks, 3)}
        with pytest.raises(Conflict):
            await _attach(networks, 2)
        assert set(service.ports) == later

    _run(work)


def test_drop__own_attempt_only():
    async def work(networks, service):
        later = {one.nic.port_id for one in await _attach(networks, 3)}
        await networks.port_create(
            project_id="p",
            network_id=NETWORK.id,
            server_id="s1",
            fixed_ip=None,
            security_groups=(),
            tag="kilonova:s1:2:0",
        )
        await ports_drop(networks, SERVER, 2)
        assert set(service.ports) == later

    _run(work)


def test_given_port__is_used_and_only_unbound_at_the_end():
    async def work(networks, service):
        given = service.make("p", "", None, (), "the user's own")
        server = _server(NicRequest(port_id=given.id))
        (attached,) = await _attach(networks, 1, server)
        assert (attached.nic.port_id, attached.nic.owned) == (given.id, False)
        await _attach(networks, 2, server)
        await ports_release(networks, server)
        assert service.get(given.id).device_id == ""

    _run(work)


def test_release__twice__nothing_is_left():
    async def work(networks, service):
        await _attach(networks, 1)
        for _ in range(2):
            await ports_release(networks, SERVER)
        assert service.ports == {}

    _run(work)
