"""Servers from beginning to end: what is shown, what is logged, what is forgotten, and what failures leave."""

import asyncio
from typing import Any

import msgspec
import pytest

from kilonova.engine import store as operation_store
from kilonova.engine.progress import Move
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.kernel.ids import CELL0
from kilonova.objects.boot import Boot
from kilonova.objects.guest import PowerState
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import NicRequest, Server, VmState, status
from kilonova.operations import requests, schedule
from kilonova.operations.catalog import ACTIONS
from unit.operations.rig import CALLER, CELL1, FLAVOR, HOST, REQUEST, Interruption, Rig, play, server, server_id

SECRETS = {"files": (("/etc/x", "c2VjcmV0"),), "admin_password": "top-secret"}


async def start(rig: Rig) -> None:
    await rig.add_hosts()
    await rig.start_agent()
    await rig.start_all()


async def log_of(rig: Rig, kind: str) -> tuple[Operation, list[tuple[str, str]]]:
    api = await rig.servers()
    (operation,) = [one for one in await api.operations(server_id()) if one.kind == kind]
    return operation, [(event.step, event.result) for event in await api.events(server_id(), operation)]


def watch_states(rig: Rig, seen: list[tuple[VmState, Any]]) -> None:
    """Write down every state that users could see."""

    def look(_: Any) -> None:
        found = rig.of()
        if found is not None and (not seen or seen[-1] != (found[1].vm_state, found[1].task_state)):
            seen.append((found[1].vm_state, found[1].task_state))

    for database in (rig.api, *rig.cells.values()):
        database.on_commit = look


def test_life__every_state_on_the_way_is_one_that_the_table_knows() -> None:
    async def work(rig: Rig) -> None:
        seen: list[tuple[VmState, Any]] = []
        watch_states(rig, seen)
        await start(rig)
        api = await rig.boot(1)
        await rig.settled()
        for action in ("stop", "start", "reboot", "reboot_hard"):
            await api.act(CALLER, REQUEST, server_id(), action, {})
            await rig.settled()
        await api.delete(CALLER, REQUEST, server_id())
        await rig.settled()
        tasks = {task for action in ACTIONS.values() for task in action.walk.values()} | {None}
        assert {task for _, task in seen} <= tasks
        assert all(status(*state) for state in seen)
        assert [str(vm) for vm, task in seen if task is None] == [
            *("active", "stopped", "active", "active", "active", "deleted"),
        ]

    play(work)


def test_boot__what_steps_found_out_is_shown_and_the_log_tells_all_of_it() -> None:
    async def work(rig: Rig) -> None:
        await start(rig)
        await rig.boot(1)
        await rig.settled()
        found = rig.of()
        assert found is not None
        one = found[1]
        assert (one.host, one.availability_zone, one.power_state) == (HOST, "nova", PowerState.RUNNING)
        assert (one.progress, one.launched_at is not None, len(one.nics)) == (100, True, 1)
        operation, log = await log_of(rig, "boot")
        assert (operation.state, operation.request_id) == (OperationState.DONE, REQUEST)
        assert log == [
            *(("schedule", "started"), ("schedule", "done")),
            *(("networking", "started"), ("networking", "done")),
            *(("spawn", "started"), ("spawn", "done")),
        ]
        assert rig.api.rows("SELECT * FROM operations") == rig.api.rows("SELECT * FROM operation_events") == []

    play(work)


@pytest.mark.parametrize("ends", ["well", "badly", "deleted nowhere", "deleted in a cell"])
def test_secrets__forgotten_when_the_boot_ends(ends: str) -> None:
    async def work(rig: Rig) -> None:
        await start(rig)
        api = await rig.servers()
        asked = server(networks_requested=(NicRequest(network_id="no such network"),) if ends == "badly" else ())
        await api.boot(CALLER, REQUEST, [Boot(server=asked, image=None, **SECRETS)])
        if ends.startswith("deleted"):
            while ends == "deleted in a cell" and not rig.cell1.rows("SELECT id FROM servers"):
                await asyncio.sleep(0.001)
            await api.delete(CALLER, REQUEST, server_id())
        await rig.settled()
        stored = [
            str(row)
            for db in (rig.api, *rig.cells.values())
            for row in db.rows("SELECT params, outputs FROM operations")
        ]
        assert not [row for row in stored if "secret" in row or "c2VjcmV0" in row]

    play(work)


def test_no_host__in_cell0_with_the_reasons_and_an_action_that_failed() -> None:
    async def work(rig: Rig) -> None:
        await start(rig)
        api = await rig.boot(1, flavor=msgspec.structs.replace(FLAVOR, vcpus=1000))
        await rig.settled()
        found = rig.of()
        assert found is not None
        cell, one = found
        assert (cell, one.status, one.task_state, one.host) == (CELL0, "ERROR", None, None)
        assert one.fault is not None
        assert one.fault.message.startswith("No valid host was found.")
        assert "VCPU" in one.fault.details
        operation, log = await log_of(rig, "boot")
        assert operation.state is OperationState.FAILED
        assert log[-1] == ("schedule", "failed")
        with pytest.raises(Conflict):
            await api.act(CALLER, REQUEST, server_id(), "stop", {})
        await api.delete(CALLER, REQUEST, server_id())
        await rig.settled()
        with pytest.raises(NotFound):
            await api.get(server_id())
        assert rig.api.rows("SELECT * FROM quota_ledger") == []

    play(work)


def test_boot_fails_in_its_cell__everything_is_given_back_and_it_is_nobodys_guest() -> None:
    async def work(rig: Rig) -> None:
        await start(rig)
        await rig.boot(1, networks_requested=(NicRequest(network_id="no such network"),))
        await rig.settled()
        found = rig.of()
        assert found is not None
        cell, one = found
        assert (cell, one.status, one.host, one.nics) == (CELL1, "ERROR", None, ())
        assert one.fault is not None
        assert "no such network" in one.fault.message
        assert rig.held() == rig.ports.ports == {}
        _, log = await log_of(rig, "boot")
        assert log[-3:] == [("networking", "started"), ("networking", "failed"), ("networking", "undone")]

    play(work)


def test_guest_of_a_failed_boot_shows_up_late__it_is_ordered_away() -> None:
    async def work(rig: Rig) -> None:
        await start(rig)
        await rig.boot(1, networks_requested=(NicRequest(network_id="no such network"),))
        await rig.settled()
        rig.hypervisor.plant(HOST, server_id())
        await asyncio.sleep(30.0)
        assert list(rig.hypervisor.everything()) == []

    play(work)


def test_delete__the_guest_is_gone_and_nothing_is_owed() -> None:
    async def work(rig: Rig) -> None:
        await start(rig)
        api = await rig.boot(1)
        await rig.settled()
        await api.delete(CALLER, REQUEST, server_id())
        await rig.settled()
        assert list(rig.hypervisor.everything()) == []
        assert rig.cell1.rows("SELECT * FROM tombstones") == []

    play(work)


def test_stranded_request__in_error_and_can_be_deleted() -> None:
    async def work(rig: Rig) -> None:
        api = await rig.boot(1)
        (row,) = rig.api.rows("SELECT id FROM operations")

        def fail_txn(tx: Any) -> None:
            operation = operation_store.operation_get_txn(tx, row[0])
            assert operation is not None
            failed = msgspec.structs.replace(operation, state=OperationState.FAILED, error="the cell was never there")
            operation_store.operation_save_txn(tx, operation, failed)
            requests.project_txn(tx, operation, Move(failed, "failed"))

        rig.api.write(fail_txn)
        one = await api.get(server_id())
        assert (one.status, one.task_state) == ("ERROR", None)
        assert one.fault is not None
        with pytest.raises(Conflict):
            await api.act(CALLER, REQUEST, server_id(), "stop", {})
        await api.update(server_id(), lambda found: msgspec.structs.replace(found, name="still mine"))
        await api.delete(CALLER, REQUEST, server_id())
        await rig.start_all()
        await rig.settled()
        with pytest.raises(NotFound):
            await api.get(server_id())
        assert rig.api.rows("SELECT * FROM quota_ledger") == rig.api.rows("SELECT * FROM servers") == []

    play(work)


def test_delete_comes_before_the_hand_over__the_late_worker_finds_a_grave() -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts()
        api = await rig.boot(1)
        deleted: list[Server] = []

        async def delete_and_bury() -> None:
            await api.delete(CALLER, REQUEST, server_id())
            await rig.start_all("undertaker")
            await asyncio.sleep(5.0)
            deleted.extend([found[1] for found in [rig.of()] if found])

        for moment in range(1, 20):
            interruption = Interruption(moment, delete_and_bury)
            rig.start_global(await rig.parts("late", interruption), "late")
            await asyncio.sleep(10.0)
            if interruption.happened:
                break
        assert [one.vm_state for one in deleted] == [VmState.DELETED]
        assert rig.held() == {}

    play(work)


def test_plan_of_requests__stays_in_step_with_the_table_of_states() -> None:
    assert {step.name for step in schedule.PLAN.steps} <= set(ACTIONS["boot"].walk)
