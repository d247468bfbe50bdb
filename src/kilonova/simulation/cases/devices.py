"""H: volumes and ports, attached and detached while something goes wrong."""

import asyncio
import contextlib

from kilonova.kernel.errors import Conflict, NotFound
from kilonova.objects.server import Server
from kilonova.simulation.cases.case import Case
from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.history import Promise


async def _h1(stage: Stage) -> None:
    server = await stage.made()
    agent = stage.agent_of(server.server_id)
    await stage.ask(server, "attach_volume")
    await stage.until_log(server, *stage.pick((("connect", "done"), ("plug", "started"), ("plug", "done"))))
    await stage.sometime(0.05)
    if _record(stage, server).current_op is not None:
        stage.met()
    stage.breaking.kill(agent, down_s=stage.chance.random() * 40.0)
    await stage.settled()
    _expect_agreed(stage, server)
    for attachment in stage.truths.attachments(server.server_id):
        volume = stage.world.durable.volumes.get(attachment.volume_id)
        stage.expect(volume.status == "in-use", f"the volume is {volume.status}")


async def _h2(stage: Stage) -> None:
    """Whichever is accepted last is the last that was carried out, because a server does one thing at a time."""
    server = await stage.made()
    await stage.acted(server, "attach_interface")
    (port,) = [one for one in _record(stage, server).nics if one.port_id != _record(stage, server).nics[0].port_id]
    accepted: list[str] = []

    async def detach() -> None:
        await stage.sometime(1.0)
        with contextlib.suppress(Conflict, NotFound):
            await stage.ask(server, "detach_interface", port_id=port.port_id)
            accepted.append("detach")

    async def attach() -> None:
        await stage.sometime(1.0)
        with contextlib.suppress(Conflict, NotFound):
            await stage.ask(server, "attach_interface")
            accepted.append("attach")

    await asyncio.gather(detach(), attach(), detach(), attach())
    if len(set(accepted)) > 1:
        stage.met()
    await stage.settled()
    expected = 2 + accepted.count("attach") - accepted.count("detach")
    nics = _record(stage, server).nics
    stage.expect(len(nics) == expected, f"{len(nics)} cards are shown after {accepted}")
    bound = {one.id for one in stage.truths.ports(server.server_id)}
    stage.expect(bound == {nic.port_id for nic in nics}, "the ports of the network service are not the cards shown")


async def _h3(stage: Stage) -> None:
    server = await stage.made()
    what = stage.pick(("volume", "interface"))
    await stage.acted(server, f"attach_{what}")
    order = "volume_detach" if what == "volume" else "nic_detach"
    stage.breaking.refuse(order, times=stage.pick((1, 3, 99)), halfway=stage.pick((True, False)))
    await stage.ask(server, f"detach_{what}")
    await stage.until_log(server, "unplug", "retried", kind=f"detach_{what}")
    stage.met()
    await stage.until_quiet()
    _expect_agreed(stage, server)


async def _h4(stage: Stage) -> None:
    server = await stage.made()
    await stage.acted(server, "attach_volume")
    volume_id = _record(stage, server).volumes[0].guest.volume_id
    down = stage.chance.random() < 0.5
    stage.met()
    if down:
        stage.breaking.dark(stage.agent_of(server.server_id), for_s=90.0)
        await stage.until_down()
        refused = False
        try:
            await stage.ask(server, "detach_volume", volume_id=volume_id)
        except Conflict:
            refused = True
        stage.expect(refused, "a detach was accepted that nobody could carry out")
    else:
        for attachment in stage.truths.attachments(server.server_id):
            stage.world.durable.volumes.release(attachment.id)
        await stage.acted(server, "detach_volume")
        stage.expect(not _record(stage, server).volumes, "the volume is still shown")
        volume = stage.world.durable.volumes.get(volume_id)
        stage.expect(volume.status == "available", f"the volume is {volume.status}")
    await stage.settled()
    _expect_agreed(stage, server)


def _record(stage: Stage, server: Promise) -> Server:
    found = stage.truths.server(server.server_id)
    assert found is not None, f"server {server.server_id} is gone"
    return found


def _expect_agreed(stage: Stage, server: Promise) -> None:
    """Expect that the API, the services and the hypervisor know the same volumes and cards of a server."""
    record = _record(stage, server)
    shown = {one.guest.volume_id for one in record.volumes}
    attached = {one.volume_id for one in stage.truths.attachments(record.id)}
    stage.expect(shown == attached, f"volumes shown: {sorted(shown)}, attached: {sorted(attached)}")
    bound = {one.id for one in stage.truths.ports(record.id)}
    cards = {nic.port_id for nic in record.nics}
    stage.expect(bound == cards, f"cards shown: {sorted(cards)}, bound: {sorted(bound)}")
    spec = stage.truths.spec(record.id)
    stage.expect(shown == {one.volume_id for one in spec.volumes}, "the guest has other volumes")
    stage.expect(cards == {one.port_id for one in spec.nics}, "the guest has other cards")


CASES = (
    Case(
        id="H1",
        title="an agent dies in the middle of an attach",
        bugs=(1960401,),
        given="a volume that is being attached",
        when="the agent dies between connecting it and writing that down",
        then="it is attached or cleanly detached; the volume never stays in between",
        play=_h1,
    ),
    Case(
        id="H2",
        title="attach and detach race",
        bugs=(1892870,),
        given="a server with two cards",
        when="a card is detached and another attached, several times at once",
        then="what is bound in the end is what the accepted requests say",
        play=_h2,
    ),
    Case(
        id="H3",
        title="a guest keeps its device",
        bugs=(1882521, 1894804, 1374508),
        given="a server with a volume or a second card",
        when="the guest does not let go of it, once, some times or ever",
        then="that is tried again, and the API shows what the hypervisor has",
        play=_h3,
    ),
    Case(
        id="H4",
        title="a detach that nobody can carry out, or that has happened already",
        bugs=(1909120, 1937084),
        given="a server with a volume",
        when="its host is down, or the attachment has gone from the volume service, and the volume is detached",
        then="it is refused at once, or succeeds, and nothing is left over",
        play=_h4,
    ),
)
