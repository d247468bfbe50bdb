"""Shelve: the guest is stopped and becomes an image; with the param `offload` it leaves its host at once, else later.

A guest that was paused or suspended has lost its memory when it fails after the stop: it is stopped then.
"""

from dataclasses import replace
from functools import partial

import msgspec

from kilonova.engine.plan import Plan, Step
from kilonova.engine.progress import UNSURE
from kilonova.objects.guest import GuestImage
from kilonova.objects.host_action import HostAction, Start, Stop
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, Shelved, TaskState, VmState
from kilonova.operations import made_images
from kilonova.operations.host_work import HostWork
from kilonova.operations.plans import offload
from kilonova.operations.plans.snapshot import DECLARE, STARTS_IN, UPLOAD
from kilonova.operations.plans.stop import GRACE_S
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def stop(_: HostWork) -> HostAction:
    """Shut the guest down."""
    return Stop(grace_s=GRACE_S)


def back(work: HostWork) -> HostAction:
    """Run it again if it ran."""
    return Start() if work.params["vm_state"] == VmState.ACTIVE else Stop(grace_s=0.0)


def leaves(operation: Operation) -> bool:
    """Whether it leaves its host at once."""
    return bool(operation.params.get("offload"))


def _left_by(step: Step[Work], operation: Operation) -> bool:
    """Whether this step of an offload is done at once."""
    return leaves(operation) and step.when(operation)


def shown(server: Server, operation: Operation, now: float) -> Server:
    """SHELVED as soon as the image is whole: what comes then is its offload."""
    if made_images.STORED in operation.outputs:
        return _shelved(server, operation, now)
    if operation.state is OperationState.FAILED and _stays_stopped(operation):
        return msgspec.structs.replace(server, vm_state=VmState.STOPPED)
    return server


def _stays_stopped(operation: Operation) -> bool:
    """Whether a shelving that failed leaves the guest off: the stop began, and nothing made the guest run again."""
    ran = operation.params["vm_state"] == VmState.ACTIVE and not operation.outputs.get(UNSURE)
    return "declared" in operation.outputs and not ran


def _shelved(server: Server, operation: Operation, now: float) -> Server:
    image = msgspec.convert(operation.outputs[made_images.STORED], GuestImage)
    if server.shelved is None or server.shelved.image != image:
        server = msgspec.structs.replace(server, vm_state=VmState.SHELVED, shelved=Shelved(image=image, at=now))
    if operation.state is not OperationState.DONE or not leaves(operation):
        return server
    return msgspec.structs.replace(offload.nowhere(server, operation), vm_state=VmState.SHELVED_OFFLOADED)


PLAN: Plan[Work] = Plan(
    kind="shelve",
    deadline_s=offload.DEADLINE_S,
    steps=(
        DECLARE,
        Step(name="stop", on_host=stop, undo_on_host=back, timeout_s=GRACE_S + 60.0, retries=2),
        UPLOAD,
        Step(name="stored", ensure=made_images.stored, retries=10, pivot=True),
        Step(name="earlier", ensure=made_images.forget_shelved, when=made_images.was_shelved, retries=1_000_000),
        *(replace(step, when=partial(_left_by, step)) for step in offload.LEFT),
    ),
)

ACTION = Action(
    kind="shelve",
    name="shelve",
    starts_in=STARTS_IN,
    walk={
        **during(TaskState.SHELVING, made_images.FIRST, "stop"),
        **during(TaskState.SHELVING_IMAGE_UPLOADING, "upload", "stored", "earlier"),
        **during(TaskState.SHELVING_OFFLOADING, "destroy", "ports", "volumes", "volumes_left", "release"),
    },
    ends_in=VmState.SHELVED,
    may_end_in=frozenset({VmState.STOPPED, VmState.SHELVED_OFFLOADED}),
    effect=shown,
)
