"""The doubles of the services: what boots and deletes need of them, and what gets lost."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from kilonova.kernel.errors import Conflict, NotFound, Unavailable
from kilonova.kernel.ids import ProjectId, ServerId
from kilonova.objects.port import Port, PortRequest
from kilonova.simulation.doubles.images import CONTENT, IMAGE, ImageService, SimImages
from kilonova.simulation.doubles.networks import NETWORK, SUBNET, NetworkService, SimNetworks
from kilonova.simulation.faults import QUIET, Faults, Rates
from kilonova.simulation.loop import SimLoop, simulate


def _run(work: Callable[[SimNetworks, NetworkService], Any], rates: Rates = QUIET) -> Any:
    async def main(loop: SimLoop) -> Any:
        service = NetworkService(loop)
        return await work(SimNetworks(loop, service, loop.process("conductor"), Faults(rates)), service)

    return simulate(main, 1)[0]


async def _port(networks: SimNetworks, server_id: str = "server", fixed_ip: str | None = None) -> Port:
    return await networks.port_create(
        PortRequest(
            project_id=ProjectId("project"),
            network_id=NETWORK.id,
            server_id=ServerId(server_id),
            host="host",
            zone="nova",
            fixed_ip=fixed_ip,
            security_group_ids=("group",),
            description="kilonova:server:0",
        )
    )


def test_port__created_bound_unbound_deleted():
    async def work(networks, service):
        made = await _port(networks)
        assert (made.device_id, made.description, made.security_group_ids) == (
            "server",
            "kilonova:server:0",
            ("group",),
        )
        assert made.fixed_ips[0].subnet_id == SUBNET.id
        for _ in range(2):
            bound = await networks.port_bind(made.id, server_id="server", host="h", zone="z")
            assert (bound.host, bound.device_owner, bound.status) == ("h", "compute:z", "ACTIVE")
        for _ in range(2):
            await networks.port_unbind(made.id)
        assert service.get(made.id).device_id == ""
        for _ in range(2):
            await networks.port_delete(made.id)
        assert service.ports == {}

    _run(work)


def test_address_taken__conflict():
    async def work(networks, service):
        await _port(networks, fixed_ip="10.0.0.99")
        with pytest.raises(Conflict):
            await _port(networks, "other", fixed_ip="10.0.0.99")

    _run(work)


def test_bind__another_servers_port__conflict():
    async def work(networks, service):
        made = await _port(networks)
        with pytest.raises(Conflict):
            await networks.port_bind(made.id, server_id="other", host="h", zone="z")
        with pytest.raises(NotFound):
            await networks.port_bind("nothing", server_id="other", host="h", zone="z")

    _run(work)


def test_ports_of__in_order_of_id():
    async def work(networks, service):
        made = [await _port(networks) for _ in range(3)]
        await _port(networks, "other")
        found = await networks.ports_of("server")
        assert [port.id for port in found] == sorted(port.id for port in made)

    _run(work)


def test_answer_lost__the_port_is_there_and_found_by_its_server():
    async def work(networks, service):
        with pytest.raises(Unavailable):
            await _port(networks)
        return [port.description for port in service.of("server")]

    assert _run(work, msgspec.structs.replace(QUIET, call_answer_lost=1.0)) == ["kilonova:server:0"]


def test_refused__no_port():
    async def work(networks, service):
        with pytest.raises(Conflict):
            await _port(networks)
        return service.ports

    assert _run(work, msgspec.structs.replace(QUIET, service_refuses=1.0)) == {}


def test_image__content_is_whole_and_unknown_ones_are_not_found():
    async def main(loop: SimLoop) -> bytes:
        images = SimImages(loop, ImageService(), loop.process("agent"), Faults(QUIET))
        with pytest.raises(NotFound):
            await images.image_content("other").__anext__()
        return b"".join([piece async for piece in images.image_content(IMAGE.id)])

    assert simulate(main, 1)[0] == CONTENT
