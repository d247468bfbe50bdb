"""A: build. Servers that are being made when something goes wrong, and what a build that fails leaves."""

import asyncio

from sqlalchemy import insert

from kilonova.database.tables import api_database
from kilonova.kernel.ids import ServerId
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import GuestVolume
from kilonova.objects.host import DOWN_AFTER_S
from kilonova.objects.port import Port, PortRequest
from kilonova.objects.server import NicRequest, VmState, Volume
from kilonova.simulation.cases.case import Case
from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.doubles.networks import NETWORK
from kilonova.simulation.doubles.volumes import SOME
from kilonova.simulation.groups import group_of
from kilonova.simulation.history import Promise, Told
from kilonova.simulation.workload import FLAVORS
from kilonova.simulation.world import Shape

HUGE = Flavor(id="9", name="huge", vcpus=1, memory_mb=512, disk_gb=1000)
"""Fits on no host."""
TRIES = 2
"""How often a host is asked to make a guest before another is."""
ALLOWED = 3
"""How many servers a quota in a story allows."""
NOBODY = ServerId("")
ROOT = Volume(guest=GuestVolume(volume_id=SOME[0], attachment_id="", connection={}, device="/dev/vda", boot=True))


async def _a1(stage: Stage) -> None:
    """A host is given up after a minute without an agent; as it may have made the guest, no other is tried then."""
    server = await stage.boot()
    await stage.until_log(server, "spawn")
    agent = stage.agent_of(server.server_id)
    await stage.sometime(0.02)
    if not stage.truths.guests(server.server_id):
        stage.met()
    down_s = stage.pick((0.0, 5.0, 40.0, 100.0))
    stage.breaking.kill(agent, down_s=down_s)
    await stage.settled()
    stage.expect_state(server, VmState.ACTIVE, *((VmState.ERROR,) if down_s > DOWN_AFTER_S else ()))


async def _a2(stage: Stage) -> None:
    server = await stage.boot()
    await stage.until(lambda: stage.truths.held(server.server_id), "the server holds a place")
    stage.breaking.kill("global-conductor-1", down_s=stage.chance.random() * 20.0)
    if not stage.truths.has_cell(server.server_id):
        stage.met()
    await stage.sometime(25.0)
    await stage.delete(server)
    await stage.settled()
    await stage.until_gone(server)
    stage.expect_nothing_left(server.server_id)


async def _a3(stage: Stage) -> None:
    """Polling finds in seconds what hints would have told at once."""
    early = stage.chance.random() < 0.5
    if early:
        stage.breaking.bus_down(for_s=60.0)
    server = await stage.boot()
    if not early:
        stage.breaking.bus_down(for_s=60.0)
    stage.met()
    began = stage.loop.time()
    await stage.until_state(server, VmState.ACTIVE)
    stage.expect(stage.loop.time() - began < 30.0, "the server was waiting for a hint")


async def _a4(stage: Stage) -> None:
    hosts = [host for there in stage.world.hosts_of.values() for host in there]
    willing = stage.pick((0, 1))
    refusing = stage.chance.sample(hosts, len(hosts) - willing)
    stage.breaking.refuse("guest_ensure", *refusing, times=TRIES, halfway=stage.pick((True, False)))
    server = await stage.boot()
    if not willing:
        stage.met()
        await stage.fail_to_boot(server)
        return
    await stage.until_state(server, VmState.ACTIVE)
    stage.expect_state(server, VmState.ACTIVE)
    failed = {
        line.host for line in stage.truths.log(server.server_id) if (line.step, line.result) == ("spawn", "failed")
    }
    if failed:
        stage.met()
    stage.expect(set(stage.truths.guests(server.server_id)).isdisjoint(failed), "a host that refused has a guest")
    stage.expect(set(stage.truths.held(server.server_id)).isdisjoint(failed), "a host that refused is still taken")


async def _a5(stage: Stage) -> None:
    given = _given_port(stage)
    stage.breaking.refuse("guest_ensure", times=TRIES, halfway=stage.pick((True, False)))
    server = await stage.boot(networks_requested=(NicRequest(network_id=NETWORK.id), NicRequest(port_id=given.id)))
    await stage.until(lambda: len(stage.truths.ports(server.server_id)) > 1, "the server has its ports")
    stage.met()
    await stage.fail_to_boot(server)
    kept = stage.world.durable.networks.get(given.id)
    stage.expect((kept.device_id, kept.host) == ("", ""), f"the given port is bound to {kept.device_id} on {kept.host}")


def _given_port(stage: Stage) -> Port:
    """A port that a user has made."""
    networks = stage.world.durable.networks
    request = PortRequest(
        project_id=stage.project_id,
        network_id=NETWORK.id,
        server_id=NOBODY,
        host="",
        zone="",
        fixed_ip=None,
        security_group_ids=(),
        description="",
    )
    port = networks.make(request)
    networks.unbind(port.id)
    return port


async def _a6(stage: Stage) -> None:
    """Its agent may die besides while the guest is half made."""
    stage.breaking.refuse("guest_ensure", times=TRIES, halfway=True)
    server = await stage.boot(volumes=(ROOT,))
    await stage.until(lambda: stage.truths.guests(server.server_id), "the guest is defined")
    stage.met()
    if stage.chance.random() < 0.5:
        await stage.sometime(0.3)
        stage.breaking.kill(stage.agent_of(server.server_id), down_s=stage.chance.random() * 20.0)
        await stage.until_state(server, VmState.ACTIVE, VmState.ERROR)
        if await _is_made(stage, server):
            return
    await stage.fail_to_boot(server)


async def _is_made(stage: Stage, server: Promise) -> bool:
    """Whether it was made after all: a host that dies takes no refusal, and another tries."""
    shown = await stage.client.get(server)
    made = shown is not None and shown.vm_state is VmState.ACTIVE
    if made:
        stage.expect(len(stage.truths.guests(server.server_id)) == 1, "a second guest is left")
    return made


async def _a7(stage: Stage) -> None:
    why = stage.pick(("no host", "hosts refuse", "quota"))
    if why == "quota":
        _limit(stage, f"project:{stage.project_id}", "instances", 0)
        (server,) = await stage.client.create(FLAVORS[0], 1, fields={"volumes": (ROOT,)})
        stage.expect(server.boot is Told.REFUSED, "a server was accepted beyond the quota")
    else:
        stage.breaking.refuse("guest_ensure", times=TRIES)
        server = await stage.boot(HUGE if why == "no host" else FLAVORS[0], volumes=(ROOT,))
        await stage.fail_to_boot(server)
        await stage.delete(server)
    stage.met()
    await stage.settled()
    volume = stage.world.durable.volumes.get(SOME[0])
    stage.expect(volume.status == "available", f"the volume is {volume.status}")


async def _a8(stage: Stage) -> None:
    limited = stage.pick(("project", "user", "group"))
    stage.world.add_groups([stage.project_id])
    if limited == "project":
        _limit(stage, f"project:{stage.project_id}", "instances", ALLOWED)
    elif limited == "user":
        _limit(stage, f"user:{stage.project_id}:{stage.caller.user_id}", "instances", ALLOWED)
    else:
        _limit(stage, f"project:{stage.project_id}", "server_group_members", ALLOWED)
    group_id = group_of(stage.project_id) if limited == "group" else None
    asked = await asyncio.gather(*(stage.client.create(FLAVORS[0], 1, group_id) for _ in range(3 * ALLOWED)))
    accepted = [promise for (promise,) in asked if promise.boot is Told.ACCEPTED]
    stage.met()
    stage.expect(len(accepted) == ALLOWED, f"{len(accepted)} servers were accepted, {ALLOWED} are allowed")
    await stage.settled()
    counted = stage.truths.in_ledger(stage.project_id)
    stage.expect(counted == ALLOWED, f"{counted} servers are counted, {ALLOWED} are there")


def _limit(stage: Stage, scope: str, resource: str, value: int) -> None:
    """Set a quota, as an operator does."""
    row = {"scope": scope, "resource": resource, "value": value}
    stage.world.durable.api.write(lambda tx: tx.execute(insert(api_database.limits), [row]))


async def _a9(stage: Stage) -> None:
    server = await stage.boot(HUGE)
    await stage.fail_to_boot(server)
    stage.met()
    if stage.chance.random() < 0.5:
        await stage.delete(server)
        await stage.until_gone(server)
    boot = (await stage.servers.operations(server.server_id))[-1]
    events = await stage.servers.events(server.server_id, boot)
    stage.expect(boot.kind == "boot" and boot.error, f"the first action is {boot.kind} with error {boot.error}")
    stage.expect(any(event.result == "failed" and event.message for event in events), "no event says what went wrong")


async def _a10(stage: Stage) -> None:
    """Two schedulers share the four, because one of them stops in between."""
    stage.world.add_groups([stage.project_id])
    servers = await stage.client.create(FLAVORS[0], 4, group_of(stage.project_id))
    await stage.sometime(0.1)
    claims = len(stage.truths.holders())
    if claims < len(servers):
        stage.met()
    stage.breaking.freeze(stage.pick(("global-conductor-1", "global-conductor-2")), for_s=stage.pick((0.1, 20.0, 40.0)))
    await stage.settled()
    made = [found for one in servers if (found := stage.truths.server(one.server_id)) and found.host is not None]
    stage.expect(len({server.host for server in made}) == len(made), "two members share a host")
    for server in made:
        stage.expect(server.vm_state is VmState.ACTIVE, f"server {server.id} is {server.vm_state}")
    stage.expect(
        len(made) == len(servers), f"{len(made)} of {len(servers)} servers were made, and there is room for all"
    )


CASES = (
    Case(
        id="A1",
        title="an agent dies before it begins a build",
        bugs=(1833581,),
        given="a build whose step the agent has taken and not begun",
        when="the agent is killed, and starts again soon, late or not before its host counts as down",
        then="the build is finished, or ends with a fault when the host did not come back; the server is never left in BUILD",
        play=_a1,
    ),
    Case(
        id="A2",
        title="a server is deleted whose scheduler died",
        bugs=(1859496,),
        given="a server in BUILD with a place claimed for it",
        when="the conductor dies before it has written the host down, and the user deletes the server",
        then="the server is gone, and so is the claim",
        play=_a2,
    ),
    Case(
        id="A3",
        title="nobody hears of a build",
        bugs=(),
        given="a create that was answered with 202",
        when="every message of the next minute is lost",
        then="the server becomes ACTIVE within half of it, because work is looked for",
        play=_a3,
    ),
    Case(
        id="A4",
        title="hosts refuse a build",
        bugs=(1671648, 1837955),
        given="three hosts with room",
        when="two of them refuse to make the guest, or all three",
        then="the third makes it; with none left the server is in ERROR with a fault, and holds nothing",
        play=_a4,
        shape=Shape(global_conductors=1, cell_conductors=1, agents=3),
    ),
    Case(
        id="A5",
        title="a build fails that has its ports",
        bugs=(1423845, 1603197, 1836140),
        given="a build with one port of its own and one that the user gave",
        when="every host refuses the guest, at once or half made",
        then="its own port is deleted, the given one is free, and no host has anything plugged in",
        play=_a5,
    ),
    Case(
        id="A6",
        title="a hypervisor fails with a guest half made",
        bugs=(1648840,),
        given="a build from a volume",
        when="hypervisors fail once the guest is defined, and its agent may die besides",
        then="no guest, disk or attachment is left behind",
        play=_a6,
    ),
    Case(
        id="A7",
        title="a build from a volume comes to nothing",
        bugs=(1404867, 1806064),
        given="a create from a volume",
        when="no host has room, every host refuses or the quota does, and the user deletes the server",
        then="the volume is available again",
        play=_a7,
    ),
    Case(
        id="A8",
        title="more servers are asked for at once than a quota allows",
        bugs=(1780373, 1893284),
        given="a quota of some servers: of a project, a user, or for the members of a group",
        when="three times as many are asked for at the same moment",
        then="exactly as many are accepted as are allowed, the others refused, and that many are counted",
        play=_a8,
    ),
    Case(
        id="A9",
        title="a build that found no host says why",
        bugs=(1852458,),
        given="a create that no host has room for",
        when="it fails before there is a host, and the user may have deleted the server",
        then="its action can be read, with an event that says what went wrong",
        play=_a9,
    ),
    Case(
        id="A10",
        title="four that must stand apart, and four hosts",
        bugs=(1781710,),
        given="an anti-affinity group, two schedulers and four hosts",
        when="four members are asked for in one request, and one scheduler stops for a while",
        then="each is on a host of its own",
        play=_a10,
        shape=Shape(agents=4),
    ),
)
