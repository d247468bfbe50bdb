"""Reboot: soft asks the running system, hard cuts the power and starts anew."""

from kilonova.engine.plan import Plan, Step, Where
from kilonova.operations.work import Work

SOFT: Plan[Work] = Plan(
    kind="reboot",
    deadline_s=300.0,
    steps=(Step(name="reboot", where=Where.HOST, timeout_s=180.0, retries=2),),
)

HARD: Plan[Work] = Plan(
    kind="reboot_hard",
    deadline_s=300.0,
    steps=(Step(name="reboot", where=Where.HOST, timeout_s=120.0, retries=2),),
)
