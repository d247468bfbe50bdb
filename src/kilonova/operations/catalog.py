"""The catalog: every kind of operation on a server in a cell, its plan and its action."""

from collections.abc import Mapping
from types import MappingProxyType

from kilonova.engine.plan import Plan
from kilonova.operations.plans import boot, delete, reboot, start, stop
from kilonova.operations.states import Action
from kilonova.operations.work import Work

_ALL: tuple[tuple[Plan[Work], Action], ...] = (
    (boot.PLAN, boot.ACTION),
    (delete.PLAN, delete.ACTION),
    (stop.PLAN, stop.ACTION),
    (start.PLAN, start.ACTION),
    (reboot.SOFT, reboot.SOFT_ACTION),
    (reboot.HARD, reboot.HARD_ACTION),
)

CELL_PLANS: Mapping[str, Plan[Work]] = MappingProxyType({plan.kind: plan for plan, _ in _ALL})
ACTIONS: Mapping[str, Action] = MappingProxyType({action.kind: action for _, action in _ALL})
