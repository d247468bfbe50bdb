"""Which rare branches a run has reached, as far as its databases tell in the end."""

from kilonova.kernel.ids import CELL0
from kilonova.simulation.invariants.at_rest import Durable
from kilonova.simulation.sometimes import Sometimes

_MOVED = "SELECT count(*) FROM operations WHERE "
_QUERIES = {
    "operation_taken_over": """
        SELECT count(*) FROM operation_events a JOIN operation_events b
        ON b.operation_id = a.operation_id AND b.seq = a.seq + 1 AND a.result = 'started' AND b.result = 'started'""",
    "undo_ran": "SELECT count(*) FROM operation_events WHERE result = 'undone'",
    "action_superseded": "SELECT count(*) FROM operations WHERE state = 'superseded' AND kind <> 'boot'",
    "delete_during_boot": "SELECT count(*) FROM operations WHERE state = 'superseded' AND kind = 'boot'",
    "tombstone_left": "SELECT count(*) FROM operation_events WHERE step = 'destroy' AND result = 'failed'",
    "resized": _MOVED + "kind = 'resize' AND state = 'done' AND json_extract(outputs, '$.dest') IS NOT NULL",
    "resized_in_place": _MOVED + "kind = 'resize' AND state = 'done' AND json_extract(outputs, '$.here') IS NOT NULL",
    "evacuated": _MOVED + "kind = 'evacuate' AND state = 'done'",
    "migrated_live": _MOVED + "kind = 'live_migration' AND state = 'done'",
    "volumes_followed": _MOVED
    + "kind <> 'boot' AND state = 'done' AND json_extract(outputs, '$.volumes_connected') IS NOT NULL",
    "move_undone": _MOVED + "kind IN ('resize', 'migration') AND state = 'failed'",
    "move_tried_elsewhere": """
        SELECT count(*) FROM operation_events a JOIN operation_events b ON b.operation_id = a.operation_id AND b.seq > a.seq
        JOIN operations o ON o.id = a.operation_id WHERE o.kind IN ('resize', 'migration') AND a.step = 'receive'
        AND a.result = 'undone' AND b.step = 'claim' AND b.result = 'done'""",
    "boot_tried_elsewhere": "SELECT count(*) FROM operation_events WHERE step = 'place' AND result = 'done'",
    "guest_missed": "SELECT count(*) FROM servers WHERE instr(CAST(body AS TEXT), 'no longer on its host')",
    "host_settled": "SELECT count(*) FROM seen_returns WHERE settled = 1",
    "move_reverted": _MOVED + "kind = 'revert_resize' AND state = 'done'",
    "delete_before_cell": """
        SELECT count(*) FROM servers
        WHERE vm_state = 'deleted' AND id NOT IN (SELECT server_id FROM operations WHERE kind = 'delete')""",
    "power_taken_over": """
        SELECT count(*) FROM servers
        WHERE vm_state = 'stopped' AND id NOT IN (SELECT server_id FROM operations WHERE kind = 'stop')""",
}
_REMOVED = "SELECT count(*) FROM findings WHERE removed_at IS NOT NULL"
_WITHOUT_HOST = "SELECT count(*) FROM operations WHERE kind = 'boot'"


def look(durable: Durable, sometimes: Sometimes) -> None:
    """Count what the logs of operations show, and what the auditor took away."""
    sometimes.counts["orphan_removed"] += durable.api.rows(_REMOVED)[0][0]
    hypervisor = durable.hypervisor
    left = {server_id for _, server_id, _ in hypervisor.everything()}
    sometimes.counts["stranger_destroyed"] += len(hypervisor.planted.keys() - left)
    for cell_id, database in durable.cells.items():
        for name, query in _QUERIES.items():
            sometimes.counts[name] += database.rows(query)[0][0]
        if cell_id == CELL0:
            sometimes.counts["boot_without_host"] += database.rows(_WITHOUT_HOST)[0][0]
