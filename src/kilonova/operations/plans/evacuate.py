"""Evacuate: a server whose host is down is made anew on another one, from its image or on the disks that both hosts see.

Whoever asks for it says that the host is down: no control plane can stop a host that it can't reach. What is left there is
destroyed when the host returns, before it gets new work.
"""

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.kernel.ids import HostName
from kilonova.objects.host_action import Destroy, HostAction, Spawn
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations import cards, made_images, moving, moving_volumes
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import ANY_KIND, Action, during
from kilonova.operations.work import Work

KIND = "evacuate"
DEADLINE_S = 3600.0
FOREVER = 1_000_000
"""Attempts: the guest is there, so it is tried until the deadline."""


def spawn(work: HostWork) -> HostAction:
    """Make the guest, on its old disks where they are seen from here; it runs unless it was stopped (the param `run`)."""
    return Spawn(spec=work.spec(), run=_runs(work.operation))


def destroy(_: HostWork) -> HostAction:
    """End it; disks that other hosts see stay, for they are all that is left of the server."""
    return Destroy(keep_disks=True)


def _runs(operation: Operation) -> bool:
    return bool(operation.params.get("run", True)) and operation.params["vm_state"] != VmState.STOPPED


async def ports(work: Work) -> Outputs:
    """Bind the ports to the new host."""
    await moving.rebind(work, HostName(work.operation.outputs["dest"]), work.operation.outputs["zone"])
    return {}


async def ports_back(work: Work) -> None:
    """Bind them to the host where they were."""
    source = HostName(work.operation.params["host"])
    await moving.rebind(work, source, await moving.zone_of(work, source))


async def release(work: Work) -> Outputs:
    """Give back what it had on the host that is down."""
    server = await work.server()
    there = moving.arrived(server, work.operation)
    await moving.hold(work, HostName(work.operation.outputs["dest"]), there, work.operation.id)
    return {}


def shown(server: Server, operation: Operation, now: float) -> Server:
    """Where it goes, from the claim on, with the cards that are its own; at the end it is there, running or stopped."""
    server = cards.as_found(server, operation)
    if operation.state is OperationState.DONE:
        vm_state = VmState.ACTIVE if _runs(operation) else VmState.STOPPED
        there = moving.arrived(server, operation)
        return msgspec.structs.replace(there, move=None, vm_state=vm_state, launched_at=now)
    return moving.under_way(server, operation, KIND)


PLAN: Plan[Work] = Plan(
    kind=KIND,
    deadline_s=DEADLINE_S,
    secrets=("admin_password",),
    hosts_tried=3,
    steps=(
        Step(name="images", ensure=made_images.delete_half_made, when=made_images.left_half_made, retries=FOREVER),
        Step(name="cards", ensure=cards.settle, retries=FOREVER),
        Step(name="claim", ensure=moving.claim, undo=moving.give_back),
        Step(name="ports", ensure=ports, undo=ports_back),
        moving_volumes.CONNECT,
        Step(
            name="spawn",
            at="dest",
            on_host=spawn,
            undo_on_host=destroy,
            undo_tombstone=True,
            timeout_s=600.0,
            retries=1,
            elsewhere=True,
        ),
        Step(name="leave", on_host=destroy, tombstone=True, pivot=True, timeout_s=120.0, retries=5),
        moving_volumes.LEAVE,
        Step(name="release", ensure=release, retries=FOREVER),
    ),
)

ACTION = Action(
    kind=KIND,
    name="evacuate",
    starts_in=frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.ERROR}),
    interrupts=frozenset({ANY_KIND}),
    spares=frozenset(
        {
            KIND,
            "boot",
            "delete",
            "soft_delete",
            "resize",
            "migration",
            "confirm_resize",
            "revert_resize",
            "live_migration",
            "reset_state",
        }
    ),
    host_up=False,
    walk={
        **during(TaskState.REBUILDING, "images", "cards", "claim", "ports"),
        **during(TaskState.REBUILD_BLOCK_DEVICE_MAPPING, "volumes"),
        **during(TaskState.REBUILD_SPAWNING, "spawn", "leave", "volumes_left", "release"),
    },
    fails_in=VmState.ERROR,
    may_end_in=frozenset({VmState.ACTIVE, VmState.STOPPED}),
    strays=True,
    effect=shown,
)
