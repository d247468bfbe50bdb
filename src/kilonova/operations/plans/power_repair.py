"""Power repair: stop a guest that runs although its server is to be off. Begun in the service's own name."""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.plans.stop import GRACE_S, power_off
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work

PLAN: Plan[Work] = Plan(
    kind="power_repair",
    deadline_s=300.0,
    steps=(Step(name="power_off", on_host=power_off, timeout_s=GRACE_S + 60.0, retries=2),),
)

ACTION = Action(
    kind="power_repair",
    name="stop",
    starts_in=frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.SOFT_DELETED}),
    walk=during(TaskState.POWERING_OFF, "power_off"),
)
