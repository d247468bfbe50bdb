"""Offload: a shelved server leaves its host. What it held there is free before the server says that it is offloaded."""

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.objects.guest import PowerState
from kilonova.objects.host_action import Destroy, HostAction
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations import moving, moving_volumes
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work

DEADLINE_S = 24 * 3600.0
FOREVER = 1_000_000
"""Attempts: there is no way back once the guest is gone."""


def destroy(_: HostWork) -> HostAction:
    """End the guest with its disk: the image has all of it."""
    return Destroy()


async def ports(work: Work) -> Outputs:
    """Bind the ports to no host; they stay the server's."""
    await moving.rebind(work, moving.NOWHERE, (await work.server()).availability_zone or "")
    return {}


async def release(work: Work) -> Outputs:
    """Give back what the server holds in placement."""
    await work.release_claim()
    return {}


def nowhere(server: Server, operation: Operation) -> Server:
    """The server without its host."""
    held = moving_volumes.carried(server, operation.outputs)
    return msgspec.structs.replace(held, host=None, portion=None, ssh_port=None, power_state=PowerState.NOSTATE)


def shown(server: Server, operation: Operation, now: float) -> Server:
    """It is on no host when all of it is gone from there."""
    return nowhere(server, operation) if operation.state is OperationState.DONE else server


DESTROY: Step[Work] = Step(
    name="destroy", on_host=destroy, timeout_s=120.0, retries=FOREVER, tombstone=True, pivot=True
)
PORTS: Step[Work] = Step(name="ports", ensure=ports, retries=FOREVER)
RELEASE: Step[Work] = Step(name="release", ensure=release, retries=FOREVER)

LEFT: tuple[Step[Work], ...] = (DESTROY, PORTS, moving_volumes.HOLD, moving_volumes.HELD, RELEASE)
"""How a server leaves its host; its volumes stay reserved for it."""


def ends_guest(operation: Operation) -> bool:
    """Whether `operation` is an offload, or a shelving that goes on with one, and has come to its guest's end."""
    return operation.kind in {"shelve", "offload"} and operation.step in {step.name for step in LEFT}


PLAN: Plan[Work] = Plan(kind="offload", deadline_s=DEADLINE_S, steps=LEFT)

ACTION = Action(
    kind="offload",
    name="shelveOffload",
    starts_in=frozenset({VmState.SHELVED}),
    walk=during(TaskState.SHELVING_OFFLOADING, *(step.name for step in LEFT)),
    ends_in=VmState.SHELVED_OFFLOADED,
    effect=shown,
)
