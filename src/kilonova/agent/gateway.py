"""A cell's gateway: what an agent may read and write. Every method is about the agent's own hosts and nothing else."""

from collections.abc import Sequence

from sqlalchemy import select

from kilonova.agent import observation
from kilonova.cells.cells import Cell
from kilonova.cells.hosts import agent_beat_txn, hosts_register_txn
from kilonova.database.database import Transaction
from kilonova.database.tables.cell_database import hosts
from kilonova.engine import progress, store
from kilonova.engine.runner import hosts_topic, move_txn
from kilonova.kernel.ids import HostName, OperationId
from kilonova.objects.guest import Guest, HostDescription
from kilonova.objects.host_step import HostReport, HostStep, Order
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server
from kilonova.operations import discovery, projection
from kilonova.operations.guest_spec import guest_spec
from kilonova.operations.plans import CELL_PLANS
from kilonova.operations.store import server_find_txn
from kilonova.operations.work import Parts

LEASE_S = 15.0
"""An agent renews it by asking for work; one that stops asking loses its steps after this time."""

STEPS_AT_ONCE = 64
SEED_BYTES = 32


class Gateway:
    """The gateway of one cell, in the cell's own process."""

    def __init__(self, parts: Parts, cell: Cell) -> None:
        """Serve the agents of `cell`."""
        self._runtime = parts.runtime
        self._bus = parts.bus
        self._cell = cell
        self._database = cell.database

    async def register(self, agent: str, descriptions: Sequence[HostDescription]) -> None:
        """Say which hosts the agent serves, and what they have."""
        await self._database.write(hosts_register_txn, agent, descriptions, self._runtime.uuid)
        self._bus.hint(discovery.TOPIC)

    async def beat(self, agent: str) -> None:
        """Say that the agent, and with it each of its hosts, is there."""
        await self._database.write(agent_beat_txn, agent)

    async def renew(self, agent: str, held: Sequence[tuple[OperationId, int]]) -> set[OperationId]:
        """Renew the leases of steps that are being done; those that are still the agent's."""
        return await self._database.write(store.operations_renew_txn, agent, held, LEASE_S)

    async def poll(self, agent: str, wait_s: float) -> list[HostStep]:
        """Steps for the agent's hosts, each leased to it; waits up to `wait_s` seconds for the first."""
        listener = self._bus.listen(hosts_topic(self._cell.topic))
        mine = select(hosts.c.name).where(hosts.c.agent == agent)
        try:
            due_in_s = await self._database.read(store.next_due_in_txn, hosts=mine)
            if due_in_s is None or due_in_s > 0:
                await listener.wait(wait_s if due_in_s is None else min(wait_s, due_in_s))
                due_in_s = await self._database.read(store.next_due_in_txn, hosts=mine)
            if due_in_s is None or due_in_s > 0:
                return []
        finally:
            listener.close()
        claimed = await self._database.write(_claim_txn, agent)
        return [self._step(operation, server) for operation, server in claimed]

    async def report(self, agent: str, report: HostReport) -> bool:
        """Take what came of a step; False when it came too late and counts for nothing."""
        moved = await self._database.write(_report_txn, report)
        if moved is None:
            return False
        self._bus.hint(self._cell.topic)
        return True

    async def observe(self, agent: str, guests: Sequence[Guest]) -> list[Order]:
        """Take what the hypervisors show; the guests that must go."""
        return await self._database.write(observation.observe_txn, agent, guests)

    def _step(self, operation: Operation, server: Server) -> HostStep:
        undo = operation.state is OperationState.UNDOING
        makes = operation.kind == "boot" and operation.step == "spawn" and not undo
        return HostStep(
            operation_id=operation.id,
            epoch=operation.epoch,
            kind=operation.kind,
            step=operation.step,
            undo=undo,
            server_id=operation.server_id,
            host=HostName(str(operation.host)),
            generation=operation.params["generation"],
            spec=guest_spec(server, operation, self._runtime.token(SEED_BYTES)) if makes else None,
        )


def _claim_txn(tx: Transaction, agent: str) -> list[tuple[Operation, Server]]:
    mine = select(hosts.c.name).where(hosts.c.agent == agent)
    claimed = store.operations_claim_txn(tx, agent, LEASE_S, STEPS_AT_ONCE, hosts=mine)
    found = []
    for operation in claimed:
        server = server_find_txn(tx, operation.server_id)
        assert server is not None, "operations of a cell are about its servers"
        found.append((operation, server))
    return found


def _report_txn(tx: Transaction, report: HostReport) -> Operation | None:
    operation = store.operation_get_txn(tx, report.operation_id)
    if operation is None or operation.epoch != report.epoch or operation.host is None:
        return None
    outcome: progress.Outcome
    if report.error is not None:
        outcome = progress.Failed(report.error, final=report.final)
    else:
        outcome = progress.Done(_outputs(report.guest))
    return move_txn(tx, CELL_PLANS[operation.kind], operation, outcome, projection.project_txn)


def _outputs(guest: Guest | None) -> dict[str, object]:
    if guest is None:
        return {}
    return {"power_state": int(guest.power_state), "ssh_port": guest.ssh_port}
