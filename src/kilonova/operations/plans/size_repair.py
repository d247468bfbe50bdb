"""Size repair: a guest that still has the size of a resize which came to nothing is made what it was.

A resize where the guest is can lose its host before it has been undone there. Begun in the service's own name.
"""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import HostAction, ResizeRevert
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def revert(work: HostWork) -> HostAction:
    """Make it what it was; it runs if it ran when that was seen (the param `run`)."""
    return ResizeRevert(run=bool(work.params["run"]))


PLAN: Plan[Work] = Plan(
    kind="size_repair",
    deadline_s=900.0,
    steps=(Step(name="revert", on_host=revert, timeout_s=300.0, retries=2),),
)

ACTION = Action(
    kind="size_repair",
    name="revertResize",
    starts_in=frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.SHELVED, VmState.SOFT_DELETED, VmState.ERROR}),
    walk=during(TaskState.RESIZE_REVERTING, "revert"),
)
