"""Swap volume: a volume's content is copied to another while the guest uses it, and the guest goes on with the other."""

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.engine.progress import UNSURE
from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import HostName
from kilonova.objects.guest import GuestVolume
from kilonova.objects.host_action import HostAction, VolumeSwap
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, VmState, Volume
from kilonova.operations import attaching
from kilonova.operations.host_work import HostWork
from kilonova.operations.plans.attach_volume import HasVolume
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work

_SWAPPED = frozenset({"complete", "release"})
"""Steps at which the guest uses the new volume."""


class NothingToSwap(Conflict):
    """Volume {volume_id} is not attached to instance {server_id} any more."""

    code = "nothing-to-swap"


async def reserve(work: Work) -> Outputs:
    """Have the new volume reserved for the server."""
    return {"attachment_id": await attaching.reserve(work, _new(work.operation))}


async def take_back(work: Work) -> None:
    """End the new volume's attachment, unless the guest may use it."""
    await attaching.take_back(work, _new(work.operation))


async def connect(work: Work) -> Outputs:
    """Make the new volume reachable from the server's host."""
    host = HostName(work.operation.params["host"])
    return {"connection": await attaching.connect(work, work.operation.outputs["attachment_id"], host)}


def swap(work: HostWork) -> HostAction:
    """Copy, and go on with the copy."""
    return VolumeSwap(volume_id=_old(work.operation), new=_swapped(work.server, work.operation).guest)


def swap_back(work: HostWork) -> HostAction:
    """Go back to the old volume, if the guest got as far as the new one."""
    old = attaching.volume_find(work.server, _old(work.operation))
    assert old is not None, "the server shows the old volume until the swap is done"
    return VolumeSwap(volume_id=_new(work.operation), new=old.guest)


async def complete(work: Work) -> Outputs:
    """Say that the new volume is in use."""
    await work.parts.volumes.attachment_complete(work.operation.outputs["attachment_id"])
    return {}


async def release(work: Work) -> Outputs:
    """End the old volume's attachment."""
    await attaching.release(work, _old(work.operation))
    return {}


def shown(server: Server, operation: Operation, _now: float) -> Server:
    """With the new volume in the place of the old one, once the guest uses it; with both where nobody knows which it uses.

    Raises `NothingToSwap` and `HasVolume` at the acceptance.
    """
    old = attaching.volume_find(server, _old(operation))
    if operation.state is OperationState.QUEUED:
        if old is None:
            raise NothingToSwap(volume_id=_old(operation), server_id=server.id)
        if attaching.volume_find(server, _new(operation)) is not None:
            raise HasVolume(volume_id=_new(operation), server_id=server.id)
    if old is None:
        return server
    if operation.state is OperationState.FAILED and operation.outputs.get(UNSURE):
        both: GuestVolume = msgspec.structs.replace(
            _swapped(server, operation).guest, device=attaching.device_after(server), boot=False
        )
        return attaching.with_volume(server, Volume(guest=both))
    if operation.state is OperationState.DONE or operation.step in _SWAPPED:
        new = _swapped(server, operation)
        volumes = tuple(new if one is old else one for one in server.volumes)
        return msgspec.structs.replace(server, volumes=volumes)
    return server


def _swapped(server: Server, operation: Operation) -> Volume:
    """The server's volume as it is after the swap."""
    old, outputs = attaching.volume_find(server, _old(operation)), operation.outputs
    assert old is not None, "the server shows the old volume until the swap is done"
    guest = msgspec.structs.replace(
        old.guest,
        volume_id=_new(operation),
        attachment_id=outputs["attachment_id"],
        connection=outputs["connection"],
    )
    return msgspec.structs.replace(old, guest=guest)


def _old(operation: Operation) -> str:
    volume_id: str = operation.params["volume_id"]
    return volume_id


def _new(operation: Operation) -> str:
    volume_id: str = operation.params["new_volume_id"]
    return volume_id


PLAN: Plan[Work] = Plan(
    kind="swap_volume",
    deadline_s=2 * 3600.0,
    steps=(
        Step(name="reserve", ensure=reserve, undo=take_back),
        Step(name="connect", ensure=connect),
        Step(name="swap", on_host=swap, undo_on_host=swap_back, timeout_s=3600.0, retries=2, pivot=True),
        Step(name="complete", ensure=complete, retries=attaching.FOREVER),
        Step(name="release", ensure=release, retries=attaching.FOREVER),
    ),
)

ACTION = Action(
    kind="swap_volume",
    name="swap_volume",
    starts_in=frozenset({VmState.ACTIVE, VmState.PAUSED}),
    host_up=True,
    walk=during(None, "reserve", "connect", "swap", "complete", "release"),
    effect=shown,
)
