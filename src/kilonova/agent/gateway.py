"""A cell's gateway: what an agent may read and write. Every method is about the agent's own hosts and nothing else."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, exists

from kilonova.agent import observation
from kilonova.cells.cells import Cell
from kilonova.cells.hosts import agent_beat_txn, agent_wire_txn, hosts_register_txn
from kilonova.database.database import Transaction
from kilonova.database.tables.cell_database import hosts
from kilonova.engine import progress, store
from kilonova.engine.queue import Queue
from kilonova.engine.runner import ended_topic, hosts_topic, move_txn
from kilonova.engine.store import operations
from kilonova.kernel.ids import HostName, OperationId
from kilonova.objects.guest import Guest, HostDescription
from kilonova.objects.history import wire
from kilonova.objects.history.wire import WIRE
from kilonova.objects.host_step import HostReport, HostStep, Order
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server
from kilonova.operations import discovery, projection
from kilonova.operations.catalog import CELL_PLANS
from kilonova.operations.host_work import HostWork
from kilonova.operations.store import server_find_txn
from kilonova.operations.work import Parts

LEASE_S = 15.0
"""An agent renews it while it works on a step; one that stops loses its steps after this time."""

STEPS_AT_ONCE = 64

LOOK_EVERY_S = 1.0
"""How often it looks while an agent waits for steps: a hint that is lost costs no more."""

# Asked of each live operation at a host, of which there are few, and not the other way round: an agent may serve thousands.
_is_the_agents = exists().where(hosts.c.name == operations.c.host, hosts.c.agent == bindparam("agent"))
_OF_AGENT = Queue(and_(operations.c.host.is_not(None), _is_the_agents))


class Gateway:
    """The gateway of one cell, in the cell's own process. Implements `GatewayClient`."""

    def __init__(self, parts: Parts, cell: Cell) -> None:
        """Serve the agents of `cell`."""
        self._runtime = parts.runtime
        self._bus = parts.bus
        self._cell = cell
        self._database = cell.database

    async def register(self, agent: str, newest: str, descriptions: bytes) -> str:
        """See `GatewayClient.register`."""
        level = wire.agreed(WIRE, newest)
        found = wire.read(WIRE, descriptions, HostDescription)
        await self._database.write(hosts_register_txn, agent, level.label, found, self._runtime.uuid)
        self._bus.hint(discovery.TOPIC)
        return level.label

    async def beat(self, agent: str) -> float:
        """See `GatewayClient.beat`: with the agent, each of its hosts is there."""
        return await self._database.write(agent_beat_txn, agent)

    async def renew(self, agent: str, held: Sequence[tuple[OperationId, int]]) -> dict[OperationId, str]:
        """See `GatewayClient.renew`."""
        return await self._database.write(_renew_txn, agent, held)

    async def poll(self, agent: str, wait_s: float) -> bytes:
        """See `GatewayClient.poll`."""
        if not await self._due(agent, wait_s):
            return wire.told(WIRE.newest, [], HostStep)
        label, claimed = await self._database.write(_claim_txn, agent)
        steps = [self._step(operation, server) for operation, server in claimed]
        return wire.told(wire.agreed(WIRE, label), steps, HostStep)

    async def report(self, agent: str, report: bytes) -> bool:
        """See `GatewayClient.report`."""
        (said,) = wire.read(WIRE, report, HostReport)
        moved = await self._database.write(_report_txn, agent, said)
        if moved is None:
            return False
        if not moved.state.live:
            self._bus.hint(ended_topic(self._cell.topic))
        else:
            self._bus.hint(self._cell.topic if moved.host is None else hosts_topic(self._cell.topic))
        return True

    async def observe(self, agent: str, guests: bytes, seen_after: float) -> bytes:
        """See `GatewayClient.observe`."""
        shown = wire.read(WIRE, guests, Guest)
        label, differences = await self._database.scan(_compare_txn, agent, shown, seen_after)
        orders: list[Order] = []
        if differences:
            orders, repairs = await self._database.write(
                observation.settle_txn, differences, seen_after, self._runtime.uuid
            )
            if repairs:
                self._bus.hint(hosts_topic(self._cell.topic))
        return wire.told(wire.agreed(WIRE, label), orders, Order)

    async def _due(self, agent: str, wait_s: float) -> bool:
        """Whether there are steps for the agent's hosts, now or before `wait_s` seconds have passed."""
        give_up_at = self._runtime.monotonic() + wait_s
        listener = self._bus.listen(hosts_topic(self._cell.topic))
        try:
            while True:
                due_in_s = await self._database.read(_OF_AGENT.next_due_in_txn, agent=agent)
                if due_in_s is not None and due_in_s <= 0:
                    return True
                left_s = give_up_at - self._runtime.monotonic()
                if left_s <= 0:
                    return False
                soon_s = LOOK_EVERY_S if due_in_s is None else min(LOOK_EVERY_S, due_in_s)
                await listener.wait(min(left_s, soon_s))
        finally:
            listener.close()

    def _step(self, operation: Operation, server: Server) -> HostStep:
        undo = operation.state is OperationState.UNDOING
        step = CELL_PLANS[operation.kind].step(operation.step)
        action_of = step.undo_on_host if undo else step.on_host
        assert action_of is not None, "a host's step says what the host has to do"
        return HostStep(
            operation_id=operation.id,
            epoch=operation.epoch,
            kind=operation.kind,
            step=operation.step,
            undo=undo,
            server_id=operation.server_id,
            host=HostName(str(operation.host)),
            generation=operation.params["generation"],
            timeout_s=step.timeout_s,
            action=action_of(HostWork(operation, server, self._runtime.token)),
        )


def _claim_txn(tx: Transaction, agent: str) -> tuple[str, list[tuple[Operation, Server]]]:
    """The level to speak at, and the operations that are the agent's now, with their servers."""
    found = []
    for operation in _OF_AGENT.claim_txn(tx, agent, LEASE_S, STEPS_AT_ONCE, agent=agent):
        server = server_find_txn(tx, operation.server_id)
        assert server is not None, "operations of a cell are about its servers"
        found.append((operation, server))
    return agent_wire_txn(tx, agent), found


def _renew_txn(tx: Transaction, agent: str, held: Sequence[tuple[OperationId, int]]) -> dict[OperationId, str]:
    """Which leases are the agent's still, and what is wished about their steps."""
    ours = store.operations_renew_txn(tx, agent, held, LEASE_S)
    wishes = store.wishes_txn(tx, ours)
    return {id_: wishes.get(id_, "") for id_, _ in held if id_ in ours}


def _report_txn(tx: Transaction, agent: str, report: HostReport) -> Operation | None:
    """Move the operation on, if the agent still has its lease: an answer that was repeated counts once."""
    operation = store.operation_get_txn(tx, report.operation_id)
    if operation is None or operation.epoch != report.epoch or operation.owner != agent or operation.host is None:
        return None
    outcome: progress.Outcome
    if report.error is not None:
        outcome = progress.Failed(report.error, final=report.final)
    else:
        outcome = progress.Done({**_shown(report.guest), **report.outputs})
    return move_txn(tx, CELL_PLANS[operation.kind], operation, outcome, projection.project_txn)


def _compare_txn(
    tx: Transaction, agent: str, guests: Sequence[Guest], seen_after: float
) -> tuple[str, observation.Differences]:
    return agent_wire_txn(tx, agent), observation.compare_txn(tx, agent, guests, seen_after)


def _shown(guest: Guest | None) -> dict[str, object]:
    if guest is None:
        return {}
    return {"power_state": int(guest.power_state), "ssh_port": guest.ssh_port}
