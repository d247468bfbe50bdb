"""C: power, reboot, pause, snapshot, shelve and rebuild, interrupted."""

import asyncio
import contextlib

import msgspec

from kilonova.kernel.errors import Conflict
from kilonova.objects.guest import PowerState
from kilonova.objects.host import DOWN_AFTER_S
from kilonova.objects.server import VmState
from kilonova.operations.plans import evacuate
from kilonova.simulation.cases.case import SMALL, Case
from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.history import Promise

SHOWN_AS = {
    PowerState.RUNNING: VmState.ACTIVE,
    PowerState.PAUSED: VmState.PAUSED,
    PowerState.SHUTDOWN: VmState.STOPPED,
    PowerState.CRASHED: VmState.STOPPED,
}
"""What a server is whose guest is in a power state."""
TIMER_S = 10.0
"""How long shelved servers stay on their hosts in a story."""
ASKED_MOST = 60


async def _c1(stage: Stage) -> None:
    server = await stage.made()
    agent, kind = stage.agent_of(server.server_id), stage.pick(("stop", "pause", "suspend", "reboot", "reboot_hard"))
    await stage.ask(server, kind)
    stage.breaking.dark(agent, for_s=2 * DOWN_AFTER_S)
    shown = stage.truths.server(server.server_id)
    if shown is not None and shown.task_state is not None:
        stage.met()
    await stage.until(lambda: _rests(stage, server), "the task state clears", within_s=2 * DOWN_AFTER_S)
    await stage.ask(server, evacuate.KIND, reason="its host is dark")
    await stage.settled()
    stage.expect(len(stage.truths.guests(server.server_id)) == 1, "the server has not one guest")
    stage.expect(stage.agent_of(server.server_id) != agent, "the server is where it was")
    stage.expect_state(server, VmState.ACTIVE, VmState.STOPPED)


def _is(stage: Stage, server: Promise, state: VmState) -> bool:
    shown = stage.truths.server(server.server_id)
    return shown is not None and shown.vm_state is state


def _rests(stage: Stage, server: Promise) -> bool:
    shown = stage.truths.server(server.server_id)
    return shown is not None and shown.task_state is None and shown.current_op is None


async def _c2(stage: Stage) -> None:
    """Agents look every few seconds; the stop may come before, while and after they see it."""
    server = await stage.made()
    stops = 0
    for first in stage.chance.sample(("guest", "user"), 2):
        if first == "guest":
            stage.breaking.crash_guest(server.server_id)
        else:
            try:
                await stage.ask(server, "stop")
                stops += 1
                stage.met()
            except Conflict:
                await stage.until_state(server, VmState.STOPPED)
        await stage.sometime(stage.pick((0.05, 15.0)))
    await stage.settled()
    stage.expect_state(server, VmState.STOPPED)
    shown = stage.truths.server(server.server_id)
    stage.expect(shown is not None and shown.fault is None, "a server that was stopped shows a fault")
    done = [one for one in stage.truths.operations(server.server_id) if one.kind != "boot"]
    stage.expect(len(done) == stops, f"{stops} stops were accepted, and there are {done}")
    stage.expect(all(one.state == "done" for one in done), f"a stop of a guest that was off ended as {done}")


async def _c3(stage: Stage) -> None:
    kind = stage.pick(("pause", "unpause"))
    server = await stage.ready_for(kind)
    agent = stage.agent_of(server.server_id)
    await stage.ask(server, kind)
    await stage.sometime(0.2)
    if not _rests(stage, server):
        stage.met()
    stage.breaking.dark(agent, for_s=stage.chance.random() * 30.0)
    await stage.settled()
    (power,) = stage.truths.guests(server.server_id).values()
    stage.expect_state(server, SHOWN_AS[power])


async def _c4(stage: Stage) -> None:
    """A hard reboot cuts the power itself; a soft one waits for the guest to go down, which it does here."""
    server = await stage.made()
    agent, kind = stage.agent_of(server.server_id), stage.pick(("reboot", "reboot_hard"))
    await stage.ask(server, kind)
    await stage.until_log(server, "reboot", kind=kind)
    if kind == "reboot":
        stage.breaking.crash_guest(server.server_id)
    await stage.until(lambda: not _runs(stage, server), "the guest is off", within_s=10.0)
    stage.met()
    stage.breaking.kill(agent, down_s=stage.chance.random() * 30.0)
    await stage.settled()
    stage.expect(_runs(stage, server), "the guest doesn't run again")
    stage.expect_state(server, VmState.ACTIVE)


def _runs(stage: Stage, server: Promise) -> bool:
    return list(stage.truths.guests(server.server_id).values()) == [PowerState.RUNNING]


async def _c5(stage: Stage) -> None:
    kind = stage.pick(("snapshot", "backup"))
    server = await stage.made()
    agent = stage.agent_of(server.server_id)
    await stage.ask(server, kind)
    await stage.until_log(server, "upload", kind=kind)
    await stage.sometime(0.03)
    if any(image.status != "active" for image in stage.truths.images(server.server_id)):
        stage.met()
    if stage.chance.random() < 0.5:
        await stage.delete(server)
        await stage.settled()
        await stage.until_gone(server)
    else:
        stage.breaking.kill(agent, down_s=stage.pick((0.0, 20.0, DOWN_AFTER_S + 20.0)))
        await stage.settled()
        await stage.acted(server, "stop")
        stage.expect_state(server, VmState.STOPPED)
    images = stage.truths.images(server.server_id)
    stage.expect(all(image.status == "active" for image in images), f"an image is half made: {images}")


async def _c6(stage: Stage) -> None:
    kind = stage.pick(("shelve", "offload"))
    server = await stage.ready_for(kind)
    if stage.chance.random() < 0.5:
        await _offloaded_by_timer_too(stage, server)
        return
    both = await asyncio.gather(stage.ask(server, kind), stage.ask(server, kind), return_exceptions=True)
    stage.met()
    refused = [one for one in both if one is not None]
    stage.expect(len(refused) == 1 and isinstance(refused[0], Conflict), f"two requests were answered with {both}")
    await stage.settled()
    stage.expect_state(server, VmState.SHELVED, VmState.SHELVED_OFFLOADED)
    stage.expect(len(stage.truths.images(server.server_id)) == 1, "the server was not shelved as one image")


async def _offloaded_by_timer_too(stage: Stage, server: Promise) -> None:
    """Ask until it is SHELVED_OFFLOADED, whoever was first."""
    stage.met()
    await stage.sometime(TIMER_S)
    with contextlib.suppress(Conflict):
        await stage.ask(server, "shelve")
    for _ in range(ASKED_MOST):
        if _is(stage, server, VmState.SHELVED_OFFLOADED):
            break
        with contextlib.suppress(Conflict):
            await stage.ask(server, "offload")
        await stage.sometime(2.0)
    await stage.settled()
    stage.expect_state(server, VmState.SHELVED_OFFLOADED)
    done = [one for one in stage.truths.operations(server.server_id) if one.kind == "offload"]
    stage.expect([one.state for one in done] == ["done"], f"the server was taken off its host by {done}")


async def _c7(stage: Stage) -> None:
    server = await stage.ready_for("unshelve")
    (image,) = stage.truths.images(server.server_id)
    stage.breaking.refuse("guest_ensure", times=4, halfway=stage.pick((True, False)))
    await stage.ask(server, "unshelve")
    await stage.until(lambda: stage.truths.held(server.server_id), "a place is claimed")
    if stage.chance.random() < 0.3:
        stage.breaking.kill("cell1-conductor-1", down_s=stage.chance.random() * 5.0)
    await stage.until(lambda: _rests(stage, server), "the unshelve has ended")
    failed = _is(stage, server, VmState.SHELVED_OFFLOADED)
    if failed:
        stage.met()
        stage.expect_state(server, VmState.SHELVED_OFFLOADED)
        stage.expect(stage.truths.images(server.server_id) == [image], "the image is gone")
        stage.expect(not stage.truths.held(server.server_id), "a server on no host holds a place")
        stage.expect(not stage.truths.guests(server.server_id), "a server on no host has a guest")
    await stage.settled()
    if failed:
        await stage.acted(server, "unshelve")
    stage.expect_state(server, VmState.ACTIVE)


async def _c8(stage: Stage) -> None:
    server = await stage.ready_for("offload")

    def look() -> None:
        if _is(stage, server, VmState.SHELVED_OFFLOADED):
            stage.met()
            stage.expect(not stage.truths.held(server.server_id), "a server that shows itself offloaded holds a place")

    stage.at_every_commit(look)
    await stage.ask(server, "offload")
    await stage.sometime(0.5)
    stage.breaking.kill(stage.pick(("cell1-conductor-1", "cell1-gateway")), down_s=stage.chance.random() * 10.0)
    await stage.settled()
    stage.expect_state(server, VmState.SHELVED_OFFLOADED)


async def _c9(stage: Stage) -> None:
    server = await stage.made()
    agent = stage.agent_of(server.server_id)
    await stage.ask(server, "rebuild")
    await stage.until_log(server, "rebuild", kind="rebuild")
    await stage.sometime(0.1)
    if not _rests(stage, server):
        stage.met()
    down_s = stage.pick((0.0, 20.0, DOWN_AFTER_S + 20.0))
    stage.breaking.kill(agent, down_s=down_s)
    await stage.settled()
    stage.expect_state(server, VmState.ACTIVE, *((VmState.ERROR,) if down_s > DOWN_AFTER_S else ()))
    shown = stage.truths.server(server.server_id)
    stage.expect(
        shown is not None and (shown.vm_state is VmState.ACTIVE or shown.fault), "a server in ERROR says no reason"
    )


CASES = (
    Case(
        id="C1",
        title="a host dies under a stop",
        bugs=(1978983,),
        given="a stop, pause, suspend or reboot that was accepted",
        when="the host of the server dies",
        then="the task state clears as soon as the host counts as down, and the server can be evacuated",
        play=_c1,
    ),
    Case(
        id="C2",
        title="a guest goes off while its user stops it",
        bugs=(1339235, 1320628, 1443186),
        given="a server that runs",
        when="its guest goes off by itself and its user asks for a stop, in any order, while the agent looks at its guests",
        then="the server is SHUTOFF, nobody stops it a second time, and it shows no fault",
        play=_c2,
    ),
    Case(
        id="C3",
        title="a host starts again under a pause",
        bugs=(1290639,),
        given="a server that is being paused or unpaused",
        when="its host loses its power and gets it back",
        then="the server has no task state and is what the hypervisor shows",
        play=_c3,
    ),
    Case(
        id="C4",
        title="an agent starts again in the middle of a reboot",
        bugs=(),
        given="a soft or hard reboot, at the moment when the guest is off",
        when="the agent of its host is killed and starts again",
        then="the guest comes back up",
        play=_c4,
    ),
    Case(
        id="C5",
        title="a snapshot is interrupted while it is uploaded",
        bugs=(1555065, 1722571),
        given="a snapshot or backup that is being uploaded",
        when="the server is deleted, or the agent of its host dies",
        then="no image is left half made, and the server can be used if it is there",
        play=_c5,
    ),
    Case(
        id="C6",
        title="two shelve a server",
        bugs=(1611008, 1850694),
        given="a server to be shelved, or a shelved one that leaves its host when asked to, or by itself after a while",
        when="that is asked for twice at the same moment, or when it happens by itself",
        then="one wins and the other is in conflict",
        play=_c6,
        shape=msgspec.structs.replace(SMALL, shelved_offload_after_s=TIMER_S),
    ),
    Case(
        id="C7",
        title="an unshelve fails",
        bugs=(1934094, 1627694, 1862633),
        given="a shelved server on no host",
        when="no host makes its guest, and a conductor may die meanwhile",
        then="it is SHELVED_OFFLOADED with its image as before and nothing on any host, and can be unshelved later",
        play=_c7,
    ),
    Case(
        id="C8",
        title="offloaded means that the place is free",
        bugs=(1798688,),
        given="a shelved server that is being taken off its host",
        when="a conductor or the gateway dies at any moment",
        then="whenever it shows SHELVED_OFFLOADED its allocation is gone already",
        play=_c8,
    ),
    Case(
        id="C9",
        title="an agent dies under a rebuild",
        bugs=(1304184,),
        given="a rebuild that is being carried out",
        when="the agent of the host is killed, and starts again soon or not before its host counts as down",
        then="the rebuild is finished or ends in ERROR with a fault",
        play=_c9,
    ),
)
