"""Restore: take a soft delete back; the guest runs again if it ran before."""

import msgspec

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import HostAction, Start
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def power_on(_: HostWork) -> HostAction:
    """Run it."""
    return Start()


def restored(server: Server, operation: Operation, _now: float) -> Server:
    """It is not soft-deleted any more."""
    if operation.state is not OperationState.DONE:
        return server
    return msgspec.structs.replace(server, soft_deleted_at=None)


PLAN: Plan[Work] = Plan(
    kind="restore",
    deadline_s=300.0,
    steps=(Step(name="power_on", on_host=power_on, timeout_s=120.0, retries=2),),
)

ACTION = Action(
    kind="restore",
    name="restore",
    starts_in=frozenset({VmState.SOFT_DELETED}),
    walk=during(TaskState.RESTORING, "power_on"),
    ends_in=VmState.ACTIVE,
    effect=restored,
)
