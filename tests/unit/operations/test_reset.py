"""Resetting a server's state, and evacuating it: what the operation that is ended has left belongs to somebody, or is gone."""

import asyncio
from typing import Any

from kilonova.drivers.driver import HypervisorFailure
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest
from kilonova.objects.server import VmState
from kilonova.operations.servers import Servers
from kilonova.simulation.doubles.networks import NETWORK
from kilonova.simulation.hypervisor import SimDriver
from unit.operations.life import shown
from unit.operations.moves_rig import HOSTS, act, host_down, resize, start_watch
from unit.operations.rig import CALLER, HOST, REQUEST, Interruption, Rig, play, server_id

ADD = {"request": {"network_id": NETWORK.id}, "security_group_ids": []}


class Late(SimDriver):
    """A hypervisor that plugs a card in and does not say so."""

    async def nic_attach(self, host: HostName, server_id: ServerId, generation: int, nic: Any) -> Guest:
        await super().nic_attach(host, server_id, generation, nic)
        await asyncio.sleep(1e6)
        raise HypervisorFailure(host=host, action="plug in a card", reason="it took too long")


async def reset(api: Servers, state: str = "error") -> None:
    await act(api, "reset_state", state=state)


def ports(rig: Rig) -> set[str]:
    return {port.id for port in rig.ports.of(server_id())}


def cards(rig: Rig) -> set[str]:
    return {nic.port_id for nic in shown(rig).nics}


def lives(moment: int, kind: str, times: int) -> int:
    """A worker is stopped before its n-th call by as many resets, another clears away what is left; how many calls it had."""

    async def life(rig: Rig) -> int:
        await rig.add_hosts(*HOSTS)
        await rig.start_agent(*HOSTS)
        free = await rig.parts("free")
        rig.start_global(free, "free")
        process = rig.process("interrupted")
        first = rig.start_cell(free, "free") if kind != "boot" else None

        async def interrupt() -> None:
            for _ in range(times):
                await reset(api)
            await rig.start_all("other")
            process.kill()
            await asyncio.sleep(1e6)

        interruption = Interruption(moment, interrupt)
        api = await rig.boot(1, requested_host=HOST)
        while kind == "boot" and ("boot", "networking") not in rig.live():
            await asyncio.sleep(0.001)
        if first is not None:
            await rig.settled()
            first.cancel()
            await (resize(api) if kind == "resize" else act(api, kind, **ADD))
        rig.start_cell(await rig.parts("interrupted", interruption, process), "interrupted")
        await rig.settled()
        calls = interruption.passed
        await rig.settled()
        assert ports(rig) == {port.id for port in rig.ports.ports.values()}
        if interruption.happened:
            assert ports(rig) == cards(rig)
            assert set(rig.held()) <= {server_id()}
        return calls

    result: int = play(life)
    return result


def at_every_moment(kind: str, times: int = 1) -> None:
    for moment in range(1, lives(0, kind, times) + 1):
        lives(moment, kind, times)


def test_reset__during_a_resize_and_once_more__no_claim_is_left() -> None:
    at_every_moment("resize", times=2)


def test_reset__during_a_boot__no_port_is_left_that_the_server_does_not_show() -> None:
    at_every_moment("boot")


def test_reset__during_an_attach__no_port_is_left_that_the_server_does_not_show() -> None:
    at_every_moment("attach_interface")


def test_reset__card_may_be_plugged_in__shown_and_can_be_unplugged() -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts()
        await rig.start_agent(driver_class=Late)
        await rig.start_all()
        api = await rig.boot(1)
        await rig.settled()
        await act(api, "attach_interface", **ADD)
        await asyncio.sleep(2.0)
        await reset(api, "active")
        await rig.settled()
        assert shown(rig).vm_state is VmState.ACTIVE
        ((_, _, guest),) = rig.hypervisor.everything()
        assert {nic.port_id for nic in guest.spec.nics} == cards(rig) == ports(rig)
        assert len(ports(rig)) == 2
        await api.act(CALLER, REQUEST, server_id(), "detach_interface", {"port_id": shown(rig).nics[-1].port_id})
        await rig.settled()
        assert len(ports(rig)) == len(cards(rig)) == 1

    play(work)


def test_evacuate__during_an_attach__no_port_is_left_that_the_server_does_not_show() -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts(*HOSTS)
        await rig.start_agent(*HOSTS, driver_class=Late)
        await rig.start_all()
        await start_watch(rig)
        api = await rig.boot(1, requested_host=HOST)
        await rig.settled()
        await act(api, "attach_interface", **ADD)
        await asyncio.sleep(2.0)
        await host_down(rig, HOST)
        await act(api, "evacuate")
        await rig.settled()
        assert (shown(rig).vm_state, shown(rig).host == HOST) == (VmState.ACTIVE, False)
        assert len(cards(rig)) == 1
        assert ports(rig) == cards(rig)

    play(work)
