"""Cancel: the delete of a server that was nowhere yet. It takes the place of the boot request and inherits what that did.

Whatever the boot's last worker still does comes too late: the claim's consumer is bumped, and the server's id is taken in the
cell by a deleted row, so that a late hand-over finds it there. If the hand-over came first, the cell's own delete does the rest.
"""

from kilonova.database.database import Transaction
from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.engine.runner import TooEarly
from kilonova.kernel.ids import CELL0, CellId
from kilonova.objects.operation import Operation
from kilonova.objects.server import Server, VmState
from kilonova.operations import accept, notices, store
from kilonova.operations.work import Work

DEADLINE_S = 30 * 24 * 3600.0
"""Nobody waits for it: it may outlast the outage of a cell."""
ASK_AGAIN_S = 2.0


async def bury(work: Work) -> Outputs:
    """Take the server's id in the cell it was meant for, or delete it there."""
    cell = work.parts.cells.get(CellId(work.operation.outputs.get("cell_id", CELL0)))
    new_id = work.parts.runtime.uuid()
    server = await work.database.read(store.server_find_txn, work.operation.server_id)
    assert server is not None, "a request and its server go together"
    handed_over = await cell.database.write(_bury_txn, work.operation, server, new_id)
    if handed_over:
        work.parts.bus.hint(cell.topic)
    return {"cell_id": cell.id, "handed_over": handed_over}


async def release(work: Work) -> Outputs:
    """Give the claim back; where the cell's delete will, wait for it, because lists leave the server out for so long."""
    if not work.operation.outputs["handed_over"]:
        await work.release_claim()
        return {}
    cell = work.parts.cells.get(CellId(work.operation.outputs["cell_id"]))
    there = await cell.database.read(store.server_find_txn, work.operation.server_id)
    if there is not None and there.vm_state is not VmState.DELETED:
        raise TooEarly(ASK_AGAIN_S, "the cell is deleting the server")
    return {}


def _bury_txn(tx: Transaction, operation: Operation, server: Server, new_id: str) -> bool:
    """Whether the cell has the server, and its own delete goes on with it. `server` is deleted already."""
    there = store.server_find_txn(tx, server.id)
    if there is None:
        store.server_insert_txn(tx, server)
        notices.cancelled_txn(tx, server, operation)
        return False
    if there.vm_state is VmState.DELETED:
        return False
    accept.delete_txn(tx, server.id, accept.Acceptance.of(operation, new_id))
    return True


PLAN: Plan[Work] = Plan(
    kind="cancel",
    deadline_s=DEADLINE_S,
    steps=(
        Step(name="bury", ensure=bury, retries=1_000_000),
        Step(name="release", ensure=release, retries=1_000_000),
    ),
)
