"""Stop: ask the guest to shut down, and cut its power if it doesn't."""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import HostAction, Stop
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work

GRACE_S = 60.0
"""How long a guest may take to shut down by itself."""


def power_off(_: HostWork) -> HostAction:
    """Shut it down."""
    return Stop(grace_s=GRACE_S)


PLAN: Plan[Work] = Plan(
    kind="stop",
    deadline_s=300.0,
    steps=(Step(name="power_off", on_host=power_off, timeout_s=GRACE_S + 60.0, retries=2),),
)

ACTION = Action(
    kind="stop",
    name="stop",
    starts_in=frozenset({VmState.ACTIVE, VmState.ERROR}),
    walk=during(TaskState.POWERING_OFF, "power_off"),
    ends_in=VmState.STOPPED,
)
