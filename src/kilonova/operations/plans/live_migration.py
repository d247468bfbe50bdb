"""Live migration: a guest moves to another host while it runs, with its disks or on storage that both hosts see.

The guest itself decides: it runs where the hypervisors have brought it. When the source is lost on the way, the destination is
asked whether it has arrived.
"""

from typing import Any

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.engine.progress import LOST_AT
from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import HostName
from kilonova.objects.host_action import Arrived, Destroy, HostAction, Incoming, Migrate
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations import moving, moving_volumes
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work

KIND = "live_migration"
DEADLINE_S = 6 * 3600.0
MIGRATE_S = 3600.0
"""How long the guest's memory, and its disks, may take."""
FOREVER = 1_000_000
"""Attempts: the guest is there, so it is tried until the deadline."""
ABORT, FORCE = "abort", "force"
"""Wishes about a migration under way: the param `wish`."""


class StorageShared(Conflict):
    """The hosts {source} and {dest} share the disks of their guests: no block migration is needed."""

    code = "storage-shared"


class StorageNotShared(Conflict):
    """The hosts {source} and {dest} don't share the disks of their guests: ask for block migration."""

    code = "storage-not-shared"


async def claim(work: Work) -> Outputs:
    """Choose a host and claim it; refuse one on which the disks lie otherwise than was asked (`block`: true, false or None)."""
    found = await moving.claim(work)
    block = work.operation.params.get("block")
    names = {"source": work.operation.params["host"], "dest": found["dest"]}
    if block is True and found["shared"]:
        raise StorageShared(**names)
    if block is False and not found["shared"]:
        raise StorageNotShared(**names)
    return found


def incoming(work: HostWork) -> HostAction:
    """Make ready for it."""
    return Incoming(spec=work.spec(), shared=work.outputs["shared"])


def migrate(work: HostWork) -> HostAction:
    """Move it."""
    return Migrate(incoming=work.outputs["incoming"], shared=work.outputs["shared"])


def arrived(_: HostWork) -> HostAction:
    """Take it; refused as long as it has not arrived."""
    return Arrived()


def destroy(_: HostWork) -> HostAction:
    """End what is left; disks that both hosts see are the running guest's."""
    return Destroy(keep_disks=True)


def is_unsure(operation: Operation) -> bool:
    """Whether its source was lost on the way."""
    return bool(operation.outputs.get(LOST_AT) == "migrate")


async def ports(work: Work) -> Outputs:
    """Bind the ports to where it runs now."""
    await moving.rebind(work, HostName(work.operation.outputs["dest"]), work.operation.outputs["zone"])
    return {}


async def release(work: Work) -> Outputs:
    """Give back what it had where it was."""
    server = await work.server()
    there = moving.arrived(server, work.operation)
    await moving.hold(work, HostName(work.operation.outputs["dest"]), there, work.operation.id)
    return {}


def shown(server: Server, operation: Operation, _now: float) -> Server:
    """Where it goes, from the claim on; at the end it is there."""
    if operation.state is OperationState.DONE:
        return msgspec.structs.replace(moving.arrived(server, operation), move=None)
    return moving.under_way(server, operation, KIND)


def wished(operation: Operation, wish: str) -> dict[str, Any]:
    """The params with a wish about the migration under way."""
    return {**operation.params, "wish": wish}


PLAN: Plan[Work] = Plan(
    kind=KIND,
    deadline_s=DEADLINE_S,
    hosts_tried=3,
    steps=(
        Step(name="claim", ensure=claim, undo=moving.give_back),
        moving_volumes.CONNECT,
        Step(
            name="incoming",
            at="dest",
            on_host=incoming,
            undo_on_host=destroy,
            undo_tombstone=True,
            timeout_s=300.0,
            retries=1,
            elsewhere=True,
        ),
        Step(name="migrate", on_host=migrate, timeout_s=MIGRATE_S, retries=0, goes_on=True),
        Step(name="verify", at="dest", on_host=arrived, when=is_unsure, timeout_s=60.0, retries=5, pivot=True),
        Step(name="arrived", at="dest", on_host=arrived, timeout_s=60.0, retries=FOREVER, goes_on=True),
        Step(name="ports", ensure=ports, retries=FOREVER),
        Step(name="leave", on_host=destroy, tombstone=True, timeout_s=120.0, retries=5),
        moving_volumes.LEAVE,
        Step(name="release", ensure=release, retries=FOREVER),
    ),
)

ACTION = Action(
    kind=KIND,
    name="live-migration",
    starts_in=frozenset({VmState.ACTIVE, VmState.PAUSED}),
    host_up=True,
    walk=during(TaskState.MIGRATING, *(step.name for step in PLAN.steps)),
    effect=shown,
)
