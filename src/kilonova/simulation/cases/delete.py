"""B: delete. It wins over whatever is being done, on hosts that are dead too, and leaves nothing."""

import asyncio

from kilonova.kernel.errors import NotFound
from kilonova.kernel.ids import CELL0, ServerId
from kilonova.objects.guest import PowerState
from kilonova.objects.host import DOWN_AFTER_S
from kilonova.objects.server import VmState
from kilonova.simulation.cases.build import ROOT
from kilonova.simulation.cases.case import Case
from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.doubles.volumes import SOME
from kilonova.simulation.history import Promise
from kilonova.simulation.hypervisor.hardware import NO_MARK

KNOWN_S = DOWN_AFTER_S + 15.0
"""After so long without power a host counts as down everywhere."""
RECONCILED_S = 45.0
"""How long an agent may take to compare its guests with the records."""
UNKNOWN = ServerId("99999999-0000-4000-8000-000000000001")
STRANGER = ServerId("99999999-0000-4000-8000-000000000002")


async def _b1(stage: Stage) -> None:
    server = await stage.made()
    agent = stage.agent_of(server.server_id)
    if stage.chance.random() < 0.5:
        await stage.ask(server, "reset_state", state="error")
        await stage.until_state(server, VmState.ERROR)
    await stage.delete(server)
    await stage.until_log(server, "destroy", kind="delete")
    await stage.sometime(0.3)
    if stage.truths.guests(server.server_id):
        stage.met()
    stage.breaking.kill(agent, down_s=stage.chance.random() * 30.0)
    await stage.settled()
    await stage.until_gone(server)
    stage.expect_nothing_left(server.server_id)


async def _b2(stage: Stage) -> None:
    server = await stage.made()
    stage.breaking.dark(stage.agent_of(server.server_id), for_s=2 * KNOWN_S)
    await asyncio.sleep(KNOWN_S)
    await stage.delete(server)
    began = stage.loop.time()
    await stage.until_gone(server)
    stage.met()
    stage.expect(stage.loop.time() - began < DOWN_AFTER_S, "the delete waited for the host")
    stage.expect(not stage.truths.held(server.server_id), "a deleted server holds a place")
    stage.expect(stage.truths.guests(server.server_id), "a host without power ended a guest")
    await stage.settled()
    stage.expect_nothing_left(server.server_id)


async def _b3(stage: Stage) -> None:
    server = await stage.boot(volumes=(ROOT,))
    await stage.sometime(0.4)
    shown = stage.truths.server(server.server_id)
    if shown is not None and shown.vm_state is VmState.BUILDING:
        stage.met()
    await stage.delete(server)
    await stage.settled()
    stage.expect_nothing_left(server.server_id)
    status = stage.world.durable.volumes.get(SOME[0]).status
    stage.expect(status == "available", f"the volume is {status}")


async def _b4(stage: Stage) -> None:
    server = await stage.made()
    await stage.acted(server, "attach_volume")
    await stage.acted(server, "shelve")
    await stage.acted(server, "offload")
    if stage.truths.attachments(server.server_id):
        stage.met()
    await stage.delete(server)
    if stage.chance.random() < 0.5:
        await stage.sometime(0.1)
        stage.breaking.kill("cell1-conductor-1", down_s=stage.chance.random() * 10.0)
    await stage.settled()
    stage.expect_nothing_left(server.server_id)
    volumes = stage.world.durable.volumes.volumes.values()
    stage.expect(all(one.status == "available" for one in volumes), "a volume is not available")


async def _b5(stage: Stage) -> None:
    server = await stage.boot()
    await stage.until_log(server, "schedule", "done")
    await stage.until(lambda: stage.truths.has_cell(server.server_id), "the cell has the server")
    if stage.truths.is_nowhere(server.server_id):
        stage.met()
    await stage.sometime(0.01)
    both = await asyncio.gather(_deleted(stage, server), _deleted(stage, server), return_exceptions=True)
    stage.expect(
        all(one is None or isinstance(one, NotFound) for one in both), f"two deletes were answered with {both}"
    )
    await stage.delete(server)
    await stage.settled()
    await stage.until_gone(server)
    stage.expect_nothing_left(server.server_id)


async def _deleted(stage: Stage, server: Promise) -> None:
    """Ask for a delete once. Raises what the API raises."""
    await stage.servers.delete(stage.caller, stage.request_id(), server.server_id)


async def _b6(stage: Stage) -> None:
    kind = stage.pick(("stop", "reboot_hard", "pause", "suspend", "snapshot", "rebuild", "shelve"))
    server = await stage.made()
    agent = stage.agent_of(server.server_id)
    await stage.ask(server, kind)
    stage.breaking.dark(agent, for_s=2 * KNOWN_S)
    await stage.sometime(KNOWN_S)
    shown = stage.truths.server(server.server_id)
    if shown is not None and shown.task_state is not None:
        stage.met()
    await stage.delete(server)
    await stage.until_gone(server)
    stage.expect(not stage.truths.held(server.server_id), "a deleted server holds a place")
    await stage.settled()
    stage.expect_nothing_left(server.server_id)


async def _b7(stage: Stage) -> None:
    server = await stage.made()
    await stage.acted(server, "attach_volume")
    await stage.until_quiet()
    (attachment,) = stage.truths.attachments(server.server_id)
    stage.world.durable.volumes.forget(attachment.volume_id)
    stage.met()
    if stage.chance.random() < 0.5:
        await stage.acted(server, stage.pick(("reboot", "reboot_hard")))
        await stage.acted(server, "detach_volume")
        await stage.settled()
        shown = stage.truths.server(server.server_id)
        stage.expect(shown is not None and not shown.volumes, "a volume that is gone is shown")
        stage.expect_state(server, VmState.ACTIVE)
    else:
        await stage.delete(server)
        await stage.settled()
        await stage.until_gone(server)
        stage.expect_nothing_left(server.server_id)


async def _b8(stage: Stage) -> None:
    """A guest without its cell's mark may be another cloud's: it is left alone, and noted for an operator."""
    hypervisor = stage.world.durable.hypervisor
    living, deleted = await stage.made(), await stage.made()
    await stage.delete(deleted)
    await stage.until_gone(deleted)
    await stage.until_quiet()
    host = stage.pick([host for host, _, _ in hypervisor.everything()])
    (mark,) = (cell_id for cell_id in stage.world.durable.cells if cell_id != CELL0)
    hypervisor.plant(host, deleted.server_id, cell_id=mark)
    hypervisor.plant(host, UNKNOWN, cell_id=mark)
    hypervisor.plant(host, STRANGER, cell_id=NO_MARK)
    stage.met()
    await stage.sometime(2.0)
    stage.breaking.kill(stage.agent_of(living.server_id), down_s=stage.chance.random() * 5.0)
    await asyncio.sleep(RECONCILED_S)
    stage.expect(not stage.truths.guests(deleted.server_id), "the guest of a deleted server is left")
    stage.expect(not stage.truths.guests(UNKNOWN), "a guest of this cell that no record knows is left")
    stage.expect(stage.truths.guests(STRANGER) == {host: PowerState.RUNNING}, "a guest of somebody else was touched")
    stage.expect_state(living, VmState.ACTIVE)


CASES = (
    Case(
        id="B1",
        title="an agent dies in the middle of a delete",
        bugs=(1296414, 1281324),
        given="a delete that is being carried out, of a server that may have been in ERROR",
        when="the agent of its host is killed and starts again",
        then="the server is gone with all that it had",
        play=_b1,
    ),
    Case(
        id="B2",
        title="a delete on a host that is down",
        bugs=(1679750,),
        given="a server whose host has lost its power",
        when="the user deletes it, and the host returns later",
        then="it is gone and holds nothing long before; its guest is ended when the host is back",
        play=_b2,
    ),
    Case(
        id="B3",
        title="a server that boots from a volume is deleted at once",
        bugs=(2088066,),
        given="a create from a volume, at any moment",
        when="the user deletes the server",
        then="no attachment is left, and the volume is available",
        play=_b3,
    ),
    Case(
        id="B4",
        title="a server on no host is deleted with its volume",
        bugs=(1675570,),
        given="a server that was shelved and taken off its host, with a volume",
        when="the user deletes it, and a conductor may die meanwhile",
        then="the volume is available, and nothing says that it is the server's",
        play=_b4,
    ),
    Case(
        id="B5",
        title="two deletes while a server is handed to its cell",
        bugs=(1831771, 1882608, 1773945),
        given="a server that its cell has and the map doesn't say so yet",
        when="it is deleted twice at the same moment",
        then="each is accepted or finds nothing, and the server is gone",
        play=_b5,
    ),
    Case(
        id="B6",
        title="a server with a task and a dead host is deleted",
        bugs=(1308342,),
        given="a server to which something is being done",
        when="its host loses its power, and the user deletes the server meanwhile or when all know it",
        then="the delete is accepted and ends; when the host is back nothing is left there",
        play=_b6,
    ),
    Case(
        id="B7",
        title="a volume vanishes from under its server",
        bugs=(2019078, 2033752),
        given="a server with a volume that the volume service has lost",
        when="the server is rebooted and the volume detached, or the server is deleted",
        then="all of it works, and nothing shows the volume any more",
        play=_b7,
    ),
    Case(
        id="B8",
        title="guests that nobody ordered",
        bugs=(1285000, 1842081),
        given="a host with guests of a deleted server, of its cell but of no record, of another cloud, and one that is right",
        when="its agent compares them with the records, and may start again before",
        then="the first two are ended, as the policy says, and the others are not touched",
        play=_b8,
    ),
)
