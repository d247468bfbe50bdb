"""Pause: stop the guest's processors; its memory stays."""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import HostAction, Pause
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def pause(_: HostWork) -> HostAction:
    """Stop its processors."""
    return Pause()


PLAN: Plan[Work] = Plan(
    kind="pause",
    deadline_s=300.0,
    steps=(Step(name="pause", on_host=pause, timeout_s=60.0, retries=2),),
)

ACTION = Action(
    kind="pause",
    name="pause",
    starts_in=frozenset({VmState.ACTIVE}),
    walk=during(TaskState.PAUSING, "pause"),
    ends_in=VmState.PAUSED,
)
