"""Accepting an action: every action in every state, beside every operation that may be under way."""

import itertools
from typing import Any

import msgspec
import pytest

from kilonova.database.database import Transaction
from kilonova.engine import store as operation_store
from kilonova.kernel.ids import CELL0, HostName, OperationId
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations import accept, catalog, store
from kilonova.operations.accept import Acceptance, NotReady
from kilonova.operations.catalog import CELL_PLANS
from kilonova.operations.plans import boot
from kilonova.operations.states import WrongState
from kilonova.operations.store import NoSuchServer
from unit.operations.rig import CALLER, HOST, REQUEST, Rig, play, server, server_id

V = VmState
ASKED = Acceptance(
    operation_id=OperationId("bbbbbbbb-0000-4000-8000-000000000002"),
    request_id=REQUEST,
    project_id=server().project_id,
    user_id=CALLER.user_id,
)
KINDS = (None, "boot", "delete", "stop", "start", "reboot", "reboot_hard")
ACTIONS = ("stop", "start", "reboot", "reboot_hard")

# The Compute API guide, "Server concepts" and the actions' own pages: states in which an action may start ...
MAY_START = {
    "stop": {V.ACTIVE, V.ERROR},
    "start": {V.STOPPED},
    "reboot": {V.ACTIVE},
    "reboot_hard": {V.ACTIVE, V.STOPPED, V.PAUSED, V.SUSPENDED, V.ERROR},
}
# ... and beside what. Everything else that is under way refuses it.
MAY_INTERRUPT = {("reboot_hard", "reboot")}


def live_operation(kind: str) -> Operation:
    asked = msgspec.structs.replace(ASKED, operation_id=OperationId("bbbbbbbb-0000-4000-8000-000000000001"))
    begun = accept.new_operation(CELL_PLANS[kind], server_id(), {"host": HOST, "generation": 1}, asked, 0.0)
    return msgspec.structs.replace(
        begun, state=OperationState.RUNNING, epoch=3, owner="worker", lease_until=5e9, deadline=6e9
    )


def put_txn(tx: Transaction, vm_state: VmState, kind: str | None, host: HostName | None = HOST) -> None:
    """A server in `vm_state`, with a live operation."""
    live = None if kind is None else live_operation(kind)
    task = None if kind is None else TaskState.REBOOTING
    store.server_insert_txn(
        tx, server(vm_state=vm_state, host=host, current_op=None if live is None else live.id, task_state=task)
    )
    if live is not None:
        operation_store.operation_insert_txn(tx, live)


def attempt(vm_state: VmState, kind: str | None, action: str, host: HostName | None = HOST) -> Any:
    """What comes of asking for `action`: the operation, or the error; then the server, and the operation before."""

    def work(tx: Transaction) -> Any:
        put_txn(tx, vm_state, kind, host)
        answer: Any
        try:
            if action == "delete":
                answer = accept.delete_txn(tx, server_id(), ASKED)
            else:
                answer = accept.act_txn(tx, server_id(), CELL_PLANS[action], {}, ASKED)
        except (WrongState, NotReady, NoSuchServer) as error:
            answer = error
        before = None if kind is None else operation_store.operation_get_txn(tx, live_operation(kind).id)
        return answer, store.server_find_txn(tx, server_id()), before

    async def run(rig: Rig) -> Any:
        return rig.cell1.write(work)

    return play(run)


@pytest.mark.parametrize("action", ACTIONS)
def test_act__every_state_and_live_operation__allowed_exactly_where_the_table_says(action: str) -> None:
    for vm_state, kind in itertools.product(V, KINDS):
        answer, after, before = attempt(vm_state, kind, action)
        allowed = vm_state in MAY_START[action] and (kind is None or (action, kind) in MAY_INTERRUPT)
        case = (vm_state, kind, answer)
        if allowed:
            assert isinstance(answer, Operation), case
            assert answer.kind == action
            _check_accepted(answer, after, before)
        elif vm_state is V.DELETED:
            assert isinstance(answer, NoSuchServer), case
        else:
            assert isinstance(answer, WrongState), case
            assert after.generation == 1
            assert before is None or before.state is OperationState.RUNNING


def _check_accepted(operation: Operation, after: Server, before: Operation | None) -> None:
    assert after.current_op == operation.id == ASKED.operation_id
    assert after.task_state is not None
    assert after.generation == operation.params["generation"] == 2, "the host tells new wishes from old"
    assert (operation.host, operation.state, operation.request_id) == (HOST, OperationState.QUEUED, REQUEST)
    if before is not None:
        assert (before.state, before.owner, before.host) == (OperationState.SUPERSEDED, None, None)
        assert before.epoch == 4, "its workers are fenced"


def test_delete__every_state_and_live_operation__wins() -> None:
    for vm_state, kind in itertools.product(V, KINDS):
        answer, after, before = attempt(vm_state, kind, "delete")
        case = (vm_state, kind, answer)
        if vm_state is V.DELETED:
            assert isinstance(answer, NoSuchServer), case
        elif kind == "delete":
            assert answer is None, case
            assert before.state is OperationState.RUNNING
        else:
            assert answer.kind == "delete", case
            _check_accepted(answer, after, before)
            assert after.task_state is TaskState.DELETING
            assert answer.params["fence_until"] == (0.0 if kind is None else 5e9), "how long its worker may go on"


def test_delete__server_on_no_host__nothing_is_asked_of_a_host() -> None:
    answer, after, _ = attempt(V.ERROR, None, "delete", host=None)
    assert (answer.host, answer.step) == (None, "ports")
    assert after.task_state is TaskState.DELETING


def test_act__server_on_no_host__refused_with_a_reason() -> None:
    answer, after, _ = attempt(V.ERROR, None, "stop", host=None)
    assert isinstance(answer, NotReady)
    assert after.current_op is None


def test_act__server_that_never_was__not_found() -> None:
    async def work(rig: Rig) -> None:
        with pytest.raises(NoSuchServer):
            rig.cells[CELL0].write(lambda tx: accept.act_txn(tx, server_id(9), CELL_PLANS["stop"], {}, ASKED))

    play(work)


def test_plans__every_kind_of_action_has_one_and_every_step_a_task_state() -> None:
    assert set(CELL_PLANS) == set(catalog.ACTIONS)
    for kind, plan in CELL_PLANS.items():
        assert {step.name for step in plan.steps} <= set(catalog.ACTIONS[kind].walk), kind
    assert boot.PLAN.secrets == ("files", "admin_password")
