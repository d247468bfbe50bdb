"""Resize and cold migration: a stopped guest moves to another host, or to another size where it is, and waits to be confirmed.

The old guest, its disks and what it held in placement stay until then, so that everything can be taken back.
"""

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.engine.progress import UNSURE
from kilonova.kernel.ids import HostName
from kilonova.objects.host_action import (
    Destroy,
    HostAction,
    Offer,
    OfferEnd,
    Receive,
    Resize,
    ResizeRevert,
    Start,
    Stop,
)
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations import moving, moving_volumes
from kilonova.operations.host_work import HostWork
from kilonova.operations.plans.stop import GRACE_S
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work

DEADLINE_S = 2 * 3600.0
COPY_S = 3600.0
"""How long copying the disks may take."""
HOSTS_TRIED = 3


def stop(_: HostWork) -> HostAction:
    """Shut the guest down; its disks must not change while they are copied."""
    return Stop(grace_s=GRACE_S)


def start(_: HostWork) -> HostAction:
    """Run it."""
    return Start()


def offer(_: HostWork) -> HostAction:
    """Let the other host read its disks."""
    return Offer()


def offer_end(_: HostWork) -> HostAction:
    """Let nobody read them any more."""
    return OfferEnd()


def receive(work: HostWork) -> HostAction:
    """Make the guest from them, in its new size; it runs only when its ports are there."""
    return Receive(spec=work.spec(_resized(work)), offer=work.outputs["offer"], run=False)


def destroy(_: HostWork) -> HostAction:
    """End what was received; disks that both hosts see are the old guest's."""
    return Destroy(keep_disks=True)


def resize(work: HostWork) -> HostAction:
    """Give it its new size where it is."""
    return Resize(spec=work.spec(_resized(work)), run=moving.was_active(work.operation))


def resize_revert(_: HostWork) -> HostAction:
    """Make it what it was."""
    return ResizeRevert(run=False)


def _resized(work: HostWork) -> Server:
    return msgspec.structs.replace(work.server, flavor=moving.flavor_wanted(work.server, work.operation))


async def ports(work: Work) -> Outputs:
    """Bind the ports to the other host."""
    await moving.rebind(work, HostName(work.operation.outputs["dest"]), work.operation.outputs["zone"])
    return {}


async def ports_back(work: Work) -> None:
    """Bind them to the host where they were."""
    source = HostName(work.operation.params["host"])
    await moving.rebind(work, source, await moving.zone_of(work, source))


def stops(operation: Operation) -> bool:
    """Whether the guest has to be stopped. It is not started again while the other host may run it."""
    return moving.was_active(operation) and not operation.outputs.get(UNSURE)


def elsewhere(operation: Operation) -> bool:
    """Whether it goes to another host."""
    return operation.outputs.get("dest") is not None


def shown(server: Server, operation: Operation, now: float) -> Server:
    """Where it goes, from the claim on; when it is there, its new host and size, and since when it waits."""
    if operation.state is OperationState.FAILED and elsewhere(operation) and operation.outputs.get(UNSURE):
        server = msgspec.structs.replace(server, vm_state=VmState.STOPPED)
    if operation.state is not OperationState.DONE:
        return moving.under_way(server, operation, operation.kind)
    move = moving.under_way(server, operation, operation.kind).move
    assert move is not None, "a move that is done has claimed a destination"
    old_volumes = tuple(volume.guest for volume in server.volumes) if elsewhere(operation) else ()
    there = moving.arrived(server, operation)
    settled = msgspec.structs.replace(move, finished_at=now, old_volumes=old_volumes)
    return msgspec.structs.replace(there, launched_at=now, move=settled)


_STEPS: tuple[Step[Work], ...] = (
    Step(name="claim", ensure=moving.claim, undo=moving.give_back),
    Step(name="stop", on_host=stop, undo_on_host=start, when=stops, timeout_s=GRACE_S + 60.0, retries=2),
    moving_volumes.CONNECT,
    Step(name="offer", on_host=offer, undo_on_host=offer_end, when=elsewhere, retries=2),
    Step(
        name="receive",
        at="dest",
        on_host=receive,
        undo_on_host=destroy,
        undo_tombstone=True,
        timeout_s=COPY_S,
        retries=1,
        elsewhere=True,
    ),
    Step(name="offer_end", on_host=offer_end, when=elsewhere, retries=5),
    Step(name="ports", ensure=ports, undo=ports_back, when=elsewhere),
    Step(name="start", at="dest", on_host=start, when=moving.was_active, timeout_s=120.0, retries=2, elsewhere=True),
    Step(
        name="resize", at="here", on_host=resize, undo_on_host=resize_revert, timeout_s=300.0, retries=1, elsewhere=True
    ),
)

_WALK = {
    **during(TaskState.RESIZE_PREP, "claim"),
    **during(TaskState.RESIZE_MIGRATING, "stop", "volumes", "offer", "receive", "offer_end"),
    **during(TaskState.RESIZE_MIGRATED, "ports"),
    **during(TaskState.RESIZE_FINISH, "start", "resize"),
}

PLAN: Plan[Work] = Plan(kind="resize", deadline_s=DEADLINE_S, hosts_tried=HOSTS_TRIED, steps=_STEPS)
MIGRATE: Plan[Work] = Plan(kind="migration", deadline_s=DEADLINE_S, hosts_tried=HOSTS_TRIED, steps=_STEPS)

ACTION = Action(
    kind="resize",
    name="resize",
    starts_in=frozenset({VmState.ACTIVE, VmState.STOPPED}),
    host_up=True,
    walk=_WALK,
    ends_in=VmState.RESIZED,
    may_end_in=frozenset({VmState.STOPPED}),
    strays=True,
    effect=shown,
    resizes=True,
)

MIGRATE_ACTION = Action(
    kind="migration",
    name="migrate",
    starts_in=ACTION.starts_in,
    host_up=True,
    walk=_WALK,
    ends_in=VmState.RESIZED,
    may_end_in=frozenset({VmState.STOPPED}),
    strays=True,
    effect=shown,
)
