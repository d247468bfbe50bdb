"""Start: run a guest that was stopped."""

from kilonova.engine.plan import Plan, Step, Where
from kilonova.operations.work import Work

PLAN: Plan[Work] = Plan(
    kind="start",
    deadline_s=300.0,
    steps=(Step(name="power_on", where=Where.HOST, timeout_s=120.0, retries=2),),
)
