"""Restore: take a soft delete back; the guest runs, from its own disk also when it was rescued.

A server that was shelved runs as well: its guest has stayed on its host, and the image of it goes.
"""

import msgspec

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import HostAction, Unrescue
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations import made_images
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def power_on(_: HostWork) -> HostAction:
    """Run it."""
    return Unrescue()


def restored(server: Server, operation: Operation, _now: float) -> Server:
    """It is not soft-deleted any more, also when its image could not be deleted in all the time there was."""
    runs = operation.state is OperationState.FAILED and operation.step == "image"
    if operation.state is not OperationState.DONE and not runs:
        return server
    return msgspec.structs.replace(server, vm_state=VmState.ACTIVE, soft_deleted_at=None, shelved=None)


PLAN: Plan[Work] = Plan(
    kind="restore",
    deadline_s=300.0,
    steps=(
        Step(name="power_on", on_host=power_on, timeout_s=120.0, retries=2, pivot=True),
        Step(name="image", ensure=made_images.forget_shelved, when=made_images.was_shelved, retries=1_000_000),
    ),
)

ACTION = Action(
    kind="restore",
    name="restore",
    starts_in=frozenset({VmState.SOFT_DELETED}),
    walk=during(TaskState.RESTORING, "power_on", "image"),
    ends_in=VmState.ACTIVE,
    effect=restored,
)
