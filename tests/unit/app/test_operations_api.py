"""What operators see of operations, and what they do to them, on a running cloud."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from api.server_stage import SERVERS, Silent, Stage
from cloud import TestCloud
from kilonova.cells.cells import Cell
from kilonova.database.database import Transaction
from kilonova.engine import store as operation_store
from kilonova.kernel.ids import HostName, OperationId, ProjectId, ServerId, UserId
from kilonova.objects.operation import Operation, OperationState
from kilonova.operations import store

OPERATIONS = "/kilonova/operations"
WHY = {"reason": "the rack burns"}
LATER_S = 3600.0


class Stuck:
    """A server whose stop waits for an hour before its next attempt."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.server_id = stage.boot()
        self.id = stage.cloud.runtime.uuid()
        self.path = f"{OPERATIONS}/{self.id}"
        (self.cell,) = stage.cloud.cloud.work.cells.with_hosts
        stage.cloud.run(self.cell.database.write(self._stick_txn))

    def server(self) -> Any:
        return self.stage.show(self.server_id, who=self.stage.cloud.admin)

    def act(self, what: str, status: int = 200) -> Any:
        return self.stage.cloud.admin.post(f"{self.path}/{what}", WHY, status=status)

    def _stick_txn(self, tx: Transaction) -> None:
        server = store.server_get_txn(tx, ServerId(self.server_id))
        operation = Operation(
            id=OperationId(self.id),
            server_id=server.id,
            project_id=ProjectId(server.project_id),
            user_id=UserId(server.user_id),
            request_id="req-1",
            kind="stop",
            params={"host": server.host, "generation": server.generation + 1, "secret": "x"},
            state=OperationState.RUNNING,
            step="power_off",
            host=HostName(str(server.host)),
            not_before=tx.now + LATER_S,
            deadline=tx.now + 2 * LATER_S,
            created_at=tx.now - 700,
            updated_at=tx.now,
        )
        operation_store.operation_insert_txn(tx, operation)
        changed = {"current_op": operation.id, "generation": server.generation + 1}
        store.server_change_txn(tx, server.id, lambda server: msgspec.structs.replace(server, **changed))


@pytest.fixture(scope="module")
def stage(shared_cloud: TestCloud) -> Stage:
    return Stage(shared_cloud)


@pytest.fixture
def stuck(stage: Stage) -> Iterator[Stuck]:
    stuck = Stuck(stage)
    yield stuck
    stage.cloud.member.delete(f"{SERVERS}/{stuck.server_id}")
    stage.cloud.wait_for_gone(stuck.server_id)


def ids(stage: Stage, **params: Any) -> list[str]:
    return [one["id"] for one in stage.cloud.admin.get(OPERATIONS, params=params)["operations"]]


def test_list__live_ones__by_every_condition(stuck: Stuck) -> None:
    (shown,) = stuck.stage.cloud.admin.get(OPERATIONS)["operations"]
    assert (shown["kind"], shown["state"], shown["step"], shown["cell"]) == ("stop", "running", "power_off", "cell1")
    assert shown["age_s"] > 699
    assert not {"params", "outputs"} & set(shown), "what was asked may be secret"
    for params in (
        {"older_s": 600},
        {"cell": "cell1"},
        {"kind": "stop"},
        {"server": stuck.server_id},
        {"state": "running"},
    ):
        assert ids(stuck.stage, **params) == [stuck.id], params
    for params in ({"older_s": 800}, {"cell": "api"}, {"kind": "boot"}, {"server": stuck.id}, {"state": "blocked"}):
        assert ids(stuck.stage, **params) == [], params
    assert "done" in {
        one["state"] for one in stuck.stage.cloud.admin.get(OPERATIONS, params={"state": "done"})["operations"]
    }


def test_list__a_state_or_age_that_there_is_not__400(stage: Stage) -> None:
    for params in ({"state": "asleep"}, {"older_s": "long"}):
        stage.cloud.admin.get(OPERATIONS, params=params, status=400)


def test_retry__it_goes_on_at_once(stuck: Stuck) -> None:
    assert stuck.act("retry")["operation"]["epoch"] == 1
    stuck.stage.cloud.wait_for_status(stuck.server_id, "SHUTOFF")
    found = stuck.stage.cloud.admin.get(stuck.path)
    assert found["operation"]["state"] == "done"
    assert found["events"][0]["result"] == "requeued"
    assert found["events"][0]["message"] == "by operator: the rack burns"
    assert "is done" in stuck.act("retry", 409)["error"]["message"]


def test_abandon__it_fails_with_the_reason_and_the_server_goes_on(stuck: Stuck) -> None:
    assert stuck.act("abandon")["operation"]["state"] == "failed"
    server = stuck.server()
    assert (server["status"], server["OS-EXT-STS:task_state"]) == ("ACTIVE", None)


def test_supersede__server_in_error_with_the_reason(stuck: Stuck) -> None:
    assert stuck.act("supersede")["operation"]["state"] == "superseded"
    server = stuck.server()
    assert (server["status"], server["OS-EXT-STS:task_state"]) == ("ERROR", None)
    assert server["fault"]["message"] == "An administrator ended the stop: the rack burns"


def test_intervention__without_a_reason__400(stuck: Stuck) -> None:
    for body in ({}, {"reason": " "}, {"reason": 7}, [], {"reason": "x" * 501}):
        stuck.stage.cloud.admin.post(f"{stuck.path}/retry", body, status=400)


def test_operation__that_there_is_not__404(stage: Stage) -> None:
    stage.cloud.admin.get(f"{OPERATIONS}/nothing", status=404)
    stage.cloud.admin.post(f"{OPERATIONS}/nothing/retry", WHY, status=404)


def test_operations__for_administrators_only(stuck: Stuck) -> None:
    member = stuck.stage.cloud.member
    member.get(OPERATIONS, status=403)
    member.get(stuck.path, status=403)
    member.post(f"{stuck.path}/abandon", WHY, status=403)


def test_search__a_cell_that_does_not_answer__named(stage: Stage) -> None:
    cells = stage.cloud.cloud.work.cells
    cell: Cell = cells.with_hosts[0]
    cells._cells[cell.id] = msgspec.structs.replace(cell, database=Silent())
    try:
        assert stage.cloud.admin.get(OPERATIONS) == {"operations": [], "unanswered": ["cell1"]}
        stage.cloud.admin.get(f"{OPERATIONS}/nothing", status=503)
    finally:
        cells._cells[cell.id] = cell
