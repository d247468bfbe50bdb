"""Detach volume: a server gives up a volume, the guest first and the volume service last.

A guest that keeps the volume is asked again; if it never lets go the operation fails, and the server shows the volume, which is
the truth. An attachment that is gone at the volume service already is fine.
"""

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.kernel.errors import Conflict
from kilonova.objects.host_action import HostAction, VolumeDetach
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, VmState
from kilonova.operations import attaching
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


class NoSuchDisk(Conflict):
    """Volume {volume_id} is not attached to instance {server_id} any more."""

    code = "no-such-disk"


class RootDisk(Conflict):
    """Instance {server_id} runs from volume {volume_id}: a root disk can't be detached."""

    code = "root-disk"


def unplug(work: HostWork) -> HostAction:
    """Take it out, and wait until the guest has let it go."""
    return VolumeDetach(volume_id=_volume_id(work.operation))


async def release(work: Work) -> Outputs:
    """End what attachments the server has of it."""
    await attaching.release(work, _volume_id(work.operation))
    return {}


def shown(server: Server, operation: Operation, _now: float) -> Server:
    """Without the volume, once others may have it. Raises `NoSuchDisk` and `RootDisk` at the acceptance."""
    volume_id = _volume_id(operation)
    if operation.state is OperationState.QUEUED:
        known = attaching.volume_find(server, volume_id)
        if known is None:
            raise NoSuchDisk(volume_id=volume_id, server_id=server.id)
        if known.guest.boot:
            raise RootDisk(volume_id=volume_id, server_id=server.id)
    if operation.state is not OperationState.DONE:
        return server
    return attaching.without_volume(server, volume_id)


def _volume_id(operation: Operation) -> str:
    volume_id: str = operation.params["volume_id"]
    return volume_id


PLAN: Plan[Work] = Plan(
    kind="detach_volume",
    deadline_s=900.0,
    steps=(
        Step(name="unplug", on_host=unplug, timeout_s=60.0, retries=7, pivot=True),
        Step(name="release", ensure=release, retries=attaching.FOREVER),
    ),
)

ACTION = Action(
    kind="detach_volume",
    name="detach_volume",
    starts_in=attaching.ON_HOST | {VmState.SHELVED_OFFLOADED},
    needs_host=False,
    host_up=True,
    walk=during(None, "unplug", "release"),
    effect=shown,
)
