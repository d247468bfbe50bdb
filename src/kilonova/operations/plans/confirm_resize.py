"""Confirm: a resize or migration becomes final; what was kept of the old guest goes."""

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.objects.guest import PowerState
from kilonova.objects.host_action import Destroy, HostAction, ResizeConfirm
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations import attaching, moving
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work

DEADLINE_S = 24 * 3600.0
FOREVER = 1_000_000
"""Attempts: there is no way back, so it is tried until the deadline."""
_OFF = frozenset({PowerState.SHUTDOWN, PowerState.CRASHED})


def destroy(_: HostWork) -> HostAction:
    """End the old guest; disks that both hosts see are the new one's."""
    return Destroy(keep_disks=True)


def forget(_: HostWork) -> HostAction:
    """Forget what the guest was before."""
    return ResizeConfirm()


def stays(operation: Operation) -> bool:
    """Whether it has stayed on its host."""
    return operation.params["other"] is None


def leaves_volumes(operation: Operation) -> bool:
    """Whether volumes are attached for the old guest's host too."""
    return attaching.has_volumes(operation) and not stays(operation)


async def volumes(work: Work) -> Outputs:
    """End the attachments for the old guest's host."""
    server = await work.server()
    await attaching.keep_only(work, frozenset(volume.guest.attachment_id for volume in server.volumes))
    return {}


async def release(work: Work) -> Outputs:
    """Give back what the move held, or the difference between the sizes."""
    server = await work.server()
    assert server.move is not None, "what is confirmed is a move"
    await moving.hold(work, server.move.dest, server, server.move.operation_id)
    return {}


def confirmed(server: Server, operation: Operation, _now: float) -> Server:
    """The move is over. A guest that went down meanwhile leaves the server stopped."""
    if operation.state is not OperationState.DONE or server.move is None:
        return server
    vm_state = VmState.STOPPED if server.power_state in _OFF else server.move.old_vm_state
    return msgspec.structs.replace(server, vm_state=vm_state, move=None)


PLAN: Plan[Work] = Plan(
    kind="confirm_resize",
    deadline_s=DEADLINE_S,
    steps=(
        Step(name="destroy", at="other", on_host=destroy, tombstone=True, timeout_s=120.0, retries=5),
        Step(name="forget", on_host=forget, when=stays, timeout_s=120.0, retries=5),
        Step(name="volumes", ensure=volumes, when=leaves_volumes, retries=FOREVER),
        Step(name="release", ensure=release, retries=FOREVER),
    ),
)

ACTION = Action(
    kind="confirm_resize",
    name="confirmResize",
    starts_in=frozenset({VmState.RESIZED}),
    walk=during(TaskState.RESIZE_CONFIRMING, "destroy", "forget", "volumes", "release"),
    may_end_in=frozenset({VmState.ACTIVE, VmState.STOPPED}),
    effect=confirmed,
    resizes=True,
)
