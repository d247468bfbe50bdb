"""What follows an attempt at a step: every state and outcome."""

import itertools
from typing import Any

import msgspec
import pytest

from kilonova.engine import progress
from kilonova.engine.plan import Plan, Step
from kilonova.engine.progress import BACKOFF_MAX_S, UNDO_GRACE_S, Done, Failed, Lost, Waiting, after, begin
from kilonova.objects.operation import Operation, OperationState
from unit.engine.toys import HOST, do_it, host_step, operation

RUNNING, UNDOING = OperationState.RUNNING, OperationState.UNDOING
DONE, FAILED = OperationState.DONE, OperationState.FAILED


async def nothing(_: Any) -> dict[str, Any]:
    return {}


async def undone(_: Any) -> None: ...


def control(name: str, **options: Any) -> Step[Any]:
    return Step(name=name, ensure=nothing, **options)


PLAN: Plan[Any] = Plan(
    kind="toy",
    deadline_s=60.0,
    secrets=("password",),
    steps=(
        control("ports", undo=undone, retries=2),
        control("look"),
        host_step("spawn", undo_on_host=do_it, undo_tombstone=True),
        control("record", pivot=True),
        control("tell"),
    ),
)
NOW = 1000.0


def at(step: str, state: OperationState = RUNNING, **fields: Any) -> Operation:
    on_host = PLAN.step(step).on_host if state is RUNNING else PLAN.step(step).undo_on_host
    known = {
        "state": state,
        "step": step,
        "host": HOST if on_host else None,
        "attempt": 1,
        "epoch": 7,
        "owner": "me",
        "lease_until": NOW + 10,
        "deadline": NOW + 60,
        "params": {"host": HOST, "password": "x"},
    }
    return operation(**{**known, **fields})


FINAL, AGAIN = Failed("no", final=True), Failed("not yet")
EARLY, LOST = Waiting(3.0, "early"), Lost("gone")

# state, step, outcome; state and step after it
CASES: list[tuple[OperationState, str, progress.Outcome, OperationState, str]] = [
    (RUNNING, "ports", Done(), RUNNING, "look"),
    (RUNNING, "ports", AGAIN, RUNNING, "ports"),
    (RUNNING, "ports", FINAL, UNDOING, "ports"),
    (RUNNING, "ports", EARLY, RUNNING, "ports"),
    (RUNNING, "ports", LOST, UNDOING, "ports"),
    (RUNNING, "look", Done(), RUNNING, "spawn"),
    (RUNNING, "look", AGAIN, RUNNING, "look"),
    (RUNNING, "look", FINAL, UNDOING, "ports"),
    (RUNNING, "look", EARLY, RUNNING, "look"),
    (RUNNING, "look", LOST, UNDOING, "ports"),
    (RUNNING, "spawn", Done(), RUNNING, "record"),
    (RUNNING, "spawn", AGAIN, RUNNING, "spawn"),
    (RUNNING, "spawn", FINAL, UNDOING, "spawn"),
    (RUNNING, "spawn", EARLY, RUNNING, "spawn"),
    (RUNNING, "spawn", LOST, UNDOING, "spawn"),
    (RUNNING, "record", Done(), RUNNING, "tell"),
    (RUNNING, "record", AGAIN, RUNNING, "record"),
    (RUNNING, "record", FINAL, UNDOING, "spawn"),
    (RUNNING, "record", EARLY, RUNNING, "record"),
    (RUNNING, "record", LOST, UNDOING, "spawn"),
    (RUNNING, "tell", Done(), DONE, "tell"),
    (RUNNING, "tell", AGAIN, RUNNING, "tell"),
    (RUNNING, "tell", FINAL, FAILED, "tell"),
    (RUNNING, "tell", EARLY, RUNNING, "tell"),
    (RUNNING, "tell", LOST, FAILED, "tell"),
    (UNDOING, "spawn", Done(), UNDOING, "ports"),
    (UNDOING, "spawn", AGAIN, UNDOING, "spawn"),
    (UNDOING, "spawn", FINAL, UNDOING, "spawn"),
    (UNDOING, "spawn", EARLY, UNDOING, "spawn"),
    (UNDOING, "spawn", LOST, UNDOING, "ports"),
    (UNDOING, "ports", Done(), FAILED, "ports"),
    (UNDOING, "ports", AGAIN, UNDOING, "ports"),
    (UNDOING, "ports", FINAL, UNDOING, "ports"),
    (UNDOING, "ports", EARLY, UNDOING, "ports"),
    (UNDOING, "ports", LOST, FAILED, "ports"),
]


def test_cases__every_state_and_outcome() -> None:
    states = [(RUNNING, step.name) for step in PLAN.steps] + [(UNDOING, "spawn"), (UNDOING, "ports")]
    outcomes = (Done(), AGAIN, FINAL, EARLY, LOST)
    wanted = [(state, step, outcome) for (state, step), outcome in itertools.product(states, outcomes)]
    assert [case[:3] for case in CASES] == wanted


@pytest.mark.parametrize(("state", "step", "outcome", "next_state", "next_step"), CASES)
def test_after__every_state_and_outcome__goes_where_the_table_says(
    state: OperationState, step: str, outcome: progress.Outcome, next_state: OperationState, next_step: str
) -> None:
    before = at(step, state)
    move = after(PLAN, before, outcome, NOW)
    assert (move.operation.state, move.operation.step) == (next_state, next_step)
    assert move.operation.epoch == before.epoch
    if not move.operation.state.live:
        assert (move.operation.owner, move.operation.host, move.operation.lease_until) == (None, None, 0.0)
        assert move.operation.params == {"host": HOST}, "secrets are forgotten"
    else:
        assert "password" in move.operation.params
    on_host = move.operation.state is RUNNING and move.operation.step == "spawn"
    on_host |= move.operation.state is UNDOING and move.operation.step == "spawn"
    assert (move.operation.host == HOST) == on_host


def test_control_step_after_control_step__the_worker_keeps_its_lease() -> None:
    moved = after(PLAN, at("ports"), Done({"a": 1}), NOW).operation
    assert (moved.owner, moved.lease_until, moved.attempt) == ("me", NOW + 10, 1)
    assert moved.outputs == {"a": 1}


@pytest.mark.parametrize(("step", "outcome"), [("look", Done()), ("spawn", Done()), ("ports", AGAIN), ("spawn", LOST)])
def test_work_that_changes_hands__the_lease_is_free(step: str, outcome: progress.Outcome) -> None:
    moved = after(PLAN, at(step), outcome, NOW).operation
    assert (moved.owner, moved.lease_until) == (None, 0.0)


def test_outputs__later_ones_win_and_earlier_ones_stay() -> None:
    moved = after(PLAN, at("ports", outputs={"a": 1, "b": 1}), Done({"b": 2}), NOW).operation
    assert moved.outputs == {"a": 1, "b": 2}


def test_retries__as_many_as_the_step_says_then_back() -> None:
    one = at("ports")
    waits = []
    while one.state is RUNNING:
        one = after(PLAN, one, AGAIN, NOW).operation
        if one.state is RUNNING:
            waits.append(one.not_before - NOW)
            one = msgspec.structs.replace(one, attempt=one.attempt + 1)
    assert waits == [0.5, 1.0]
    assert (one.state, one.error) == (UNDOING, "not yet")


def test_backoff__doubles_up_to_its_most() -> None:
    plan: Plan[Any] = Plan(kind="toy", deadline_s=1e6, steps=(control("s", retries=100),))
    before = operation(state=RUNNING, step="s", deadline=NOW + 1e6, attempt=50, lease_until=NOW + 1)
    assert after(plan, before, AGAIN, NOW).operation.not_before == NOW + BACKOFF_MAX_S


def test_waiting__counts_no_attempt() -> None:
    moved = after(PLAN, at("ports", attempt=2), EARLY, NOW)
    assert (moved.operation.attempt, moved.operation.not_before) == (1, NOW + 3.0)
    assert moved.result == "waiting"


@pytest.mark.parametrize("outcome", [AGAIN, EARLY])
def test_past_the_deadline__no_more_attempts(outcome: progress.Outcome) -> None:
    assert after(PLAN, at("ports", deadline=NOW - 1), outcome, NOW).operation.state is UNDOING


def test_undo__goes_on_past_the_deadline__and_then_waits_for_an_operator() -> None:
    assert after(PLAN, at("ports", UNDOING, deadline=NOW - 1), AGAIN, NOW).operation.state is UNDOING
    late = NOW + UNDO_GRACE_S + 60
    blocked = after(PLAN, at("ports", UNDOING, error="full"), AGAIN, late)
    assert blocked.operation.state is OperationState.BLOCKED
    assert blocked.operation.error == "full; and ports can't be undone: not yet"
    assert blocked.owed_by is None
    assert (blocked.operation.owner, blocked.operation.lease_until) == (None, 0.0)


ELSEWHERE: Plan[Any] = Plan(
    kind="toy",
    deadline_s=60.0,
    hosts_tried=2,
    steps=(
        control("place", when=lambda operation: progress.FAILED_ON in operation.outputs, undo=undone),
        control("ports", undo=undone),
        host_step("spawn", undo_on_host=do_it, elsewhere=True),
    ),
)


def test_host_that_fails__all_is_undone_and_begun_anew_without_it() -> None:
    failed = after(ELSEWHERE, at("spawn", attempt=9), AGAIN, NOW).operation
    assert (failed.state, failed.step, failed.host) == (UNDOING, "spawn", HOST)
    ports = after(ELSEWHERE, failed, Done(), NOW).operation
    assert (ports.step, ports.host) == ("ports", None)
    place = after(ELSEWHERE, ports, Done(), NOW).operation
    anew = after(ELSEWHERE, place, Done(), NOW).operation
    assert (anew.state, anew.step) == (RUNNING, "place")
    assert anew.outputs == {progress.FAILED_ON: [HOST]}


def test_last_host_that_fails__the_operation_fails_with_its_reason() -> None:
    again = at("spawn", attempt=9, outputs={progress.FAILED_ON: ["other"]})
    failed = after(ELSEWHERE, again, AGAIN, NOW).operation
    for _ in range(3):
        failed = after(ELSEWHERE, failed, Done(), NOW).operation
    assert (failed.state, failed.error) == (FAILED, "not yet")
    assert failed.outputs[progress.FAILED_ON] == ["other", HOST]


def test_failure_that_has_nothing_to_do_with_the_host__no_other_is_tried() -> None:
    failed = after(ELSEWHERE, at("ports", attempt=9), AGAIN, NOW).operation
    assert after(ELSEWHERE, failed, Done(), NOW).operation.state is FAILED


def test_step_at_another_host__goes_to_the_host_that_an_output_names() -> None:
    plan: Plan[Any] = Plan(
        kind="toy",
        deadline_s=60.0,
        steps=(control("claim"), host_step("receive", at="dest"), host_step("end", at="none")),
    )
    moved = after(plan, operation(step="claim", state=RUNNING), Done({"dest": "host-2"}), NOW).operation
    assert (moved.step, moved.host) == ("receive", "host-2")
    assert plan.hosts(moved) == ["host-2"]
    assert after(plan, moved, Done(), NOW).operation.state is DONE


def test_undo_on_a_host_that_is_lost__the_host_owes_it() -> None:
    move = after(PLAN, at("spawn", UNDOING), LOST, NOW)
    assert move.owed_by == HOST
    assert after(PLAN, at("ports", UNDOING), LOST, NOW).owed_by is None


def test_undo__keeps_the_reason_of_the_failure() -> None:
    undoing = after(PLAN, at("spawn"), LOST, NOW).operation
    assert undoing.error == "gone"
    assert after(PLAN, at("ports", UNDOING, error="gone"), AGAIN, NOW).operation.error == "gone"


def test_tombstone_step__lost_host__goes_on_and_the_host_owes_it() -> None:
    plan: Plan[Any] = Plan(kind="toy", deadline_s=60.0, steps=(host_step("destroy", tombstone=True), control("ports")))
    before = operation(state=RUNNING, step="destroy", host=HOST, deadline=NOW + 60, attempt=1)
    move = after(plan, before, LOST, NOW)
    assert (move.operation.state, move.operation.step, move.owed_by) == (RUNNING, "ports", HOST)
    assert move.operation.error is None


def test_begin__without_a_host__its_steps_fall_away() -> None:
    plan: Plan[Any] = Plan(
        kind="toy", deadline_s=60.0, steps=(host_step("a"), control("b"), host_step("c"), control("d"))
    )
    nowhere = begin(plan, operation(params={"host": None}))
    assert (nowhere.step, nowhere.host) == ("b", None)
    running = msgspec.structs.replace(nowhere, state=RUNNING, lease_until=NOW + 1, attempt=1)
    assert after(plan, running, Done(), NOW).operation.step == "d"
    somewhere = begin(plan, operation())
    assert (somewhere.step, somewhere.host) == ("a", HOST)


OWED: Plan[Any] = Plan(
    kind="toy",
    deadline_s=60.0,
    hosts_tried=3,
    steps=(
        control("ports", undo=undone),
        host_step("spawn", undo_on_host=do_it, undo_tombstone=True, elsewhere=True, retries=0),
    ),
)


@pytest.mark.parametrize(("undo", "begins_anew"), [(Done(), True), (LOST, False)])
def test_elsewhere__only_when_nothing_can_run_on_the_first_host_any_more(
    undo: progress.Outcome, begins_anew: bool
) -> None:
    failed = after(OWED, at("spawn", attempt=2), AGAIN, NOW).operation
    undoing = after(OWED, failed, undo, NOW).operation
    end = after(OWED, undoing, Done(), NOW).operation
    assert (end.state is RUNNING) is begins_anew
    assert (end.outputs == {"failed_on": [HOST]}) is begins_anew


def test_failure__with_a_story_for_operators__in_the_log_and_kept_while_users_are_told_less() -> None:
    move = after(PLAN, at("ports"), Failed("no", final=True, details="no: host-7 burnt"), NOW)
    assert (move.message, move.operation.error) == ("no: host-7 burnt", "no")
    assert move.operation.outputs[progress.DETAILS] == "no: host-7 burnt"
    later = after(PLAN, at("ports"), Failed("no", details="no: host-7 burnt"), NOW)
    assert (later.result, later.message) == ("retried", "no: host-7 burnt")
    assert progress.DETAILS not in after(PLAN, at("ports"), Failed("no", final=True), NOW).operation.outputs
