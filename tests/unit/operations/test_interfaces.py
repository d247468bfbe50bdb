"""Cards plugged into servers that are there and unplugged again: scenarios H2, H3 and H4, and what interruptions leave."""

import asyncio
from typing import Any

import pytest

from kilonova.drivers.driver import HypervisorFailure
from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest
from kilonova.objects.port import PortRequest
from kilonova.objects.server import NicRequest
from kilonova.simulation.doubles.networks import NETWORK
from kilonova.simulation.hypervisor import SimDriver
from unit.operations.life import act, booted, shown
from unit.operations.rig import CALLER, HOST, REQUEST, Interruption, Rig, play, server_id

ADD = {"request": {"network_id": NETWORK.id}, "security_group_ids": []}
LEASE_S = 15.0


class Clinging(SimDriver):
    """A guest lets its cards go only when it is asked the third time."""

    asked = 0

    async def nic_detach(self, host: HostName, server_id: ServerId, generation: int, port_id: str) -> Guest:
        type(self).asked += 1
        if self.asked % 3:
            raise HypervisorFailure(host=host, action="unplug a card", reason="the guest keeps it")
        return await super().nic_detach(host, server_id, generation, port_id)


class Refusing(SimDriver):
    """A hypervisor that plugs no card in."""

    async def nic_attach(self, host: HostName, server_id: ServerId, generation: int, nic: Any) -> Guest:
        raise HypervisorFailure(host=host, action="plug in a card", reason="no slot is free")


def views(rig: Rig) -> tuple[set[str], set[str], set[str]]:
    """The server's cards as users, the hypervisor and the network service have them."""
    (guest,) = [guest for _, _, guest in rig.hypervisor.everything()]
    ports = {port.id for port in rig.ports.of(server_id())}
    return {nic.port_id for nic in shown(rig).nics}, {nic.port_id for nic in guest.spec.nics}, ports


def same(rig: Rig, count: int) -> None:
    users, guest, ports = views(rig)
    assert users == guest == ports
    assert len(users) == count == len(shown(rig).guest_nics)
    assert shown(rig).current_op is None


def given_port(rig: Rig) -> str:
    """A port that its owner made, of no server."""
    port = rig.ports.make(
        PortRequest(
            project_id=shown(rig).project_id,
            network_id=NETWORK.id,
            server_id=server_id(),
            host="",
            zone="",
            fixed_ip=None,
            security_group_ids=(),
            description="mine",
        )
    )
    rig.ports.unbind(port.id)
    return port.id


def test_attach_and_detach__card_is_where_everybody_looks_then_nowhere() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await act(rig, api, "attach_interface", **ADD)
        same(rig, 2)
        await act(rig, api, "detach_interface", port_id=shown(rig).nics[-1].port_id)
        same(rig, 1)
        assert len(rig.ports.ports) == 1, "a port that was made for the server is deleted"

    play(work)


def test_detach__port_was_given__stays_and_can_be_attached_again() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        port_id = given_port(rig)
        wish = {"request": {"port_id": port_id}, "security_group_ids": []}
        await act(rig, api, "attach_interface", **wish)
        with pytest.raises(Conflict):
            await act(rig, api, "attach_interface", **wish)
        await act(rig, api, "detach_interface", port_id=port_id)
        same(rig, 1)
        assert rig.ports.ports[port_id].device_id == ""
        await act(rig, api, "attach_interface", **wish)
        same(rig, 2)
        await api.delete(CALLER, REQUEST, server_id())
        await rig.settled()
        assert [(port.id, port.device_id) for port in rig.ports.ports.values()] == [(port_id, "")]

    play(work)


def test_h2__attach_while_the_same_port_is_detached__refused_and_the_last_accepted_call_counts() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        port_id = given_port(rig)
        wish = {"request": {"port_id": port_id}, "security_group_ids": []}
        await act(rig, api, "attach_interface", **wish)
        await api.act(CALLER, REQUEST, server_id(), "detach_interface", {"port_id": port_id})
        with pytest.raises(Conflict):
            await api.act(CALLER, REQUEST, server_id(), "attach_interface", wish)
        await rig.settled()
        same(rig, 1)
        with pytest.raises(Conflict):
            await act(rig, api, "detach_interface", port_id=port_id)

    play(work)


def test_h3__guest_keeps_its_card__asked_again_until_it_lets_go() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig, Clinging)
        await act(rig, api, "detach_interface", port_id=shown(rig).nics[0].port_id)
        same(rig, 0)

    play(work)


def test_h4__host_down__detach_refused_at_once() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await (await rig.parts("operator")).hosts.force_down(HOST, down=True)
        with pytest.raises(Conflict) as refused:
            await api.act(CALLER, REQUEST, server_id(), "detach_interface", {"port_id": shown(rig).nics[0].port_id})
        assert refused.value.code == "host-not-up"
        same(rig, 1)

    play(work)


def test_attach__host_refuses__port_is_taken_back() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig, Refusing)
        await act(rig, api, "attach_interface", **ADD)
        same(rig, 1)
        operation, *_ = await api.operations(server_id())
        assert (operation.kind, operation.state) == ("attach_interface", "failed")

    play(work)


@pytest.mark.parametrize("given", [False, True])
def test_attach__worker_taken_over_at_every_moment__one_card_and_no_port_left(given: bool) -> None:
    async def life(rig: Rig, moment: int) -> int:
        await rig.add_hosts()
        await rig.start_agent()
        free = await rig.parts("free")
        rig.start_global(free, "free")
        booting = rig.start_cell(free, "free")
        api = await rig.boot(1)
        await rig.settled()
        booting.cancel()

        async def take_over() -> None:
            await asyncio.sleep(LEASE_S + 1)
            await rig.start_all("other")
            await asyncio.sleep(8.0)

        interruption = Interruption(moment, take_over)
        rig.start_cell(await rig.parts("interrupted", interruption), "interrupted")
        port_id = given_port(rig) if given else None
        request = NicRequest(port_id=port_id, network_id=None if given else NETWORK.id)
        wish = {"port_id": request.port_id, "network_id": request.network_id}
        await act(rig, api, "attach_interface", request=wish, security_group_ids=[])
        calls = interruption.passed
        await asyncio.sleep(3 * LEASE_S)
        same(rig, 2)
        assert len(rig.ports.ports) == 2
        return calls

    moments = play(lambda rig: life(rig, 0))
    for moment in range(1, moments + 1):
        play(lambda rig, moment=moment: life(rig, moment))


def test_delete__during_an_attach__nothing_is_left() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await api.act(CALLER, REQUEST, server_id(), "attach_interface", ADD)
        await api.delete(CALLER, REQUEST, server_id())
        await rig.settled()
        assert rig.ports.ports == {}
        assert list(rig.hypervisor.everything()) == []

    play(work)
