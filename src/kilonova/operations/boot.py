"""Boot, the cell's part: ports, then the guest. What the global level does before is in `schedule.py`."""

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step, Where
from kilonova.network import ports
from kilonova.operations.work import Work

DEADLINE_S = 900.0


async def networking(work: Work) -> Outputs:
    """Give the server its ports on the chosen host."""
    server = await work.server()
    host, zone = work.operation.params["host"], server.availability_zone or ""
    attached = await ports.ports_attach(
        work.parts.networks, server, host, zone, work.operation.params["security_group_ids"]
    )
    return {
        "nics": msgspec.to_builtins([one.nic for one in attached]),
        "guest_nics": msgspec.to_builtins([one.guest for one in attached]),
    }


async def give_back(work: Work) -> None:
    """Give the ports back, then what the global level has claimed in placement."""
    await ports.ports_release(work.parts.networks, await work.server())
    await work.release_claim()


PLAN: Plan[Work] = Plan(
    kind="boot",
    deadline_s=DEADLINE_S,
    secrets=("files", "admin_password"),
    steps=(
        Step(name="networking", ensure=networking, undo=give_back),
        Step(name="spawn", where=Where.HOST, undo_on_host=True, timeout_s=600.0, retries=1),
    ),
)
