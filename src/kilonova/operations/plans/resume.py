"""Resume: let a suspended guest go on from its written memory."""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import HostAction, Resume
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def resume(_: HostWork) -> HostAction:
    """Let it go on."""
    return Resume()


PLAN: Plan[Work] = Plan(
    kind="resume",
    deadline_s=900.0,
    steps=(Step(name="resume", on_host=resume, timeout_s=300.0, retries=2),),
)

ACTION = Action(
    kind="resume",
    name="resume",
    starts_in=frozenset({VmState.SUSPENDED}),
    walk=during(TaskState.RESUMING, "resume"),
    ends_in=VmState.ACTIVE,
)
