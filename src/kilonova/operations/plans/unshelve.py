"""Unshelve: a shelved server runs again: where it is or, when it was offloaded, on a new host from the image of its disk."""

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.kernel.ids import HostName
from kilonova.objects.host_action import Destroy, HostAction, Spawn, Start
from kilonova.objects.operation import Operation
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations import made_images, moving, moving_volumes, placing, portions
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work

DEADLINE_S = 2 * 3600.0
HOSTS_TRIED = 3


def spawn(work: HostWork) -> HostAction:
    """Make the guest from the image and run it."""
    assert work.server.shelved is not None, "only shelved servers are unshelved"
    return Spawn(spec=work.spec(msgspec.structs.replace(work.server, image=work.server.shelved.image)))


def destroy(_: HostWork) -> HostAction:
    """End what was made of it."""
    return Destroy()


def start(_: HostWork) -> HostAction:
    """Run the guest, which is where it was."""
    return Start()


async def ports(work: Work) -> Outputs:
    """Bind the ports to the new host."""
    await moving.rebind(work, HostName(work.operation.outputs["dest"]), work.operation.outputs["zone"])
    return {}


async def ports_back(work: Work) -> None:
    """Bind them to no host again."""
    await moving.rebind(work, moving.NOWHERE, (await work.server()).availability_zone or "")


async def forget_image(work: Work) -> Outputs:
    """Delete the image: the guest has all of it again. One that its owner protects stays."""
    server = await work.server()
    if server.shelved is not None:
        await made_images.delete_whole(work, server.shelved.image.id)
    return {}


def offloaded(operation: Operation) -> bool:
    """Whether it needs a new host."""
    return bool(operation.params["vm_state"] == VmState.SHELVED_OFFLOADED)


def in_place(operation: Operation) -> bool:
    """Whether its guest is on its host still."""
    return not offloaded(operation)


def shown(server: Server, operation: Operation, now: float) -> Server:
    """On its host as soon as its guest is; ACTIVE also when what is left over could not be deleted in all the time there was."""
    if operation.step not in {moving_volumes.LEAVE.name, "image"}:
        return server
    params = operation.params
    if offloaded(operation):
        pinned = params.get("to_zone") or (None if params.get("unpin") else server.pinned_availability_zone)
        server = msgspec.structs.replace(
            portions.carried(moving_volumes.carried(server, operation.outputs), operation.outputs),
            host=HostName(operation.outputs["dest"]),
            availability_zone=operation.outputs["zone"],
            pinned_availability_zone=pinned,
        )
    if operation.state.live:
        return server
    return msgspec.structs.replace(server, vm_state=VmState.ACTIVE, shelved=None, launched_at=now)


PLAN: Plan[Work] = Plan(
    kind="unshelve",
    deadline_s=DEADLINE_S,
    hosts_tried=HOSTS_TRIED,
    steps=(
        Step(name="place", ensure=placing.place, undo=placing.give_back, when=offloaded),
        Step(name="ports", ensure=ports, undo=ports_back, when=offloaded),
        moving_volumes.CONNECT,
        Step(
            name="spawn",
            at="dest",
            on_host=spawn,
            undo_on_host=destroy,
            undo_tombstone=True,
            timeout_s=1800.0,
            retries=1,
            elsewhere=True,
            pivot=True,
        ),
        moving_volumes.LEAVE,
        Step(name="start", on_host=start, when=in_place, timeout_s=120.0, retries=2),
        Step(name="image", ensure=forget_image, retries=1_000_000),
    ),
)

ACTION = Action(
    kind="unshelve",
    name="unshelve",
    starts_in=frozenset({VmState.SHELVED, VmState.SHELVED_OFFLOADED}),
    needs_host=False,
    walk={
        **during(TaskState.UNSHELVING, "place", "ports", "volumes", "start"),
        **during(TaskState.SPAWNING, "spawn", "volumes_left", "image"),
    },
    ends_in=VmState.ACTIVE,
    effect=shown,
)
