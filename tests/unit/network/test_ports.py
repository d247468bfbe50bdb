"""A server's ports: each made once whatever was lost on the way, given ones given back, made ones deleted."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from kilonova.kernel.errors import Conflict, NotFound, Unavailable
from kilonova.kernel.ids import ProjectId, ServerId
from kilonova.network.ports import ports_attach, ports_drop, ports_release
from kilonova.objects.port import PortRequest
from kilonova.objects.server import NicRequest, Server
from kilonova.simulation.doubles.networks import NETWORK, SUBNET, NetworkService, SimNetworks
from kilonova.simulation.faults import QUIET, Faults, Rates
from kilonova.simulation.loop import SimLoop, simulate
from unit.operations.rig import server

ANY = NicRequest(network_id=NETWORK.id)


def with_networks(work: Callable[[SimNetworks, NetworkService], Awaitable[Any]], rates: Rates = QUIET, seed: int = 1):
    async def main(loop: SimLoop) -> None:
        service = NetworkService(loop)
        await work(SimNetworks(loop, service, loop.process("worker"), Faults(rates)), service)

    simulate(main, seed)


async def attach(networks: SimNetworks, one: Server, attempt: int = 1) -> Any:
    return await ports_attach(networks, one, "host-1", "nova", ["group"], attempt=attempt)


async def patiently(work: Callable[[], Awaitable[Any]]) -> Any:
    while True:
        try:
            return await work()
        except Unavailable:
            await asyncio.sleep(0.1)


def made(service: NetworkService, server_id: str, description: str) -> str:
    request = PortRequest(
        project_id=ProjectId("project"),
        network_id=NETWORK.id,
        server_id=ServerId(server_id),
        host="",
        zone="",
        fixed_ip=None,
        security_group_ids=(),
        description=description,
    )
    return service.make(request).id


def given(service: NetworkService) -> str:
    return made(service, "", "my own port")


def test_attach__in_the_order_asked_for_and_bound() -> None:
    async def work(networks: SimNetworks, service: NetworkService) -> None:
        port_id = given(service)
        fixed = NicRequest(network_id=NETWORK.id, fixed_ip="10.0.1.7", tag="nic1")
        one = server(networks_requested=(ANY, NicRequest(port_id=port_id), fixed))
        attached = await attach(networks, one)
        assert [each.nic.owned for each in attached] == [True, False, True]
        assert [each.nic.tag for each in attached] == [None, None, "nic1"]
        assert attached[1].nic.port_id == port_id
        assert attached[2].nic.addresses[0].address == "10.0.1.7"
        for each in attached:
            port = service.ports[each.nic.port_id]
            assert (port.device_id, port.host, port.device_owner) == (one.id, "host-1", "compute:nova")
            assert (each.guest.mac, each.guest.mtu) == (port.mac, NETWORK.mtu)
            assert each.guest.addresses[0].cidr == SUBNET.cidr
        assert service.ports[attached[0].nic.port_id].security_group_ids == ("group",)

    with_networks(work)


def test_later_attempt__replaces_the_ports_of_the_earlier_and_is_not_replaced_by_it() -> None:
    async def work(networks: SimNetworks, service: NetworkService) -> None:
        port_id = given(service)
        one = server(networks_requested=(ANY, NicRequest(port_id=port_id)))
        (early, _) = await attach(networks, one, 1)
        (late, kept) = await attach(networks, one, 2)
        assert set(service.ports) == {port_id, late.nic.port_id}
        assert early.nic.port_id != late.nic.port_id
        assert kept.nic.port_id == port_id
        with pytest.raises(Conflict):
            await attach(networks, one, 1)
        assert set(service.ports) == {port_id, late.nic.port_id}

    with_networks(work)


def test_attempt_that_comes_too_late__drops_its_own_ports_only() -> None:
    async def work(networks: SimNetworks, service: NetworkService) -> None:
        one = server(networks_requested=(ANY,))
        (late,) = await attach(networks, one, 2)
        made(service, one.id, f"kilonova:{one.id}:1:0")
        await ports_drop(networks, one, 1)
        assert list(service.ports) == [late.nic.port_id]

    with_networks(work)


@pytest.mark.parametrize("seed", range(20))
def test_lost_answers__every_port_made_once_and_in_its_place(seed: int) -> None:
    async def work(networks: SimNetworks, service: NetworkService) -> None:
        port_id = given(service)
        one = server(networks_requested=(ANY, NicRequest(port_id=port_id), ANY))
        attempts = itertools.count(1)
        attached = await patiently(lambda: attach(networks, one, next(attempts)))
        assert len(service.ports) == 3
        marks = [service.ports[each.nic.port_id].description.rpartition(":")[2] for each in attached]
        assert marks == ["0", "my own port", "2"]
        await patiently(lambda: ports_release(networks, one))
        assert list(service.ports) == [port_id]

    lossy = msgspec.structs.replace(QUIET, call_answer_lost=0.3, call_refused=0.1)
    with_networks(work, lossy, seed)


def test_release__given_ports_stay_and_are_free_again() -> None:
    async def work(networks: SimNetworks, service: NetworkService) -> None:
        port_id = given(service)
        one = server(networks_requested=(NicRequest(port_id=port_id), ANY))
        await attach(networks, one)
        for _ in range(2):
            await ports_release(networks, one)
            assert list(service.ports) == [port_id]
            port = service.ports[port_id]
            assert (port.device_id, port.host, port.device_owner) == ("", "", "")

    with_networks(work)


def test_release__ports_of_other_servers_are_left_alone() -> None:
    async def work(networks: SimNetworks, service: NetworkService) -> None:
        one, other = server(1, networks_requested=(ANY,)), server(2, networks_requested=(ANY,))
        await attach(networks, one)
        kept = await attach(networks, other)
        await ports_release(networks, one)
        assert list(service.ports) == [kept[0].nic.port_id]

    with_networks(work)


def test_port_of_another_server__refused() -> None:
    async def work(networks: SimNetworks, service: NetworkService) -> None:
        (taken,) = await attach(networks, server(1, networks_requested=(ANY,)))
        with pytest.raises(Conflict):
            await attach(networks, server(2, networks_requested=(NicRequest(port_id=taken.nic.port_id),)))
        with pytest.raises(NotFound):
            await attach(networks, server(2, networks_requested=(NicRequest(port_id="no such port"),)))

    with_networks(work)


@pytest.mark.parametrize("asked", [(), None])
def test_no_network_asked_for__no_port(asked: Any) -> None:
    async def work(networks: SimNetworks, service: NetworkService) -> None:
        assert await attach(networks, server(networks_requested=asked)) == []
        assert service.ports == {}

    with_networks(work)
