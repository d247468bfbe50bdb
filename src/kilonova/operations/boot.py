"""Boot, the cell's part: ports, then the guest. What the global level does before is in `schedule.py`."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step, Where
from kilonova.kernel.errors import Unavailable
from kilonova.network import ports
from kilonova.operations.work import TakenOver, Work

T = TypeVar("T")

DEADLINE_S = 900.0
SECRETS = ("files", "admin_password")
"""Params that nobody keeps longer than the boot."""
ASK_AGAIN_S = 1.0


async def networking(work: Work) -> Outputs:
    """Give the server its ports on the chosen host. A worker that was taken over meanwhile takes its own back."""
    server = await work.server()
    host, zone = work.operation.params["host"], server.availability_zone or ""
    networks, attempt = work.parts.networks, work.operation.epoch
    try:
        attached = await ports.ports_attach(
            networks, server, host, zone, work.operation.params["security_group_ids"], attempt=attempt
        )
    finally:
        if await _answered(work, partial(_is_too_late, work)):
            await _answered(work, partial(ports.ports_drop, networks, server, attempt))
    return {
        "nics": msgspec.to_builtins([one.nic for one in attached]),
        "guest_nics": msgspec.to_builtins([one.guest for one in attached]),
    }


async def _is_too_late(work: Work) -> bool:
    """Whether the operation was taken over."""
    try:
        await work.check_lease()
    except TakenOver:
        return True
    return False


async def _answered(work: Work, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer: what a late worker made is known to nobody else."""
    while True:
        try:
            return await ask()
        except Unavailable:
            await work.parts.runtime.sleep(ASK_AGAIN_S)


async def give_back(work: Work) -> None:
    """Give the ports back, then what the global level has claimed in placement."""
    await ports.ports_release(work.parts.networks, await work.server())
    await work.release_claim()


PLAN: Plan[Work] = Plan(
    kind="boot",
    deadline_s=DEADLINE_S,
    secrets=SECRETS,
    steps=(
        Step(name="networking", ensure=networking, undo=give_back),
        Step(name="spawn", where=Where.HOST, undo_on_host=True, timeout_s=600.0, retries=1),
    ),
)
