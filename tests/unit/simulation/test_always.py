"""What is checked after every commit: each rule sees what it is for."""

from collections.abc import Callable
from typing import Any

import pytest

from kilonova.database.database import Transaction
from kilonova.database.tables import cell_database
from kilonova.engine import store as operation_store
from kilonova.kernel.ids import OperationId, ProjectId, ServerId, UserId
from kilonova.objects.flavor import Flavor
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations import store
from kilonova.placement import tables as placement_tables
from kilonova.simulation.database import DatabaseServer
from kilonova.simulation.invariants import always
from kilonova.simulation.loop import SimLoop, simulate

Rows = list[Server | Operation]

FLAVOR = Flavor(id="1", name="small", vcpus=1, memory_mb=512, disk_gb=1)


def _operation(id_: str = "o1", state: OperationState = OperationState.RUNNING) -> Operation:
    return Operation(
        id=OperationId(id_),
        server_id=ServerId("s1"),
        project_id=ProjectId("p"),
        user_id=UserId("u"),
        request_id="r",
        kind="stop",
        state=state,
        epoch=3,
        deadline=0.0,
        created_at=0.0,
        updated_at=0.0,
    )


def _server(vm_state: VmState = VmState.ACTIVE, **fields: Any) -> Server:
    return Server(
        id=ServerId("s1"),
        project_id=ProjectId("p"),
        user_id=UserId("u"),
        name="n",
        hostname="h",
        flavor=FLAVOR,
        image_id=None,
        vm_state=vm_state,
        generation=5,
        created_at=0.0,
        updated_at=0.0,
        **fields,
    )


BUSY: Rows = [_server(task_state=TaskState.POWERING_OFF, current_op=OperationId("o1")), _operation()]
ENDED: Rows = [_server(), _operation(state=OperationState.DONE)]


def _seen(
    watch: Callable[[DatabaseServer, Any], None], metadata: Any, before: Rows | str, change: Rows | str
) -> list[str]:
    """What is reported of `change`, which is one commit; nothing may be of `before`."""

    async def main(loop: SimLoop) -> list[str]:
        server = DatabaseServer(loop, "db", metadata)
        reported: list[str] = []
        watch(server, reported.append)
        server.write(lambda tx: _write_txn(tx, before))
        assert reported == []
        server.write(lambda tx: _write_txn(tx, change))
        server.close()
        return reported

    return simulate(main, 1)[0]


def _write_txn(tx: Transaction, rows: Rows | str) -> None:
    """Add rows, or execute statements."""
    for row in rows.split(";") if isinstance(rows, str) else rows:
        if isinstance(row, str):
            tx.connection.exec_driver_sql(row)
        elif isinstance(row, Server):
            store.server_insert_txn(tx, row)
        else:
            operation_store.operation_insert_txn(tx, row)


@pytest.mark.parametrize(
    ("before", "change", "what"),
    [
        (BUSY, "UPDATE operations SET epoch = 2", "epoch of operation o1 went down"),
        (ENDED, "UPDATE operations SET state = 'running'", "operation o1 was done and became running"),
        (BUSY, [_operation("o2")], "server s1 has two live operations"),
        (ENDED, "UPDATE servers SET task_state = 'deleting'", "has task state deleting and operation none"),
        (BUSY, "UPDATE operations SET live = NULL", "waits for operation o1, which is not live"),
        (ENDED, [_operation("o2")], "operation o2 (stop) is live and not its server's"),
        ([_server(VmState.DELETED)], "UPDATE servers SET vm_state = 'active'", "was deleted and became active"),
        ([_server()], "UPDATE servers SET generation = 4", "generation of server s1 went down"),
        (BUSY, "UPDATE servers SET vm_state = 'building'", "is building/powering-off"),
    ],
)
def test_cell__forbidden_change__is_reported(before: Rows, change: Rows | str, what: str):
    assert any(what in said for said in _seen(always.watch_cell, cell_database.metadata, before, change))


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (BUSY, "UPDATE operations SET epoch = 4"),
        (
            BUSY,
            "UPDATE operations SET live = NULL, state = 'done';UPDATE servers SET task_state = NULL, current_op = NULL",
        ),
        ([_server()], "UPDATE servers SET vm_state = 'deleted'"),
    ],
)
def test_cell__legal_change__is_not_reported(before: Rows, change: Rows | str):
    assert _seen(always.watch_cell, cell_database.metadata, before, change) == []


STOCK = (
    "INSERT INTO inventories VALUES ('VCPU', 'p1', 4, 0, 1, 4, 1, 1.0, 4, 3, 0);"
    "INSERT INTO consumers (uuid, generation, created_at, updated_at) VALUES ('c1', 2, 0, 0);"
    "INSERT INTO allocations (consumer_uuid, provider_uuid, resource_class, used) VALUES ('c1', 'p1', 'VCPU', 3)"
)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE inventories SET used = 5;UPDATE allocations SET used = 5", "gives 5 of 4 VCPU"),
        ("UPDATE inventories SET used = 2", "counts 2 VCPU in use, not 3"),
        ("DELETE FROM allocations", "counts 3 VCPU in use, not 0"),
        ("UPDATE consumers SET generation = 1", "generation of consumer c1 went down"),
        ("INSERT INTO allocations VALUES ('c1', 'p2', 'VCPU', 1)", "consumer c1 is on several hosts"),
    ],
)
def test_placement__forbidden_change__is_reported(change: str, what: str):
    assert any(what in said for said in _seen(always.watch_placement, placement_tables.metadata, STOCK, change))
