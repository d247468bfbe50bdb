"""Suspend: write the guest's memory to its host's disk and end it."""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import HostAction, Suspend
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def suspend(_: HostWork) -> HostAction:
    """Write its memory away."""
    return Suspend()


PLAN: Plan[Work] = Plan(
    kind="suspend",
    deadline_s=900.0,
    steps=(Step(name="suspend", on_host=suspend, timeout_s=300.0, retries=2),),
)

ACTION = Action(
    kind="suspend",
    name="suspend",
    starts_in=frozenset({VmState.ACTIVE}),
    walk=during(TaskState.SUSPENDING, "suspend"),
    ends_in=VmState.SUSPENDED,
)
