"""Operations in their table: leases, epochs, the log."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from kilonova.database.database import Transaction
from kilonova.database.tables.cell_database import hosts
from kilonova.engine import store
from kilonova.engine.queue import CONTROL, Queue
from kilonova.kernel.ids import HostName
from kilonova.objects.operation import Operation, OperationState
from kilonova.simulation.runtime import STARTED_AT
from unit.engine.toys import Floor, operation, play

NOW = STARTED_AT
OF_HOSTS = Queue(store.operations.c.host.in_(select(hosts.c.name).where(hosts.c.agent == "agent")))


def on_tables(work: Callable[[Transaction], Any]) -> Any:
    """Run `work` in one transaction over empty tables at the time NOW."""

    async def run(floor: Floor) -> Any:
        return floor.server.write(work)

    return play(run)


def later(tx: Transaction, seconds: float) -> Transaction:
    return Transaction(tx.connection, tx.now + seconds, tells=tx.tells)


def insert(tx: Transaction, *found: Operation) -> None:
    for one in found:
        store.operation_insert_txn(tx, one)


def claim(tx: Transaction, owner: str = "me", most: int = 10) -> list[Operation]:
    return CONTROL.claim_txn(tx, owner, 15.0, most)


def test_insert_and_get__the_same_operation() -> None:
    one = operation(outputs={"a": [1, {"b": None}]}, error="é", step="s", attempt=3)

    def work(tx: Transaction) -> None:
        insert(tx, one)
        assert store.operation_get_txn(tx, one.id) == one

    on_tables(work)


def test_claim__takes_the_lease_and_bumps_the_epoch() -> None:
    def work(tx: Transaction) -> None:
        insert(tx, operation(step="s"))
        (taken,) = claim(tx)
        assert (taken.owner, taken.epoch, taken.attempt) == ("me", 1, 1)
        assert (taken.state, taken.lease_until) == (OperationState.RUNNING, NOW + 15)
        assert store.operation_get_txn(tx, taken.id) == taken
        assert [event.result for event in store.events_of_txn(tx, taken.id)] == ["started"]

    on_tables(work)


def test_claim__leased_by_another__not_before_the_lease_ran_out() -> None:
    def work(tx: Transaction) -> None:
        insert(tx, operation(step="s"))
        claim(tx, "one")
        assert claim(tx, "other") == []
        assert CONTROL.next_due_in_txn(tx) == 15.0
        (taken,) = claim(later(tx, 15.0), "other")
        assert (taken.owner, taken.epoch, taken.attempt) == ("other", 2, 2)

    on_tables(work)


def test_claim__undoing_stays_undoing() -> None:
    def work(tx: Transaction) -> None:
        insert(tx, operation(step="s", state=OperationState.UNDOING))
        assert claim(tx)[0].state is OperationState.UNDOING

    on_tables(work)


@pytest.mark.parametrize(
    "fields",
    [
        {"not_before": NOW + 1},
        {"state": OperationState.DONE},
        {"state": OperationState.BLOCKED},
        {"host": HostName("host-1")},
    ],
)
def test_claim__not_due_ended_blocked_or_a_hosts__left_alone(fields: dict[str, Any]) -> None:
    def work(tx: Transaction) -> None:
        insert(tx, operation(step="s", **fields))
        assert claim(tx) == []

    on_tables(work)


def test_claim__those_that_wait_longest_first_and_no_more_than_asked() -> None:
    def work(tx: Transaction) -> None:
        insert(tx, *(operation(number, step="s", not_before=NOW - number) for number in (1, 3, 2)))
        assert [one.not_before for one in claim(tx, most=2)] == [NOW - 3, NOW - 2]

    on_tables(work)


def test_queue_of_hosts__only_steps_of_these_hosts() -> None:
    def work(tx: Transaction) -> None:
        for name, agent in (("host-1", "agent"), ("host-2", "other")):
            row = {"name": name, "uuid": name, "service_uuid": name, "agent": agent, "epoch": 1, "enabled": True}
            more = {"forced_down": False, "created_at": NOW, "updated_at": NOW, "description": b""}
            tx.execute(hosts.insert(), {**row, **more})
        insert(tx, operation(1, step="s", host="host-1"), operation(2, step="s", host="host-2"), operation(3, step="s"))
        assert OF_HOSTS.next_due_in_txn(tx) == -NOW
        assert [one.host for one in OF_HOSTS.claim_txn(tx, "agent", 15.0, 10)] == ["host-1"]

    on_tables(work)


def test_next_due__the_earliest_of_all() -> None:
    def work(tx: Transaction) -> None:
        assert CONTROL.next_due_in_txn(tx) is None
        insert(tx, operation(1, step="s", not_before=NOW + 5), operation(2, step="s", not_before=NOW + 3))
        assert CONTROL.next_due_in_txn(tx) == 3.0

    on_tables(work)


def test_save__an_older_epoch_is_refused_and_writes_nothing() -> None:
    def work(tx: Transaction) -> None:
        insert(tx, operation(step="s"))
        (mine,) = claim(tx, "one")
        (theirs,) = claim(later(tx, 20.0), "other")
        assert not store.operation_save_txn(tx, mine, msgspec.structs.replace(mine, error="late"))
        assert not store.operation_is_ours_txn(tx, mine)
        assert store.operation_is_ours_txn(tx, theirs)
        assert store.operation_get_txn(tx, mine.id) == theirs

    on_tables(work)


def test_save__an_ended_operation_is_never_written_again() -> None:
    def work(tx: Transaction) -> None:
        insert(tx, operation(step="s"))
        (mine,) = claim(tx)
        ended = msgspec.structs.replace(mine, state=OperationState.DONE)
        assert store.operation_save_txn(tx, mine, ended)
        assert not store.operation_save_txn(tx, mine, mine)
        assert not store.operation_is_ours_txn(tx, mine)

    on_tables(work)


def test_renew__by_its_owner_only() -> None:
    def work(tx: Transaction) -> None:
        insert(tx, operation(1, step="s"), operation(2, step="s"))
        held = [(one.id, one.epoch) for one in claim(tx)]
        soon = later(tx, 5.0)
        assert store.operations_renew_txn(soon, "other", held, 15.0) == set()
        assert store.operations_renew_txn(soon, "me", held, 15.0) == {id_ for id_, _ in held}
        assert CONTROL.next_due_in_txn(tx) == 20.0

    on_tables(work)


def test_renew__an_older_epoch_or_a_lease_given_back__is_not_taken_again() -> None:
    def work(tx: Transaction) -> None:
        insert(tx, operation(step="s"))
        (mine,) = claim(tx)
        assert store.operations_renew_txn(tx, "me", [(mine.id, mine.epoch - 1)], 15.0) == set()
        free = msgspec.structs.replace(mine, owner=None, lease_until=0.0)
        store.operation_save_txn(tx, mine, free)
        assert store.operations_renew_txn(tx, "me", [(mine.id, mine.epoch)], 15.0) == set()
        assert store.operation_get_txn(tx, mine.id) == free

    on_tables(work)


def test_leases_expire__everything_is_due_again_and_old_workers_are_fenced_by_the_next_claim() -> None:
    def work(tx: Transaction) -> None:
        insert(tx, operation(step="s"))
        (mine,) = claim(tx, "old")
        store.leases_expire_txn(tx)
        assert [one.epoch for one in claim(tx, "new")] == [mine.epoch + 1]

    on_tables(work)


def test_events__numbered_from_one_in_order_and_kept_apart() -> None:
    def work(tx: Transaction) -> None:
        one, other = operation(1, step="s", epoch=4), operation(2, step="t")
        for result in ("started", "retried", "done"):
            store.event_add_txn(tx, one, result, "why" if result == "retried" else None)
        store.event_add_txn(tx, other, "started", step="elsewhere")
        log = store.events_of_txn(tx, one.id)
        assert [(event.seq, event.result, event.message) for event in log] == [
            (1, "started", None),
            (2, "retried", "why"),
            (3, "done", None),
        ]
        assert {(event.step, event.epoch, event.at) for event in log} == {("s", 4, NOW)}
        assert [(event.seq, event.step) for event in store.events_of_txn(tx, other.id)] == [(1, "elsewhere")]
        store.operation_forget_txn(tx, one.id)
        assert store.events_of_txn(tx, one.id) == []
        store.events_insert_txn(tx, log)
        assert store.events_of_txn(tx, one.id) == log

    on_tables(work)


def test_operations_of_a_server__newest_first() -> None:
    def work(tx: Transaction) -> None:
        same = operation().server_id
        insert(tx, *(operation(n, server_id=same, created_at=NOW + n % 3, step="s") for n in range(1, 4)))
        found = store.operations_of_server_txn(tx, same)
        assert [one.created_at for one in found] == [NOW + 2, NOW + 1, NOW]

    on_tables(work)


def test_at_hosts__what_the_watch_looks_at() -> None:
    def work(tx: Transaction) -> None:
        insert(tx, operation(1, step="s", host="host-1"), operation(2, step="s"))
        insert(tx, operation(3, step="s", host="host-1", state=OperationState.DONE))
        insert(tx, operation(4, step="s", host="host-1"))
        tx.execute(update(store.operations).where(store.operations.c.id == operation(4).id).values(state="blocked"))
        now, found = store.operations_at_hosts_txn(tx)
        assert now == NOW
        assert [one.id for one in found] == [operation(1).id]

    on_tables(work)
