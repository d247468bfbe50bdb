"""A cell's gateway: what an agent may read and write. Every method is about the agent's own hosts and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import and_, bindparam, exists, select

from kilonova.agent import observation
from kilonova.agent.gateway_client import Registered
from kilonova.agent.observation import Sight, Strays
from kilonova.cells.agents import AgentReplaced, agent_epoch_txn, agent_wire_txn
from kilonova.cells.cells import Cell
from kilonova.cells.hosts import agent_beat_txn, host_served_txn, hosts_register_txn
from kilonova.database.database import Transaction
from kilonova.database.tables.cell_database import agents, hosts
from kilonova.engine import progress, store
from kilonova.engine.counters import Counted, count_txn
from kilonova.engine.queue import Queue
from kilonova.engine.runner import ended_topic, hosts_topic, move_txn
from kilonova.engine.store import operations
from kilonova.kernel.ids import HostName, OperationId
from kilonova.objects.guest import Guest, HostDescription
from kilonova.objects.history import wire
from kilonova.objects.history.wire import WIRE
from kilonova.objects.host import DOWN_AFTER_S, WITHOUT_EPOCHS, Session
from kilonova.objects.host_step import HostReport, HostStep, Order
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server
from kilonova.operations import discovery, projection
from kilonova.operations.catalog import CELL_PLANS
from kilonova.operations.host_work import HostWork
from kilonova.operations.store import server_find_txn
from kilonova.operations.work import Parts

T = TypeVar("T")

LEASE_S = 15.0
"""An agent renews it while it works on a step; one that stops loses its steps after this time."""

STEPS_AT_ONCE = 64

LOOK_EVERY_S = 1.0
"""How often it looks while an agent waits for steps: a hint that is lost costs no more."""

# Asked of each live operation at a host, of which there are few, and not the other way round: an agent may serve thousands.
_is_the_agents = (
    hosts.c.name == operations.c.host,
    hosts.c.agent == bindparam("agent"),
    hosts.c.epoch == bindparam("served_at"),
)
# A host that is down, or has just come back, gets no work: operations may have gone on without it, so it settles first.
_works = (
    hosts.c.forced_down.is_(False),
    hosts.c.quarantined_at.is_(None),
    exists().where(agents.c.name == hosts.c.agent, agents.c.heartbeat_at >= bindparam("heard_since")),
)
_OF_AGENT = Queue(and_(operations.c.host.is_not(None), exists().where(*_is_the_agents, *_works)))
_on_its_hosts = select(operations.c.id).where(
    operations.c.id.in_(bindparam("keys", expanding=True)), exists().where(*_is_the_agents)
)


class Gateway:
    """The gateway of one cell, in the cell's own process. Implements `GatewayClient`."""

    def __init__(self, parts: Parts, cell: Cell, strays: Strays | None = None) -> None:
        """Serve the agents of `cell`; `strays` says what becomes of guests and records that don't belong together."""
        self._runtime = parts.runtime
        self._bus = parts.bus
        self._cell = cell
        self._database = cell.database
        self._strays = strays or Strays()

    async def register(
        self, agent: str, newest: str, descriptions: bytes, session: Session = WITHOUT_EPOCHS
    ) -> Registered:
        """See `GatewayClient.register`."""
        level = wire.agreed(WIRE, newest)
        found = wire.read(WIRE, descriptions, HostDescription)
        answer = await self._database.write(_register_txn, agent, level.label, found, self._runtime.uuid, session)
        self._bus.hint(discovery.TOPIC)
        return answer

    async def beat(self, agent: str, epoch: int = 0) -> float:
        """See `GatewayClient.beat`: with the agent, each of its hosts is there."""
        return _current(agent, await self._database.write(_beat_txn, agent, epoch))

    async def renew(
        self, agent: str, held: Sequence[tuple[OperationId, int]], epoch: int = 0
    ) -> dict[OperationId, str]:
        """See `GatewayClient.renew`."""
        return _current(agent, await self._database.write(_renew_txn, agent, held, epoch))

    async def poll(self, agent: str, wait_s: float, epoch: int = 0) -> bytes:
        """See `GatewayClient.poll`."""
        if not await self._due(agent, wait_s, epoch):
            return wire.told(WIRE.newest, [], HostStep)
        claimed = _current(agent, await self._database.write(_claim_txn, agent, epoch))
        steps = [self._step(operation, server, claimed.epoch) for operation, server in claimed.found]
        return wire.told(wire.agreed(WIRE, claimed.level), steps, HostStep)

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

    async def observe(self, agent: str, guests: bytes, seen_after: float, epoch: int = 0) -> bytes:
        """See `GatewayClient.observe`."""
        shown = wire.read(WIRE, guests, Guest)
        level, differences = await self._database.scan(_compare_txn, agent, epoch, self._sight(shown, seen_after))
        orders: list[Order] = []
        if differences is None or differences:
            settled = await self._database.write(
                _settle_txn, agent, epoch, differences, self._sight(shown, seen_after), self._runtime.uuid
            )
            settled = _current(agent, settled)
            orders = settled.orders
            if settled.work:
                self._bus.hint(hosts_topic(self._cell.topic))
        return wire.told(wire.agreed(WIRE, level), orders, Order)

    def _sight(self, shown: Sequence[Guest], seen_after: float) -> Sight:
        return Sight(guests=shown, seen_after=seen_after, cell_id=self._cell.id, strays=self._strays)

    async def _due(self, agent: str, wait_s: float, epoch: int) -> bool:
        """Whether there are steps for the agent's hosts, now or before `wait_s` seconds have passed.

        Also when the agent was replaced: it is told so then.
        """
        give_up_at = self._runtime.monotonic() + wait_s
        listener = self._bus.listen(hosts_topic(self._cell.topic))
        try:
            while True:
                due_in_s = await self._database.read(_due_in_txn, agent, epoch)
                if due_in_s is not None and due_in_s <= 0:
                    return True
                left_s = give_up_at - self._runtime.monotonic()
                if left_s <= 0:
                    return False
                soon_s = LOOK_EVERY_S if due_in_s is None else min(LOOK_EVERY_S, due_in_s)
                await listener.wait(min(left_s, soon_s))
        finally:
            listener.close()

    def _step(self, operation: Operation, server: Server, host_epoch: int) -> HostStep:
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
            action=action_of(HostWork(operation, server, self._cell.id, self._runtime.token)),
            host_epoch=host_epoch,
        )


@dataclass(frozen=True)
class _Claimed:
    """Operations whose steps an agent has now, with their servers; the level to speak at, and the epoch of the hosts."""

    level: str
    epoch: int
    found: Sequence[tuple[Operation, Server]]


def _current(agent: str, answer: T | None) -> T:
    """The answer of a transaction. Raises `AgentReplaced` for none, which stands for an agent whose place another has taken."""
    if answer is None:
        raise AgentReplaced(agent=agent)
    return answer


def _epoch_txn(tx: Transaction, agent: str, epoch: int) -> int | None:
    """See `agent_epoch_txn`: one that counts for nothing is counted."""
    served_at = agent_epoch_txn(tx, agent, epoch)
    if served_at is None:
        count_txn(tx, Counted.EPOCHS_REJECTED)
    return served_at


def _register_txn(
    tx: Transaction,
    agent: str,
    level: str,
    found: Sequence[HostDescription],
    new_uuid: Callable[[], str],
    session: Session,
) -> Registered:
    epoch, held = hosts_register_txn(tx, agent, level, found, new_uuid, session)
    return Registered(level=level, epoch=epoch, held=held, time=tx.now)


def _beat_txn(tx: Transaction, agent: str, epoch: int) -> float | None:
    if _epoch_txn(tx, agent, epoch) is None:
        return None
    return agent_beat_txn(tx, agent, epoch)


def _due_in_txn(tx: Transaction, agent: str, epoch: int) -> float | None:
    """Seconds until the agent's hosts have something to do; 0 for one that was replaced, None for one that was silent."""
    served_at = agent_epoch_txn(tx, agent, epoch)
    if served_at is None:
        return 0.0
    return _OF_AGENT.next_due_in_txn(tx, agent=agent, served_at=served_at, heard_since=tx.now - DOWN_AFTER_S)


def _claim_txn(tx: Transaction, agent: str, epoch: int) -> _Claimed | None:
    """Take what is due for the agent's hosts; None when the agent was replaced."""
    served_at = _epoch_txn(tx, agent, epoch)
    if served_at is None:
        return None
    found = []
    whose = {"agent": agent, "served_at": served_at, "heard_since": tx.now - DOWN_AFTER_S}
    for operation in _OF_AGENT.claim_txn(tx, agent, LEASE_S, STEPS_AT_ONCE, **whose):
        server = server_find_txn(tx, operation.server_id)
        assert server is not None, "operations of a cell are about its servers"
        found.append((operation, server))
    return _Claimed(agent_wire_txn(tx, agent), served_at, found)


def _renew_txn(
    tx: Transaction, agent: str, held: Sequence[tuple[OperationId, int]], epoch: int
) -> dict[OperationId, str] | None:
    """Which leases are the agent's still, and what is wished about their steps; None when the agent was replaced."""
    served_at = _epoch_txn(tx, agent, epoch)
    if served_at is None:
        return None
    served = {"agent": agent, "served_at": served_at, "keys": [id_ for id_, _ in held]}
    its = set(tx.execute(_on_its_hosts, served).scalars())
    ours = store.operations_renew_txn(tx, agent, [one for one in held if one[0] in its], LEASE_S)
    wishes = store.wishes_txn(tx, ours)
    return {id_: wishes.get(id_, "") for id_, _ in held if id_ in ours}


def _report_txn(tx: Transaction, agent: str, report: HostReport) -> Operation | None:
    """Move the operation on, if the agent still has its lease and the host: an answer that was repeated counts once."""
    operation = store.operation_get_txn(tx, report.operation_id)
    if operation is None or operation.epoch != report.epoch or operation.owner != agent or operation.host is None:
        return None
    served_at = _epoch_txn(tx, agent, report.host_epoch)
    if served_at is None:
        return None
    if not host_served_txn(tx, operation.host, agent, served_at):
        count_txn(tx, Counted.EPOCHS_REJECTED)
        return None
    outcome: progress.Outcome
    if report.error is not None:
        outcome = progress.Failed(report.error, final=report.final)
    else:
        outcome = progress.Done({**_shown(report.guest), **report.outputs})
    return move_txn(tx, CELL_PLANS[operation.kind], operation, outcome, projection.project_txn)


def _compare_txn(tx: Transaction, agent: str, epoch: int, sight: Sight) -> tuple[str, observation.Differences | None]:
    """The level to speak at, and what differs; None for an agent that was replaced."""
    served_at = agent_epoch_txn(tx, agent, epoch)
    if served_at is None:
        return "", None
    return agent_wire_txn(tx, agent), observation.compare_txn(tx, agent, served_at, sight)


def _settle_txn(
    tx: Transaction,
    agent: str,
    epoch: int,
    differences: observation.Differences | None,
    sight: Sight,
    new_uuid: Callable[[], str],
) -> observation.Settled | None:
    """See `observation.settle_txn`; None for an agent that was replaced."""
    served_at = _epoch_txn(tx, agent, epoch)
    if served_at is None or differences is None:
        return None
    return observation.settle_txn(tx, agent, served_at, differences, sight, new_uuid)


def _shown(guest: Guest | None) -> dict[str, object]:
    if guest is None:
        return {}
    return {"power_state": int(guest.power_state), "ssh_port": guest.ssh_port}
