"""What holds after every commit, said in SQL so that looking costs microseconds.

A trigger sees a forbidden change of a row and writes it down; a query finds a forbidden state of the tables.
"""

from collections.abc import Callable

from kilonova.objects.host import DOWN_AFTER_S
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.catalog import ACTIONS
from kilonova.operations.sightings import NEED_GUESTS
from kilonova.simulation.database import DatabaseServer

_SEEN = "CREATE TABLE seen_violations (what TEXT NOT NULL);"

_OPERATION_TRIGGERS = """
CREATE TRIGGER epoch_down AFTER UPDATE ON operations WHEN NEW.epoch < OLD.epoch BEGIN
    INSERT INTO seen_violations VALUES ('the epoch of operation ' || NEW.id || ' went down'); END;
CREATE TRIGGER ended_changed AFTER UPDATE ON operations WHEN OLD.live IS NULL AND NEW.state <> OLD.state BEGIN
    INSERT INTO seen_violations VALUES ('operation ' || NEW.id || ' was ' || OLD.state || ' and became ' || NEW.state); END;
CREATE TRIGGER log_changed AFTER UPDATE ON operation_events BEGIN
    INSERT INTO seen_violations VALUES ('the log of operation ' || NEW.operation_id || ' was rewritten'); END;
CREATE TRIGGER reported_twice AFTER INSERT ON operation_events WHEN NEW.result IN ('done', 'retried', 'waiting') AND EXISTS (
    SELECT 1 FROM operation_events e WHERE e.operation_id = NEW.operation_id AND e.seq < NEW.seq AND e.step = NEW.step
    AND e.epoch = NEW.epoch AND e.result IN ('done', 'retried', 'waiting') AND NOT EXISTS (
        SELECT 1 FROM operation_events f WHERE f.operation_id = NEW.operation_id AND f.result = 'failed'
        AND f.seq > e.seq AND f.seq < NEW.seq)) BEGIN
    INSERT INTO seen_violations VALUES (
        'one attempt at ' || NEW.step || ' of operation ' || NEW.operation_id || ' was reported twice'); END;
CREATE TRIGGER log_back_in_time AFTER INSERT ON operation_events WHEN EXISTS (
    SELECT 1 FROM operation_events e WHERE e.operation_id = NEW.operation_id AND e.seq < NEW.seq AND e.at > NEW.at) BEGIN
    INSERT INTO seen_violations VALUES ('the log of operation ' || NEW.operation_id || ' went back in time'); END;
"""

_SERVER_TRIGGERS = """
CREATE TRIGGER raised_from_the_dead AFTER UPDATE ON servers WHEN OLD.vm_state = 'deleted' AND NEW.vm_state <> 'deleted' BEGIN
    INSERT INTO seen_violations VALUES ('server ' || NEW.id || ' was deleted and became ' || NEW.vm_state); END;
CREATE TRIGGER generation_down AFTER UPDATE ON servers WHEN NEW.generation < OLD.generation BEGIN
    INSERT INTO seen_violations VALUES ('the generation of server ' || NEW.id || ' went down'); END;
CREATE TRIGGER illegal_move AFTER UPDATE ON servers WHEN NEW.vm_state <> OLD.vm_state
    AND OLD.vm_state || '/' || NEW.vm_state NOT IN ({moves}) BEGIN
    INSERT INTO seen_violations VALUES ('server ' || NEW.id || ' was ' || OLD.vm_state || ' and became ' || NEW.vm_state); END;
CREATE TRIGGER back_in_time AFTER UPDATE ON servers
    WHEN NEW.updated_at < OLD.updated_at OR NEW.created_at <> OLD.created_at BEGIN
    INSERT INTO seen_violations VALUES ('server ' || NEW.id || ' went back in time'); END;
CREATE TRIGGER illegal_states AFTER UPDATE ON servers WHEN NEW.task_state IS NOT NULL
    AND NEW.vm_state || '/' || NEW.task_state NOT IN ({legal}) BEGIN
    INSERT INTO seen_violations VALUES ('server ' || NEW.id || ' is ' || NEW.vm_state || '/' || NEW.task_state); END;
"""

OWED_S = 20.0
"""How long a host must have owed something for everybody to know of it, whatever their clocks say."""

_HOST_TRIGGERS = """
CREATE TABLE seen_returns (agent TEXT NOT NULL, at REAL NOT NULL, settled INTEGER NOT NULL);
CREATE TRIGGER host_returns AFTER UPDATE ON agents WHEN NEW.heartbeat_at - OLD.heartbeat_at > {down_after_s} BEGIN
    INSERT INTO seen_returns SELECT NEW.name, NEW.heartbeat_at, EXISTS (
        SELECT 1 FROM tombstones t JOIN hosts h ON h.name = t.host AND h.agent = NEW.name); END;
CREATE TRIGGER work_before_settled AFTER UPDATE ON operations
    WHEN NEW.owner IS NOT NULL AND NEW.epoch > OLD.epoch AND NEW.host IS NOT NULL AND EXISTS (
        SELECT 1 FROM tombstones t JOIN hosts h ON h.name = t.host JOIN seen_returns r ON r.agent = h.agent
        WHERE t.host = NEW.host AND t.created_at <= r.at) BEGIN
    INSERT INTO seen_violations VALUES ('host ' || NEW.host || ' got work before it had settled'); END;
CREATE TRIGGER work_while_down AFTER UPDATE ON operations
    WHEN NEW.owner IS NOT NULL AND NEW.epoch > OLD.epoch AND NEW.host IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM hosts h JOIN agents a ON a.name = h.agent WHERE h.name = NEW.host AND h.forced_down = 0
        AND NEW.updated_at - a.heartbeat_at <= {down_after_s}) BEGIN
    INSERT INTO seen_violations VALUES ('host ' || NEW.host || ' got work while it was down'); END;
CREATE TRIGGER host_epoch_down AFTER UPDATE ON hosts WHEN NEW.epoch < OLD.epoch BEGIN
    INSERT INTO seen_violations VALUES ('the epoch of host ' || NEW.name || ' went down'); END;
CREATE TRIGGER booted_on_debtor AFTER INSERT ON servers WHEN EXISTS (
    SELECT 1 FROM tombstones t WHERE t.host = NEW.host AND t.created_at < NEW.created_at - {owed_s}) BEGIN
    INSERT INTO seen_violations VALUES ('server ' || NEW.id || ' was sent to ' || NEW.host || ', which owes'); END;
CREATE TRIGGER moved_to_debtor AFTER UPDATE ON servers WHEN NEW.host IS NOT OLD.host AND EXISTS (
    SELECT 1 FROM tombstones t JOIN operations o ON o.id = OLD.current_op WHERE t.host = NEW.host
    AND o.kind <> 'revert_resize' AND t.created_at < o.created_at - {owed_s}) BEGIN
    INSERT INTO seen_violations VALUES ('server ' || NEW.id || ' was moved to ' || NEW.host || ', which owes'); END;
"""

_PLACEMENT_TRIGGERS = """
CREATE TRIGGER consumer_generation_down AFTER UPDATE ON consumers WHEN NEW.generation < OLD.generation BEGIN
    INSERT INTO seen_violations VALUES ('the generation of consumer ' || NEW.uuid || ' went down'); END;
"""

_SEEN_QUERY = "SELECT what FROM seen_violations"

_CELL_QUERIES = (
    _SEEN_QUERY,
    """SELECT 'server ' || server_id || ' has two live operations'
       FROM operations WHERE live = 1 GROUP BY server_id HAVING count(*) > 1""",
    """SELECT 'server ' || id || ' has task state ' || coalesce(task_state, 'none')
           || ' and operation ' || coalesce(current_op, 'none')
       FROM servers WHERE current_op IS NULL AND task_state IS NOT NULL""",
    """SELECT 'server ' || s.id || ' waits for operation ' || s.current_op || ', which is not live'
       FROM servers s LEFT JOIN operations o ON o.id = s.current_op AND o.live = 1
       WHERE s.current_op IS NOT NULL AND o.id IS NULL""",
    """SELECT 'operation ' || o.id || ' (' || o.kind || ') is live and not its server''s'
       FROM operations o LEFT JOIN servers s ON s.id = o.server_id
       WHERE o.live = 1 AND o.kind <> 'cancel' AND s.current_op IS NOT o.id""",
)

_NO_TASK = """SELECT 'server ' || s.id || ' has no task state during ' || o.kind
       FROM servers s JOIN operations o ON o.id = s.current_op
       WHERE s.task_state IS NULL AND o.kind NOT IN ({quiet})"""

_PLACEMENT_QUERIES = (
    _SEEN_QUERY,
    """SELECT 'provider ' || provider_uuid || ' gives ' || used || ' of ' || capacity || ' ' || resource_class
       FROM inventories WHERE used > capacity""",
    """SELECT 'provider ' || i.provider_uuid || ' counts ' || i.used || ' ' || i.resource_class || ' in use, not '
           || coalesce(sum(a.used), 0)
       FROM inventories i LEFT JOIN allocations a USING (provider_uuid, resource_class)
       GROUP BY i.provider_uuid, i.resource_class HAVING i.used <> coalesce(sum(a.used), 0)""",
    """SELECT 'consumer ' || consumer_uuid || ' is on several hosts'
       FROM allocations GROUP BY consumer_uuid HAVING count(DISTINCT provider_uuid) > 1""",
)


_QUOTA_QUERY = """SELECT 'project ' || project_id || ' has ' || count(*) || ' servers, more than it may'
    FROM quota_ledger GROUP BY project_id HAVING count(*) > {instances}"""


_USER_QUOTA_QUERY = """SELECT 'user ' || user_id || ' has ' || count(*) || ' servers, more than the limit of ' || value
    FROM quota_ledger JOIN limits ON scope = 'user:' || project_id || ':' || user_id AND resource = 'instances'
    WHERE value >= 0 GROUP BY project_id, user_id, value HAVING count(*) > value"""
"""Stories set limits of users before these have any servers, and never lower them."""


def watch_cell(server: DatabaseServer, report: Callable[[str], None]) -> None:
    """Watch a cell's database, or the API database, which holds the servers that are nowhere yet."""
    legal = ", ".join(f"'{vm_state}/{task}'" for vm_state, task in _legal_pairs())
    moves = ", ".join(f"'{before}/{after}'" for before, after in _legal_moves())
    quiet = ", ".join(f"'{kind}'" for kind, action in ACTIONS.items() if None in action.walk.values())
    server.script(_SEEN + _OPERATION_TRIGGERS + _SERVER_TRIGGERS.format(legal=legal, moves=moves))
    server.on_commit = _checking((*_CELL_QUERIES, _NO_TASK.format(quiet=quiet)), report)


def watch_hosts(server: DatabaseServer) -> None:
    """Watch the hosts of a cell's database, beside what `watch_cell` does."""
    server.script(_HOST_TRIGGERS.format(down_after_s=DOWN_AFTER_S, owed_s=OWED_S))


def watch_quota(server: DatabaseServer, instances: int, report: Callable[[str], None]) -> None:
    """Watch the ledger in the API database too; `instances` is what each project may have.

    Users may have what `limits` says, where it does.
    """
    queries = (*_CELL_QUERIES, _QUOTA_QUERY.format(instances=instances), _USER_QUOTA_QUERY)
    server.on_commit = _checking(queries, report)


def watch_placement(server: DatabaseServer, report: Callable[[str], None]) -> None:
    """Watch the placement database."""
    server.script(_SEEN + _PLACEMENT_TRIGGERS)
    server.on_commit = _checking(_PLACEMENT_QUERIES, report)


def _checking(queries: tuple[str, ...], report: Callable[[str], None]) -> Callable[[DatabaseServer], None]:
    def check(server: DatabaseServer) -> None:
        for query in queries:
            for (what,) in server.rows(query):
                report(f"{server.name}: {what}")

    return check


def _legal_moves() -> list[tuple[VmState, VmState]]:
    """Every change of vm_state that the table of actions allows, and those that follow the hypervisor."""
    moves = dict.fromkeys(((VmState.ACTIVE, VmState.STOPPED), (VmState.PAUSED, VmState.STOPPED)))
    moves.update({(before, VmState.ERROR): None for before in sorted(NEED_GUESTS)})
    for action in ACTIONS.values():
        for before in sorted(action.starts_in):
            ends = (action.ends_in, action.fails_in, *sorted(action.may_end_in))
            moves.update({(before, after): None for after in ends if after is not None})
    return list(moves)


def _legal_pairs() -> list[tuple[VmState, TaskState]]:
    """Every (vm_state, task_state) that the table of actions allows while something is being done."""
    pairs = {
        (vm_state, task): None
        for action in ACTIONS.values()
        for vm_state in sorted(action.starts_in)
        for task in action.walk.values()
        if task is not None
    }
    return list(pairs)
