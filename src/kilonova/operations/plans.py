"""Every plan by its kind: those of a cell, and those of the API database, where a server is that is nowhere yet."""

from collections.abc import Mapping
from types import MappingProxyType

from kilonova.engine.plan import Plan
from kilonova.operations import boot, cancel, delete, reboot, schedule, start, stop
from kilonova.operations.work import Work

CELL_PLANS: Mapping[str, Plan[Work]] = MappingProxyType(
    {plan.kind: plan for plan in (boot.PLAN, delete.PLAN, stop.PLAN, start.PLAN, reboot.SOFT, reboot.HARD)}
)

GLOBAL_PLANS: Mapping[str, Plan[Work]] = MappingProxyType({plan.kind: plan for plan in (schedule.PLAN, cancel.PLAN)})
