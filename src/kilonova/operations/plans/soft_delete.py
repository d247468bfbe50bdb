"""Soft delete: the guest is stopped and kept for a while, in which its owner may restore it; then it is reclaimed.

A host that is lost delays nothing: a guest that runs when it is back is stopped then, because its server is to be off.
"""

import msgspec

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import HostAction, Stop
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.plans.stop import GRACE_S
from kilonova.operations.states import ANY, IN_PLACE, Action, during
from kilonova.operations.work import Work


def power_off(_: HostWork) -> HostAction:
    """Shut it down."""
    return Stop(grace_s=GRACE_S)


def noted(server: Server, operation: Operation, now: float) -> Server:
    """Since when it has been soft-deleted."""
    if operation.state is not OperationState.DONE:
        return server
    return msgspec.structs.replace(server, soft_deleted_at=now)


PLAN: Plan[Work] = Plan(
    kind="soft_delete",
    deadline_s=300.0,
    steps=(Step(name="power_off", on_host=power_off, timeout_s=GRACE_S + 60.0, retries=2, goes_on=True),),
)

ACTION = Action(
    kind="soft_delete",
    name="delete",
    starts_in=ANY - {VmState.SOFT_DELETED, VmState.RESIZED, VmState.BUILDING},
    interrupts=IN_PLACE - {"soft_delete", "restore"},
    walk=during(TaskState.SOFT_DELETING, "power_off"),
    ends_in=VmState.SOFT_DELETED,
    effect=noted,
)
