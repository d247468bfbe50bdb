"""The catalog: every kind of operation on a server in a cell, its plan and its action."""

from collections.abc import Mapping
from types import MappingProxyType

from kilonova.engine.plan import Plan
from kilonova.operations.plans import (
    attach_interface,
    attach_volume,
    backup,
    boot,
    confirm_resize,
    crash_dump,
    delete,
    detach_interface,
    detach_volume,
    evacuate,
    live_migration,
    offload,
    pause,
    power_repair,
    reboot,
    rebuild,
    rescue,
    reset_state,
    resize,
    restore,
    resume,
    revert_resize,
    set_password,
    shelve,
    snapshot,
    soft_delete,
    start,
    stop,
    suspend,
    swap_volume,
    unpause,
    unrescue,
    unshelve,
)
from kilonova.operations.states import Action
from kilonova.operations.work import Work

_ALL: tuple[tuple[Plan[Work], Action], ...] = (
    (boot.PLAN, boot.ACTION),
    (delete.PLAN, delete.ACTION),
    (stop.PLAN, stop.ACTION),
    (start.PLAN, start.ACTION),
    (reboot.SOFT, reboot.SOFT_ACTION),
    (reboot.HARD, reboot.HARD_ACTION),
    (pause.PLAN, pause.ACTION),
    (unpause.PLAN, unpause.ACTION),
    (suspend.PLAN, suspend.ACTION),
    (resume.PLAN, resume.ACTION),
    (rescue.PLAN, rescue.ACTION),
    (unrescue.PLAN, unrescue.ACTION),
    (set_password.PLAN, set_password.ACTION),
    (crash_dump.PLAN, crash_dump.ACTION),
    (soft_delete.PLAN, soft_delete.ACTION),
    (reset_state.PLAN, reset_state.ACTION),
    (power_repair.PLAN, power_repair.ACTION),
    (restore.PLAN, restore.ACTION),
    (resize.PLAN, resize.ACTION),
    (resize.MIGRATE, resize.MIGRATE_ACTION),
    (confirm_resize.PLAN, confirm_resize.ACTION),
    (revert_resize.PLAN, revert_resize.ACTION),
    (live_migration.PLAN, live_migration.ACTION),
    (evacuate.PLAN, evacuate.ACTION),
    (snapshot.PLAN, snapshot.ACTION),
    (backup.PLAN, backup.ACTION),
    (rebuild.PLAN, rebuild.ACTION),
    (shelve.PLAN, shelve.ACTION),
    (offload.PLAN, offload.ACTION),
    (unshelve.PLAN, unshelve.ACTION),
    (attach_interface.PLAN, attach_interface.ACTION),
    (detach_interface.PLAN, detach_interface.ACTION),
    (attach_volume.PLAN, attach_volume.ACTION),
    (detach_volume.PLAN, detach_volume.ACTION),
    (swap_volume.PLAN, swap_volume.ACTION),
)

CELL_PLANS: Mapping[str, Plan[Work]] = MappingProxyType({plan.kind: plan for plan, _ in _ALL})
ACTIONS: Mapping[str, Action] = MappingProxyType({action.kind: action for _, action in _ALL})
