"""Reset state: an administrator says what a server's state is to be. What the operation that it ends has left is cleared away.

The server stays on the host where it is shown: what a move had begun elsewhere is taken back, or settled, there.
"""

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.engine.runner import TooEarly
from kilonova.objects.host_action import Destroy, HostAction
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Fault, Server, VmState
from kilonova.operations import attaching, cards, made_images, moving
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import ANY, ANY_KIND, Action, during
from kilonova.operations.work import Work

IN_ERROR = "An administrator has set the state to error."
FOREVER = 1_000_000
"""Attempts: there is no way back."""


async def fence(work: Work) -> Outputs:
    """Wait until the last worker of the operation that was ended must have stopped."""
    left_s = work.operation.params["fence_until"] - await work.database.read(lambda tx: tx.now)
    if left_s > 0:
        raise TooEarly(left_s, "a worker of the interrupted operation may still be at work")
    return {}


def destroy(_: HostWork) -> HostAction:
    """End what is left of it on another host; disks that both hosts see are the server's."""
    return Destroy(keep_disks=True)


async def claims(work: Work) -> Outputs:
    """Let the server hold what it has where it is, and no move anything; its ports are bound there, or nowhere."""
    server = await work.server()
    for consumer in work.operation.params["consumers"]:
        if server.host is None:
            await work.release_claim(consumer)
        elif consumer != server.id:
            await moving.hold(work, server.host, server, consumer)
    await moving.rebind(work, server.host or moving.NOWHERE, server.availability_zone or "")
    return {}


async def volumes(work: Work) -> Outputs:
    """Keep one attachment of each volume, and show those that are there."""
    return await attaching.settle(work)


async def images(work: Work) -> Outputs:
    """Delete the image that the interrupted operation was making, and what a server was shelved as that needs it no longer."""
    await made_images.delete_half_made(work)
    return await made_images.forget_shelved(work) if _spares_image(work.operation) else {}


def was_interrupted(operation: Operation) -> bool:
    """Whether another operation was ended by this one."""
    return bool(operation.params["fence_until"] > 0)


def has_image(operation: Operation) -> bool:
    """Whether there is one to delete."""
    return made_images.left_half_made(operation) or _spares_image(operation)


def _spares_image(operation: Operation) -> bool:
    return made_images.was_shelved(operation) and not operation.params["lives_in_image"]


def reset(server: Server, operation: Operation, now: float) -> Server:
    """The state that was asked for, at once; the cards and volumes that are there, once what was left is cleared away."""
    server = cards.as_found(cards.with_plugged(server, operation), operation)
    if operation.state is OperationState.QUEUED:
        return _in_state(server, operation, now)
    if operation.state is not OperationState.DONE:
        return server
    server = _in_state(attaching.as_found(server, operation.outputs), operation, now)
    shelved = None if _spares_image(operation) else server.shelved
    return msgspec.structs.replace(server, move=None, soft_deleted_at=None, shelved=shelved)


def _in_state(server: Server, operation: Operation, now: float) -> Server:
    state = VmState(operation.params["state"])
    fault = Fault(code=500, message=IN_ERROR, details=IN_ERROR, created_at=now) if state is VmState.ERROR else None
    return msgspec.structs.replace(server, vm_state=state, fault=fault)


PLAN: Plan[Work] = Plan(
    kind="reset_state",
    deadline_s=24 * 3600.0,
    steps=(
        Step(name="fence", ensure=fence, when=was_interrupted, retries=FOREVER),
        Step(name="destroy_other", at="other", on_host=destroy, timeout_s=120.0, retries=FOREVER, tombstone=True),
        Step(name="ports", ensure=cards.settle, retries=FOREVER),
        Step(name="claims", ensure=claims, retries=FOREVER),
        Step(name="volumes", ensure=volumes, when=attaching.has_volumes, retries=FOREVER),
        Step(name="images", ensure=images, when=has_image, retries=FOREVER),
    ),
)

ACTION = Action(
    kind="reset_state",
    name="resetState",
    starts_in=ANY,
    interrupts=frozenset({ANY_KIND}),
    spares=frozenset({"delete"}),
    needs_host=False,
    walk=during(None, "fence", "destroy_other", "ports", "claims", "volumes", "images"),
    may_end_in=frozenset({VmState.ACTIVE, VmState.ERROR}),
    effect=reset,
    resizes=True,
)
