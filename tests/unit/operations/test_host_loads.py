"""What goes on on hosts, read from their cell for filters and weighers that look at it."""

import msgspec

from kilonova.engine import store as operation_store
from kilonova.kernel.ids import HostName
from kilonova.objects.server import TaskState, VmState
from kilonova.operations import host_loads, store
from kilonova.operations.accept import Acceptance, new_operation
from kilonova.operations.host_loads import loads_txn
from kilonova.operations.host_snapshots import HostSnapshots
from kilonova.operations.plans import boot
from kilonova.scheduler.hosts import HostLoad, Look
from unit.operations.rig import CELL1, Rig, play, server

LINUX = {"os_type": "linux"}


def test_loads__servers_that_live_work_or_failed__counted_for_their_hosts_as_far_as_asked() -> None:
    async def work(rig: Rig) -> None:
        database = (await rig.parts("process")).cells.get(CELL1).database
        states = [
            (VmState.ACTIVE, None, "a"),
            (VmState.BUILDING, TaskState.SPAWNING, "a"),
            (VmState.ACTIVE, TaskState.IMAGE_SNAPSHOT, "a"),
            (VmState.ACTIVE, TaskState.REBOOTING, "b"),
            (VmState.SHELVED_OFFLOADED, None, None),
        ]
        for number, (vm_state, task_state, host) in enumerate(states, 1):
            there = msgspec.structs.replace(
                server(number),
                vm_state=vm_state,
                task_state=task_state,
                host=None if host is None else HostName(host),
                image_properties=LINUX,
            )
            await database.write(store.server_insert_txn, there)
        asked = Acceptance(operation_id="o", request_id="r", project_id="p", user_id="u")
        operation = msgspec.structs.replace(new_operation(boot.PLAN, server(1).id, {}, asked, 0.0), host=HostName("c"))
        await database.write(operation_store.event_add_txn, operation, "failed", "burnt", step=host_loads.BUILDING)
        assert await database.read(loads_txn, Look.SERVERS) == {
            "a": HostLoad(servers=3, io_ops=2),
            "b": HostLoad(servers=1),
        }
        assert await database.read(loads_txn, Look.FAILURES) == {"c": HostLoad(failed_builds=1)}
        images = await database.read(loads_txn, Look.IMAGES)
        assert images == {"a": HostLoad(images=(LINUX,) * 3), "b": HostLoad(images=(LINUX,))}

    play(work)


def test_take__a_scheduler_that_looks_at_servers__their_number_is_in_the_snapshot() -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts("host-1", "host-2")
        parts = await rig.parts("process")
        there = msgspec.structs.replace(server(1), vm_state=VmState.ACTIVE, host=HostName("host-2"))
        await parts.cells.get(CELL1).database.write(store.server_insert_txn, there)
        snapshots = HostSnapshots(parts.runtime, parts.database, parts.cells, parts.hosts, Look.SERVERS)
        _, states = await snapshots.take(server(2))
        assert [state.load.servers for state in states] == [0, 1]
        assert [state.load.servers for state in (await parts.snapshots.take(server(2)))[1]] == [0, 0]

    play(work)


def test_building__is_the_step_that_makes_guests() -> None:
    assert boot.PLAN.step(host_loads.BUILDING).elsewhere
