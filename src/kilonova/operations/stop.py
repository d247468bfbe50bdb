"""Stop: ask the guest to shut down, and cut its power if it doesn't."""

from kilonova.engine.plan import Plan, Step, Where
from kilonova.operations.work import Work

GRACE_S = 60.0
"""How long a guest may take to shut down by itself."""

PLAN: Plan[Work] = Plan(
    kind="stop",
    deadline_s=300.0,
    steps=(Step(name="power_off", where=Where.HOST, timeout_s=GRACE_S + 60.0, retries=2),),
)
