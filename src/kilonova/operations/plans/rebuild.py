"""Rebuild: the guest's disk is made anew, from the same image or another, on the same host and with the same ports.

What the request changes of the server is shown from the acceptance on. An image that the host may not have is found out before
anything is done to the guest: the server keeps its own then. What it holds in placement stays as it is throughout.
"""

from typing import Any

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.kernel.errors import Conflict
from kilonova.objects.host_action import HostAction, Rebuild
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.moving import out_of_use
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work

CHANGES = "changes"
"""The param with the fields of the server that the request sets."""
BEFORE = "before"
"""The param with the image fields as they were; absent when the image stays the same."""
IMAGE_FIELDS = ("image_id", "image_properties", "image", "kernel", "ramdisk")
_SHAPES = {field.name: field.type for field in msgspec.structs.fields(Server)}


class HostLacks(Conflict):
    """No valid host was found. There are not enough hosts available. None is left after {constraint}."""

    code = "host-lacks-traits"


def image_of(server: Server) -> dict[str, Any]:
    """The image fields of a server, JSON-ready."""
    fields: dict[str, Any] = msgspec.to_builtins({name: getattr(server, name) for name in IMAGE_FIELDS})
    return fields


async def check(work: Work) -> Outputs:
    """See that the host may have the new image. Raises `HostLacks`, `BadExtraSpec`."""
    server = await work.server()
    assert server.host is not None, "only servers on a host are rebuilt"
    host = await work.parts.hosts.get(server.host)
    request, hosts = await work.parts.snapshots.take(server)
    here = [state for state in hosts if state.name == host.name]
    left_out = await work.parts.scheduler.refused_image(request, here or [out_of_use(host)])
    if left_out is not None:
        told = f"No valid host was found: {left_out} keeps image {server.image_id} from host {host.name}."
        raise HostLacks(constraint=left_out, for_operators=told)
    return {}


def rebuild(work: HostWork) -> HostAction:
    """Make the disk anew, and run the guest unless it was stopped."""
    return Rebuild(spec=work.spec(), run=not _was_stopped(work.operation))


def new_image(operation: Operation) -> bool:
    """Whether the image is another one."""
    return BEFORE in operation.params


def shown(server: Server, operation: Operation, now: float) -> Server:
    """What the request changes, from the acceptance on; the old image again when the new one was refused."""
    match operation.state:
        case OperationState.QUEUED:
            return _with(server, operation.params[CHANGES])
        case OperationState.DONE:
            vm_state = VmState.STOPPED if _was_stopped(operation) else server.vm_state
            return msgspec.structs.replace(server, vm_state=vm_state, launched_at=now)
        case OperationState.FAILED if operation.step == "check":
            as_it_was = msgspec.structs.replace(server, vm_state=VmState(operation.params["vm_state"]))
            return _with(as_it_was, operation.params[BEFORE])
        case _:
            return server


def _with(server: Server, fields: dict[str, Any]) -> Server:
    known = {name: msgspec.convert(value, _SHAPES[name]) for name, value in fields.items()}
    return msgspec.structs.replace(server, **known)


def _was_stopped(operation: Operation) -> bool:
    return bool(operation.params["vm_state"] == VmState.STOPPED)


PLAN: Plan[Work] = Plan(
    kind="rebuild",
    deadline_s=1800.0,
    secrets=("files", "admin_password"),
    steps=(
        Step(name="check", ensure=check, when=new_image),
        Step(name="rebuild", on_host=rebuild, timeout_s=600.0, retries=2),
    ),
)

ACTION = Action(
    kind="rebuild",
    name="rebuild",
    starts_in=frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.ERROR}),
    host_up=True,
    walk={**during(TaskState.REBUILDING, "check"), **during(TaskState.REBUILD_SPAWNING, "rebuild")},
    ends_in=VmState.ACTIVE,
    fails_in=VmState.ERROR,
    may_end_in=frozenset({VmState.STOPPED}),
    effect=shown,
)
