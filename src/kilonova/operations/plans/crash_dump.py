"""Crash dump: a non-maskable interrupt, upon which the guest's system writes down how it is."""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import CrashDump, HostAction
from kilonova.objects.server import VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def interrupt(_: HostWork) -> HostAction:
    """Interrupt it."""
    return CrashDump()


PLAN: Plan[Work] = Plan(
    kind="crash_dump",
    deadline_s=120.0,
    steps=(Step(name="interrupt", on_host=interrupt, timeout_s=60.0, retries=2),),
)

ACTION = Action(
    kind="crash_dump",
    name="trigger_crash_dump",
    starts_in=frozenset({VmState.ACTIVE, VmState.PAUSED, VmState.RESCUED, VmState.RESIZED, VmState.ERROR}),
    walk=during(None, "interrupt"),
)
