"""G: placement, the scheduler and services."""

import asyncio

from kilonova.kernel.errors import Conflict
from kilonova.objects.server import VmState
from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Claim, Claimed, Full
from kilonova.simulation.actions import ACTIONS
from kilonova.simulation.cases.case import SMALL, Case
from kilonova.simulation.cases.stage import Stage

CLAIMS = 200


async def _g1(stage: Stage) -> None:
    """What is held and belongs to no server yet looks like something that was left."""
    server = await stage.boot()
    await stage.until(lambda: stage.truths.held(server.server_id), "the server holds a place")
    if not stage.truths.has_cell(server.server_id):
        stage.met()
    claimed = stage.truths.held(server.server_id)

    def look() -> None:
        stage.expect(stage.truths.held(server.server_id) == claimed, "a claim was taken from a server that is built")

    stage.at_every_commit(look)
    stage.breaking.freeze("global-conductor-1", for_s=stage.pick((5.0, 14.0, 40.0)))
    stage.breaking.kill(stage.pick(tuple(stage.world.hosts_of)), down_s=stage.chance.random() * 5.0)
    await stage.settled()
    await stage.until_state(server, VmState.ACTIVE)
    stage.expect_at_home(server)


async def _g2(stage: Stage) -> None:
    """A claim is refused when there is no room, and for no other reason."""
    placement = Placement(stage.world.connected(stage.world.durable.placement, stage.process))
    provider = stage.truths.provider(stage.pick(stage.hosts))
    assert provider is not None, "every host has one"
    stage.met()

    async def claim(number: int) -> object:
        await stage.sometime(0.05)
        return await placement.claim(
            Claim(
                consumer=f"{number:08}-0000-4000-8000-000000000000",
                generation=None,
                allocations={provider: {"VCPU": 1}},
                project_id=stage.project_id,
                user_id="somebody",
            )
        )

    answers = await asyncio.gather(*(claim(number) for number in range(CLAIMS)))
    granted = sum(isinstance(answer, Claimed) for answer in answers)
    stage.expect(granted == SMALL.size.vcpus, f"{granted} claims were granted, {SMALL.size.vcpus} fit")
    refused = sum(isinstance(answer, Full) for answer in answers)
    stage.expect(granted + refused == CLAIMS, f"{CLAIMS - granted - refused} claims were neither granted nor full")
    used = (await placement.usages(provider))["VCPU"]
    stage.expect(used == granted, f"{used} VCPUs are counted, {granted} were granted")
    for number in range(CLAIMS):
        await placement.release(f"{number:08}-0000-4000-8000-000000000000")


async def _g3(stage: Stage) -> None:
    """What is in the way is a server, or a move that is not confirmed, whichever of its two hosts it is."""
    server = await stage.made()
    hosts = {stage.host_of(server)}
    if stage.chance.random() < 0.5:
        await stage.acted(server, "migration")
        hosts.add(stage.host_of(server))
    host = stage.pick(sorted(hosts))
    refused = False
    try:
        await stage.remove(host)
    except Conflict:
        refused = True
    stage.expect(refused, "a host was deleted that servers depend on")
    stage.met()
    stage.expect(stage.truths.provider(host) is not None, "the provider of a host in use is gone")
    await stage.delete(server)
    await stage.until_quiet()
    stage.breaking.dark(stage.agent_at(host), for_s=100.0)
    await stage.until_down()
    await stage.remove(host)
    stage.expect(stage.truths.provider(host) is None, "the host that was deleted has a provider")


async def _g4(stage: Stage) -> None:
    """What the first agent says is of an older epoch, and what it still does to a guest of an older generation."""
    server = await stage.made()
    host, kind = stage.host_of(server), stage.pick(("stop", "reboot_hard", "pause", "rebuild"))
    provider = stage.truths.provider(host)
    await stage.ask(server, kind)
    await stage.sometime(0.4)
    stage.breaking.replace_agent(stage.agent_at(host), frozen_s=stage.pick((1.0, 14.0, 30.0)))
    stage.met()
    await stage.settled()
    await stage.until_state(server, ACTIONS[kind].ends_in)
    stage.expect(stage.truths.provider(host) == provider, "the host has another provider")
    stage.expect(list(stage.truths.guests(server.server_id)) == [host], "the guest is gone, or there are two")


async def _g5(stage: Stage) -> None:
    hints = stage.pick(
        (
            {"_nova_check_type": ["rebuild"]},
            {"_nova_check_type": ["live_migrate"]},
            {"group": ["no-such-group"]},
            {"same_host": [], "_nova_check_type": ["resize"]},
        )
    )
    stage.met()
    server = await stage.boot(hints=hints)
    await stage.until_state(server, VmState.ACTIVE)
    stage.expect_at_home(server)


CASES = (
    Case(
        id="G1",
        title="an audit between claim and build",
        bugs=(1729371, 1707071),
        given="a server that holds its place and is in no cell yet",
        when="its conductor stops for a while, its host's agent starts anew, and auditors look",
        then="the claim stays, and the server is made where it was claimed",
        play=_g1,
    ),
    Case(
        id="G2",
        title="two hundred claims at once on one host",
        bugs=(1886418, 1770220, 1779931),
        given="a host with room for a few",
        when="two hundred consumers claim at the same moment",
        then="exactly as many are granted as fit, the others are told that it is full, and the sum is right",
        play=_g2,
    ),
    Case(
        id="G3",
        title="a service is deleted whose host is in use",
        bugs=(1763183, 1852610, 1756179, 1811726),
        given="a host with a server, or one that a move has left and may return to",
        when="the operator deletes its service, and again once it is empty",
        then="the first is refused; after the second the host's provider is gone",
        play=_g3,
    ),
    Case(
        id="G4",
        title="a host passes from one agent to another",
        bugs=(1853009, 1841481, 1839560),
        given="an agent at work on a server",
        when="it stops, another one takes its host, and the first goes on with what it believed",
        then="what the first says counts for nothing; the host's record and provider stay, and one guest is there",
        play=_g4,
    ),
    Case(
        id="G5",
        title="a user sends the scheduler's own hints",
        bugs=(),
        given="hints that only the scheduler itself may give",
        when="a user creates a server with them",
        then="they change nothing: the server holds what its flavor says",
        play=_g5,
    ),
)
