"""Delete: wins over whatever is being done, and ends although a host is dead: the host owes the guest's end then."""

from kilonova.engine.plan import Outputs, Plan, Step, Where
from kilonova.engine.runner import TooEarly
from kilonova.network.ports import ports_release
from kilonova.operations.work import Work

DEADLINE_S = 24 * 3600.0
FOREVER = 1_000_000
"""Attempts: there is no way back, so each step is tried until the deadline."""


async def ports(work: Work) -> Outputs:
    """Delete the server's own ports and unbind the others."""
    await ports_release(work.parts.networks, await work.server())
    return {}


async def allocation(work: Work) -> Outputs:
    """Give its resources back, and make sure that no claim of an earlier worker can come after."""
    await work.release_claim()
    return {}


async def sweep(work: Work) -> Outputs:
    """When the delete interrupted another operation, look again once that one's last worker must have stopped."""
    fence_until = work.operation.params["fence_until"]
    left_s = fence_until - await work.database.read(lambda tx: tx.now)
    if left_s > 0:
        raise TooEarly(left_s, "a worker of the interrupted operation may still be at work")
    if fence_until > 0:
        await ports(work)
        await allocation(work)
    return {}


PLAN: Plan[Work] = Plan(
    kind="delete",
    deadline_s=DEADLINE_S,
    steps=(
        Step(name="destroy", where=Where.HOST, timeout_s=120.0, retries=FOREVER, tombstone=True),
        Step(name="ports", ensure=ports, retries=FOREVER),
        Step(name="allocation", ensure=allocation, retries=FOREVER),
        Step(name="sweep", ensure=sweep, retries=FOREVER),
    ),
)
