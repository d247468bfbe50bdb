"""Unpause: let a paused guest go on."""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import HostAction, Unpause
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def unpause(_: HostWork) -> HostAction:
    """Let it go on."""
    return Unpause()


PLAN: Plan[Work] = Plan(
    kind="unpause",
    deadline_s=300.0,
    steps=(Step(name="unpause", on_host=unpause, timeout_s=60.0, retries=2),),
)

ACTION = Action(
    kind="unpause",
    name="unpause",
    starts_in=frozenset({VmState.PAUSED}),
    walk=during(TaskState.UNPAUSING, "unpause"),
    ends_in=VmState.ACTIVE,
)
