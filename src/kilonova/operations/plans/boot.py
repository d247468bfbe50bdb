"""Boot, the cell's part: ports and volumes, then the guest. What the global level does before is in `schedule.py`.

A host that won't make the guest is not the end: everything is undone, and another host of the cell is tried.
"""

from functools import partial

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.engine.progress import FAILED_ON, UNSURE
from kilonova.engine.runner import TooEarly
from kilonova.kernel.errors import Conflict, Unavailable
from kilonova.kernel.ids import HostName
from kilonova.network import ports
from kilonova.objects.guest import GuestNic
from kilonova.objects.host_action import Destroy, HostAction, Spawn
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Nic, Server, TaskState, VmState
from kilonova.operations import attaching, portions
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import TakenOver, Work
from kilonova.scheduler.decide import NoValidHost
from kilonova.scheduler.service import Owner, Placed

DEADLINE_S = 900.0
SECRETS = ("files", "admin_password")
"""Params that nobody keeps longer than the boot."""
HOSTS_TRIED = 3
VOLUMES = "volumes_connected"
"""The output that has the attachment and the connection of each volume."""


class NoOther(Conflict):
    """{reason}; no other host was found: {details}"""

    code = "no-other-host"


async def place(work: Work) -> Outputs:
    """Claim another host of the same cell, when one wouldn't make the guest. Raises `NoOther`, with the reason of that one."""
    operation, placement = work.operation, work.parts.placement
    generation = await placement.consumer_generation(operation.server_id)
    server = await work.server()
    failed = [HostName(name) for name in operation.outputs[FAILED_ON]]
    cell_id = (await work.parts.hosts.get(failed[0])).cell_id
    request, hosts = await work.parts.snapshots.take(server)
    request = msgspec.structs.replace(request, cell=cell_id, ignored=frozenset(failed))
    owner = Owner(consumer=server.id, generation=generation, project_id=server.project_id, user_id=server.user_id)
    answer = await work.parts.scheduler.place(request, hosts, owner)
    match answer:
        case Placed():
            return {"host": answer.host.name, "zone": answer.host.zone, **portions.told(answer.portion)}
        case NoValidHost():
            why = operation.error or "the host would not make the guest"
            told = f"{why}; no other host was found: {answer.details}"
            raise NoOther(reason=why, details=answer.message, for_operators=told)
        case _:
            raise TooEarly(0.0, "another worker has just changed what the server holds")


async def unplace(work: Work) -> None:
    """Give the claim back."""
    await work.release_claim()


def begun_anew(operation: Operation) -> bool:
    """Whether a host has failed it."""
    return FAILED_ON in operation.outputs


async def networking(work: Work) -> Outputs:
    """Give the server its ports on the chosen host. A worker that was taken over meanwhile takes its own back."""
    server = await work.server()
    host, zone = str(PLAN.step("spawn").host(work.operation)), server.availability_zone or ""
    networks, attempt = work.parts.networks, work.operation.epoch
    try:
        attached = await ports.ports_attach(
            networks, server, host, zone, work.operation.params["security_group_ids"], attempt=attempt
        )
    finally:
        await work.settle(partial(_settled, work, server, attempt))
    return {
        "nics": msgspec.to_builtins([one.nic for one in attached]),
        "guest_nics": msgspec.to_builtins([one.guest for one in attached]),
    }


async def _is_too_late(work: Work) -> bool:
    """Whether the operation was taken over."""
    try:
        await work.check_lease()
    except TakenOver:
        return True
    return False


async def _settled(work: Work, server: Server, attempt: int) -> bool:
    """Whether this worker need not care: it has the operation still, or has deleted the ports that it made too late."""
    try:
        if await _is_too_late(work):
            await ports.ports_drop(work.parts.networks, server, attempt)
    except Unavailable:
        return False
    return True


async def give_back(work: Work) -> None:
    """Give the ports back, then what the global level has claimed in placement."""
    await ports.ports_release(work.parts.networks, await work.server())
    await work.release_claim()


async def volumes(work: Work) -> Outputs:
    """Reserve the volumes and connect them to the host."""
    host = PLAN.step("spawn").host(work.operation)
    assert host is not None, "a boot in a cell has its host"
    found = {}
    for volume_id in work.operation.params["volumes"]:
        attachment_id = await attaching.reserve(work, volume_id)
        connection = await attaching.connect(work, attachment_id, host)
        found[volume_id] = {"attachment_id": attachment_id, "connection": connection}
    return {VOLUMES: found}


async def give_volumes_back(work: Work) -> None:
    """End all attachments, unless a guest may use them."""
    if not work.operation.outputs.get(UNSURE):
        await attaching.release(work)


async def volumes_used(work: Work) -> Outputs:
    """Say that they are in use."""
    for found in work.operation.outputs[VOLUMES].values():
        await work.parts.volumes.attachment_complete(found["attachment_id"])
    return {}


def spawn(work: HostWork) -> HostAction:
    """Make the guest and run it."""
    return Spawn(spec=work.spec())


def destroy(_: HostWork) -> HostAction:
    """End what was made of it."""
    return Destroy()


def shown(server: Server, operation: Operation, now: float) -> Server:
    """Its cards as soon as they are known; of a boot that failed nothing is left, and a guest that shows up is ordered away.

    Its volumes are shown all the same: those that go with it go when it is deleted.
    """
    if operation.state is OperationState.DONE:
        return msgspec.structs.replace(server, launched_at=now, progress=100)
    outputs = operation.outputs
    if operation.state is OperationState.FAILED:
        server = msgspec.structs.replace(server, host=None, portion=None, nics=(), guest_nics=())
        return server if outputs.get(UNSURE) else attaching.unattached(server)
    for volume in server.volumes:
        found = outputs.get(VOLUMES, {}).get(volume.guest.volume_id)
        if found is not None:
            server = attaching.with_volume(server, attaching.connected(volume, found))
    if "host" in outputs:
        server = msgspec.structs.replace(
            portions.carried(server, outputs), host=HostName(outputs["host"]), availability_zone=outputs["zone"]
        )
    if "nics" not in outputs:
        return msgspec.structs.replace(server, nics=(), guest_nics=()) if begun_anew(operation) else server
    return msgspec.structs.replace(
        server,
        nics=msgspec.convert(outputs["nics"], tuple[Nic, ...]),
        guest_nics=msgspec.convert(outputs["guest_nics"], tuple[GuestNic, ...]),
    )


PLAN: Plan[Work] = Plan(
    kind="boot",
    deadline_s=DEADLINE_S,
    secrets=SECRETS,
    hosts_tried=HOSTS_TRIED,
    steps=(
        Step(name="place", ensure=place, undo=unplace, when=begun_anew),
        Step(name="networking", ensure=networking, undo=give_back),
        Step(name="volumes", ensure=volumes, undo=give_volumes_back, when=attaching.has_volumes),
        Step(
            name="spawn",
            on_host=spawn,
            undo_on_host=destroy,
            undo_tombstone=True,
            timeout_s=600.0,
            retries=1,
            elsewhere=True,
        ),
        Step(name="volumes_used", ensure=volumes_used, when=attaching.has_volumes, retries=10),
    ),
)

ACTION = Action(
    kind="boot",
    name="create",
    starts_in=frozenset({VmState.BUILDING}),
    walk={
        **during(TaskState.SCHEDULING, "schedule", "handover", "place"),
        **during(TaskState.NETWORKING, "networking"),
        **during(TaskState.BLOCK_DEVICE_MAPPING, "volumes"),
        **during(TaskState.SPAWNING, "spawn", "volumes_used"),
    },
    ends_in=VmState.ACTIVE,
    fails_in=VmState.ERROR,
    strays=True,
    effect=shown,
)
