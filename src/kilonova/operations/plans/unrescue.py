"""Unrescue: run a rescued guest from its own disk again."""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import HostAction, Unrescue
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def unrescue(_: HostWork) -> HostAction:
    """Run it from its own disk."""
    return Unrescue()


PLAN: Plan[Work] = Plan(
    kind="unrescue",
    deadline_s=300.0,
    steps=(Step(name="unrescue", on_host=unrescue, timeout_s=120.0, retries=2),),
)

ACTION = Action(
    kind="unrescue",
    name="unrescue",
    starts_in=frozenset({VmState.RESCUED}),
    walk=during(TaskState.UNRESCUING, "unrescue"),
    ends_in=VmState.ACTIVE,
)
