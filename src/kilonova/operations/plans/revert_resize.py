"""Revert: a resize or migration that waits to be confirmed is taken back; the old guest runs again.

The new guest is stopped before the old one starts, and destroyed after: until then there is a way back from the way back.
"""

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.engine.progress import UNSURE
from kilonova.kernel.ids import HostName
from kilonova.objects.host_action import Destroy, HostAction, ResizeRevert, Start, Stop
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations import attaching, moving, moving_volumes
from kilonova.operations.host_work import HostWork
from kilonova.operations.plans.confirm_resize import DEADLINE_S, FOREVER, leaves_volumes, stays
from kilonova.operations.plans.stop import GRACE_S
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def stop(_: HostWork) -> HostAction:
    """Shut the new guest down, or the old one again."""
    return Stop(grace_s=GRACE_S)


def start(_: HostWork) -> HostAction:
    """Run it again, or the old one."""
    return Start()


def destroy(_: HostWork) -> HostAction:
    """End the new guest; disks that both hosts see are the old one's."""
    return Destroy(keep_disks=True)


def restore(work: HostWork) -> HostAction:
    """Make the guest what it was, where it is."""
    return ResizeRevert(run=_runs_again(work.operation))


def goes_back(operation: Operation) -> bool:
    """Whether its old guest is on another host."""
    return not stays(operation)


def stops(operation: Operation) -> bool:
    """Whether the new guest has to be stopped. It is not started again while the old one may run."""
    return goes_back(operation) and not operation.outputs.get(UNSURE)


def _runs_again(operation: Operation) -> bool:
    return bool(operation.params["old_vm_state"] == VmState.ACTIVE)


def _starts(operation: Operation) -> bool:
    return goes_back(operation) and _runs_again(operation)


async def ports(work: Work) -> Outputs:
    """Bind the ports to the old host."""
    source = HostName(work.operation.params["other"])
    zone = await moving.zone_of(work, source)
    await moving.rebind(work, source, zone)
    return {"zone": zone}


async def ports_back(work: Work) -> None:
    """Bind them to the new one again."""
    host = HostName(work.operation.params["host"])
    await moving.rebind(work, host, await moving.zone_of(work, host))


async def claim(work: Work) -> Outputs:
    """Let the server hold what it had, and the move nothing."""
    server = await work.server()
    assert server.move is not None, "what is reverted is a move"
    await moving.hold(work, server.move.source, moving.before(server), server.move.operation_id)
    return {}


async def volumes(work: Work) -> Outputs:
    """End the attachments for the new guest's host."""
    server = moving_volumes.carried_back(await work.server())
    await attaching.keep_only(work, frozenset(volume.guest.attachment_id for volume in server.volumes))
    return {}


def reverted(server: Server, operation: Operation, now: float) -> Server:
    """Where it was, as it was."""
    move = server.move
    if operation.state is not OperationState.DONE or move is None:
        return server
    return msgspec.structs.replace(
        moving.before(moving_volumes.carried_back(server)),
        host=move.source,
        availability_zone=operation.outputs.get("zone", server.availability_zone),
        vm_state=move.old_vm_state,
        launched_at=now,
        move=None,
    )


PLAN: Plan[Work] = Plan(
    kind="revert_resize",
    deadline_s=DEADLINE_S,
    steps=(
        Step(
            name="stop",
            on_host=stop,
            undo_on_host=start,
            when=stops,
            timeout_s=GRACE_S + 60.0,
            retries=2,
        ),
        Step(name="ports", ensure=ports, undo=ports_back, when=goes_back),
        Step(
            name="start",
            at="other",
            on_host=start,
            undo_on_host=stop,
            when=_starts,
            timeout_s=120.0,
            retries=2,
        ),
        Step(name="destroy", on_host=destroy, when=goes_back, tombstone=True, timeout_s=120.0, retries=5),
        Step(name="restore", on_host=restore, when=stays, timeout_s=300.0, retries=5),
        Step(name="claim", ensure=claim, retries=FOREVER, pivot=True),
        Step(name="volumes", ensure=volumes, when=leaves_volumes, retries=FOREVER),
    ),
)

ACTION = Action(
    kind="revert_resize",
    name="revertResize",
    starts_in=frozenset({VmState.RESIZED}),
    host_up=True,
    walk=during(TaskState.RESIZE_REVERTING, "stop", "ports", "start", "destroy", "restore", "claim", "volumes"),
    may_end_in=frozenset({VmState.ACTIVE, VmState.STOPPED}),
    effect=reverted,
    resizes=True,
)
