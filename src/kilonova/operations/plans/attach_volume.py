"""Attach volume: reserved at the volume service, connected to the server's host, plugged in, then in use.

A server that was offloaded has no host: its volume stays reserved until it is unshelved.

The server shows the volume from the acceptance on, and no longer when nothing came of it.
"""

from typing import Any

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.engine.progress import UNSURE
from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import HostName
from kilonova.objects.host_action import HostAction, VolumeAttach, VolumeDetach
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, VmState, Volume
from kilonova.operations import attaching
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


class HasVolume(Conflict):
    """Volume {volume_id} is attached to instance {server_id} already."""

    code = "volume-attached-already"


def _volume_id(operation: Operation) -> str:
    volume_id: str = operation.params["volume_id"]
    return volume_id


async def reserve(work: Work) -> Outputs:
    """Have it reserved for the server."""
    return {"attachment_id": await attaching.reserve(work, _volume_id(work.operation))}


async def take_back(work: Work) -> None:
    """End the attachment, unless the guest may have the volume."""
    await attaching.take_back(work, _volume_id(work.operation))


async def connect(work: Work) -> Outputs:
    """Make it reachable from the server's host."""
    host = HostName(work.operation.params["host"])
    return {"connection": await attaching.connect(work, work.operation.outputs["attachment_id"], host)}


def plug(work: HostWork) -> HostAction:
    """Plug it in."""
    volume = attaching.volume_find(work.server, _volume_id(work.operation))
    assert volume is not None, "the server shows its volume from the acceptance on"
    return VolumeAttach(volume=volume.guest)


def unplug(work: HostWork) -> HostAction:
    """Take it out again."""
    return VolumeDetach(volume_id=_volume_id(work.operation))


async def complete(work: Work) -> Outputs:
    """Say that it is in use. Raises `NotFound` when the attachment is gone behind our back."""
    await work.parts.volumes.attachment_complete(work.operation.outputs["attachment_id"])
    return {}


def shown(server: Server, operation: Operation, _now: float) -> Server:
    """With the volume, until it turns out that it can't be had. Raises `HasVolume` at the acceptance."""
    volume_id, outputs = _volume_id(operation), operation.outputs
    known = attaching.volume_find(server, volume_id)
    if operation.state is OperationState.QUEUED and not outputs:
        if known is not None:
            raise HasVolume(volume_id=volume_id, server_id=server.id)
        return attaching.with_volume(server, _asked_for(server, operation.params))
    if operation.state is OperationState.FAILED and not outputs.get(UNSURE):
        return attaching.without_volume(server, volume_id)
    return server if known is None else attaching.with_volume(server, attaching.connected(known, outputs))


def _asked_for(server: Server, params: dict[str, Any]) -> Volume:
    return Volume(
        guest=attaching.new_volume(params["volume_id"], attaching.device_after(server)),
        tag=params.get("tag"),
        delete_on_termination=bool(params.get("delete_on_termination")),
    )


PLAN: Plan[Work] = Plan(
    kind="attach_volume",
    deadline_s=600.0,
    steps=(
        Step(name="reserve", ensure=reserve, undo=take_back),
        Step(name="connect", ensure=connect, when=attaching.on_host),
        Step(name="plug", on_host=plug, undo_on_host=unplug, timeout_s=120.0, retries=2),
        Step(name="complete", ensure=complete, when=attaching.on_host, retries=10),
    ),
)

ACTION = Action(
    kind="attach_volume",
    name="attach_volume",
    starts_in=attaching.ON_HOST | {VmState.SHELVED_OFFLOADED},
    needs_host=False,
    host_up=True,
    walk=during(None, "reserve", "connect", "plug", "complete"),
    effect=shown,
)
