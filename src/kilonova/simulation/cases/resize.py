"""D: resize and cold migration, interrupted, refused and repeated."""

from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import PowerState
from kilonova.objects.server import VmState
from kilonova.simulation.actions import LARGE
from kilonova.simulation.cases.case import SMALL, Case
from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.history import Promise
from kilonova.simulation.workload import FLAVORS
from kilonova.simulation.world import Shape

THREE = Shape(global_conductors=1, cell_conductors=1, agents=3)
ONE = Shape(global_conductors=1, cell_conductors=1, agents=1)
TRIES = 2
"""How often a host is asked to receive a guest before another is."""
HOST_VCPUS = SMALL.size.vcpus


async def _d1(stage: Stage) -> None:
    """Starting the guest is the last step; each host that has received it and can't start it is left again."""
    server = await stage.made()
    source = stage.host_of(server)
    await stage.ask(server, "resize")
    await stage.until_log(server, "receive", "done")
    failing = [host for host in stage.hosts if host != source]
    stage.breaking.refuse("guest_start", *failing, times=99, halfway=stage.pick((True, False)))
    stage.met()
    await stage.until_quiet()
    await stage.until_state(server, VmState.ACTIVE, VmState.ERROR, VmState.RESIZED)
    stage.expect(stage.host_of(server) == source, "the server has left its host")
    _expect_one_claim(stage, server)


async def _d2(stage: Stage) -> None:
    server = await stage.made()
    source = stage.host_of(server)
    await stage.acted(server, "migration")
    stage.breaking.refuse("guest_destroy", source, times=stage.pick((1, 2, 4)), halfway=stage.pick((True, False)))
    await stage.ask(server, "confirm_resize")
    await stage.until_log(server, "destroy", "retried", kind="confirm_resize")
    stage.met()
    await stage.until_quiet()
    await stage.until_state(server, VmState.ACTIVE)
    _expect_one_claim(stage, server)
    stage.expect(list(stage.truths.guests(server.server_id)) == [stage.host_of(server)], "the old guest is left")


async def _d3(stage: Stage) -> None:
    """The agent that refused is frozen past its leases besides, so that whatever it still does comes late."""
    server = await stage.made()
    source = stage.host_of(server)
    await stage.ask(server, "resize")
    await stage.until(lambda: _dest(stage, server), "the server has a destination")
    first = _dest(stage, server)
    assert first is not None
    stage.breaking.refuse("guest_receive", first, times=TRIES, halfway=stage.pick((True, False)))
    await stage.until(lambda: _dest(stage, server) not in {None, first}, "another host is tried")
    stage.met()
    if stage.chance.random() < 0.5:
        stage.breaking.freeze(stage.agent_at(first), for_s=20.0)
    await stage.settled()
    await stage.until_state(server, VmState.RESIZED)
    second = stage.host_of(server)
    stage.expect(second not in {source, first}, f"the server is on {second}")
    stage.expect(set(stage.truths.guests(server.server_id)) == {source, second}, "the host that refused has a guest")
    await stage.acted(server, stage.pick(("confirm_resize", "revert_resize")))
    _expect_one_claim(stage, server)


async def _d4(stage: Stage) -> None:
    """What is missing on a host is the difference between the sizes, and not the whole new size."""
    server = await stage.made(FLAVORS[1])
    more = LARGE.vcpus - FLAVORS[1].vcpus
    left = stage.pick((more, 0))
    await stage.made(_filler(HOST_VCPUS - FLAVORS[1].vcpus - left))
    stage.met()
    await stage.ask(server, "resize")
    await stage.settled()
    await stage.until_state(server, VmState.RESIZED if left else VmState.ACTIVE)
    if left:
        await stage.acted(server, stage.pick(("confirm_resize", "revert_resize")))
    _expect_one_claim(stage, server)
    taken = sum(sum(stage.truths.held(one).values()) for one in stage.truths.holders())
    stage.expect(taken <= HOST_VCPUS, f"{taken} VCPUs are taken of {HOST_VCPUS}")


async def _d5(stage: Stage) -> None:
    """Auditors look every ten seconds here; an agent that starts anew tells again what its hosts have."""
    server = await stage.made()

    def look() -> None:
        for host in stage.truths.guests(server.server_id):
            held = sum(stage.truths.held(one).get(host, 0) for one in stage.truths.holders())
            stage.expect(held > 0, f"a guest is on {host} while nothing is held for it there")

    await stage.ask(server, stage.pick(("resize", "migration")))
    stage.at_every_commit(look)
    await stage.until_log(server, stage.pick(("stop", "offer", "receive", "start")))
    stage.breaking.kill(stage.pick(tuple(stage.world.hosts_of)), down_s=stage.chance.random() * 12.0)
    stage.met()
    await stage.settled()
    await stage.until_state(server, VmState.ACTIVE, VmState.RESIZED)
    if _waits(stage, server):
        await stage.acted(server, stage.pick(("confirm_resize", "revert_resize")))
    _expect_one_claim(stage, server)


async def _d6(stage: Stage) -> None:
    server = await stage.made()
    agent, before = stage.agent_of(server.server_id), stage.truths.server(server.server_id)
    if stage.chance.random() < 0.5:
        stage.breaking.dark(agent, for_s=200.0)
        await stage.until_down()
    else:
        stage.operate(stage.host_of(server), forced_down=True)
    stage.met()
    refused = False
    try:
        await stage.ask(server, stage.pick(("resize", "migration")))
    except Conflict:
        refused = True
    stage.expect(refused, "the move was accepted")
    stage.expect(stage.truths.server(server.server_id) == before, "the server is not what it was")
    stage.operate(stage.host_of(server), forced_down=False)


async def _d7(stage: Stage) -> None:
    server = await stage.made()
    await stage.acted(server, stage.pick(("resize", "migration")))
    for agent in stage.world.hosts_of:
        if stage.chance.random() < 0.5:
            stage.breaking.kill(agent, down_s=stage.chance.random() * 20.0)
        else:
            stage.breaking.dark(agent, for_s=stage.chance.random() * 90.0)
    stage.met()
    await stage.settled()
    stage.expect(_waits(stage, server), "the server doesn't wait to be confirmed any more")
    kind = stage.pick(("confirm_resize", "revert_resize"))
    await stage.ask(server, kind)
    await stage.settled()
    await stage.until_state(server, VmState.ACTIVE, VmState.STOPPED)
    _expect_one_claim(stage, server)


async def _d8(stage: Stage) -> None:
    """The second move has one host to go to: the one that the first did not want, or that the user did not name."""
    once = stage.pick(("asked onto a host", "refused", "sent to a host"))
    if once == "asked onto a host":
        server = await stage.made(requested_host=stage.hosts[0])
        only = stage.hosts[1]
    else:
        server = await stage.made()
        others = [host for host in stage.hosts if host != stage.host_of(server)]
        only = others[0]
        if once == "refused":
            stage.breaking.refuse("guest_receive", only, times=TRIES)
            await stage.acted(server, "migration")
            stage.breaking.relent()
        else:
            await stage.ask(server, "migration", to=others[1])
            await stage.until_state(server, VmState.RESIZED)
        await stage.acted(server, "confirm_resize")
    for host in stage.hosts:
        stage.operate(host, enabled=host == only)
    stage.met()
    await stage.acted(server, "migration")
    stage.expect(stage.host_of(server) == only, f"the server is on {stage.host_of(server)} and not on {only}")


def _filler(vcpus: int) -> Flavor:
    """A flavor that takes so many VCPUs of a host and next to nothing else."""
    return Flavor(id="fill", name="fill", vcpus=vcpus, memory_mb=64, disk_gb=1)


def _dest(stage: Stage, server: Promise) -> HostName | None:
    """Where a server is being brought."""
    found = stage.truths.server(server.server_id)
    return None if found is None or found.move is None else found.move.dest


def _waits(stage: Stage, server: Promise) -> bool:
    """Whether a server waits to be confirmed."""
    found = stage.truths.server(server.server_id)
    return found is not None and found.vm_state is VmState.RESIZED


def _expect_one_claim(stage: Stage, server: Promise) -> None:
    """Expect that a server holds what its flavor says where it is, and that no move holds anything, unless it waits."""
    found = stage.truths.server(server.server_id)
    assert found is not None, f"server {server.server_id} is gone"
    assert found.host is not None, f"server {found.id} is nowhere"
    held = stage.truths.held(found.id)
    stage.expect(held == {found.host: found.flavor.vcpus}, f"{found.flavor.vcpus} VCPUs on {found.host}, held: {held}")
    if found.vm_state is not VmState.RESIZED:
        moves = [one for one in stage.truths.holders() if stage.truths.server(ServerId(one)) is None]
        stage.expect(not moves, f"moves hold something still: {moves}")
        if found.vm_state is VmState.ACTIVE:
            there = stage.truths.guests(found.id)
            stage.expect(there == {found.host: PowerState.RUNNING}, f"its guests: {there}")


CASES = (
    Case(
        id="D1",
        title="a resize fails in its last step",
        bugs=(1825537,),
        given="a resize whose guest has arrived on another host",
        when="no other host can start it",
        then="the server is where it was, of the old size or of the new one, or in ERROR, and holds there what its flavor says",
        play=_d1,
    ),
    Case(
        id="D2",
        title="a confirmed resize can't clean up where it came from",
        bugs=(1821594,),
        given="a migrated server that is being confirmed",
        when="the host that it left fails to destroy the old guest, once or more",
        then="that is tried again until it is done, and nothing is held twice",
        play=_d2,
    ),
    Case(
        id="D3",
        title="the first destination refuses",
        bugs=(1741125, 1845291),
        given="a resize and two hosts it could go to",
        when="the first refuses the guest, and its agent may be stopped past its leases",
        then="the other has it, and taking the first attempt back harms nothing of the second",
        play=_d3,
        shape=THREE,
    ),
    Case(
        id="D4",
        title="a resize on a host that is nearly full",
        bugs=(1790204,),
        given="one host with just the room that the new size takes more, or with none",
        when="the server is resized",
        then="it is judged by the difference: done with it, refused without, and never overcommitted",
        play=_d4,
        shape=ONE,
    ),
    Case(
        id="D5",
        title="audits while a server moves",
        bugs=(1849165, 1944759),
        given="a resize or migration under way",
        when="auditors look all the time and an agent starts anew and tells what its hosts have",
        then="at no moment a guest is on a host where nothing is held for it",
        play=_d5,
    ),
    Case(
        id="D6",
        title="a move from a host that is down",
        bugs=(1856925, 1938326),
        given="a server whose host is down, or declared so",
        when="a resize or migration is asked for",
        then="it is refused at once, and the server is what it was",
        play=_d6,
    ),
    Case(
        id="D7",
        title="hosts restart while a resize waits to be confirmed",
        bugs=(1330503,),
        given="a server that waits to be confirmed",
        when="both hosts or their agents restart",
        then="it still waits, and can be confirmed and reverted",
        play=_d7,
    ),
    Case(
        id="D8",
        title="what once kept a server from a host is forgotten",
        bugs=(1669054, 1718512, 1797580, 1815153),
        given="a server that was asked onto a host, sent to one, or refused by one",
        when="it is migrated later and a single host is left",
        then="it goes there, whatever was asked or refused before",
        play=_d8,
        shape=THREE,
    ),
)
