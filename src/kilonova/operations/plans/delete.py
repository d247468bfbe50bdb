"""Delete: wins over whatever is being done, and ends although a host is dead: the host owes the guest's end then."""

import logging

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.engine.runner import TooEarly
from kilonova.kernel.errors import Conflict
from kilonova.network.ports import ports_release
from kilonova.objects.guest import PowerState
from kilonova.objects.host_action import Destroy, HostAction
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations import attaching, made_images
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import ANY, ANY_KIND, Action, during
from kilonova.operations.work import Work

log = logging.getLogger(__name__)

DEADLINE_S = 24 * 3600.0
FOREVER = 1_000_000
"""Attempts: there is no way back, so each step is tried until the deadline."""


async def ports(work: Work) -> Outputs:
    """Delete the server's own ports and unbind the others."""
    await ports_release(work.parts.networks, await work.server())
    return {}


async def allocation(work: Work) -> Outputs:
    """Give back all that it holds, and make sure that no claim of an earlier worker can come after."""
    for consumer in work.operation.params["consumers"]:
        await work.release_claim(consumer)
    return {}


async def images(work: Work) -> Outputs:
    """Delete the image that the interrupted operation was making, and the one that the server was shelved as."""
    await made_images.delete_half_made(work)
    return await made_images.forget_shelved(work)


async def volumes(work: Work) -> Outputs:
    """End all attachments that the server has, and delete the volumes that go with it. One that must stay stays."""
    await attaching.release(work)
    for volume_id in work.operation.params["volumes_to_delete"]:
        await work.check_lease()
        try:
            await work.parts.volumes.volume_delete(volume_id)
        except Conflict as error:
            log.warning("%s", error.message)
    return {}


def has_images(operation: Operation) -> bool:
    """Whether there is an image that goes with the server."""
    return made_images.left_half_made(operation) or made_images.was_shelved(operation)


async def sweep(work: Work) -> Outputs:
    """When the delete interrupted another operation, look again once that one's last worker must have stopped."""
    fence_until = work.operation.params["fence_until"]
    left_s = fence_until - await work.database.read(lambda tx: tx.now)
    if left_s > 0:
        raise TooEarly(left_s, "a worker of the interrupted operation may still be at work")
    if fence_until > 0:
        await ports(work)
        await allocation(work)
        if attaching.has_volumes(work.operation):
            await volumes(work)
    return {}


def destroy(_: HostWork) -> HostAction:
    """End the guest with all that belongs to it."""
    return Destroy()


def gone(server: Server, operation: Operation, now: float) -> Server:
    """What is left of a deleted server."""
    if operation.state is not OperationState.DONE:
        return server
    return msgspec.structs.replace(
        server, deleted_at=now, power_state=PowerState.NOSTATE, nics=(), guest_nics=(), volumes=(), move=None
    )


def _destroy(name: str, at: str) -> Step[Work]:
    return Step(name=name, at=at, on_host=destroy, timeout_s=120.0, retries=FOREVER, tombstone=True)


PLAN: Plan[Work] = Plan(
    kind="delete",
    deadline_s=DEADLINE_S,
    steps=(
        _destroy("destroy", at="host"),
        _destroy("destroy_other", at="other"),
        Step(name="ports", ensure=ports, retries=FOREVER),
        Step(name="volumes", ensure=volumes, when=attaching.has_volumes, retries=FOREVER),
        Step(name="allocation", ensure=allocation, retries=FOREVER),
        Step(name="images", ensure=images, when=has_images, retries=FOREVER),
        Step(name="sweep", ensure=sweep, retries=FOREVER),
    ),
)

ACTION = Action(
    kind="delete",
    name="delete",
    starts_in=ANY,
    interrupts=frozenset({ANY_KIND}),
    needs_host=False,
    walk=during(TaskState.DELETING, "destroy", "destroy_other", "ports", "volumes", "allocation", "images", "sweep"),
    ends_in=VmState.DELETED,
    fails_in=VmState.ERROR,
    effect=gone,
)
