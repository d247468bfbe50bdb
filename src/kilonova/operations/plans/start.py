"""Start: run a guest that was stopped."""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import HostAction, Start
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def power_on(_: HostWork) -> HostAction:
    """Run it."""
    return Start()


PLAN: Plan[Work] = Plan(
    kind="start",
    deadline_s=300.0,
    steps=(Step(name="power_on", on_host=power_on, timeout_s=120.0, retries=2),),
)

ACTION = Action(
    kind="start",
    name="start",
    starts_in=frozenset({VmState.STOPPED}),
    walk=during(TaskState.POWERING_ON, "power_on"),
    ends_in=VmState.ACTIVE,
)
