"""Agents: which session speaks in an agent's name, and when it was heard last. The only module that writes `agents` of a cell.

Two programs may believe that they serve one host: one was frozen while another took over, or somebody started a second one. The
epoch decides: the session that registered last has the highest, and what others say counts for nothing.
"""

import msgspec
from sqlalchemy import bindparam, insert, select, update

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.database.tables.cell_database import agents
from kilonova.kernel.errors import Conflict
from kilonova.objects.host import DOWN_AFTER_S, Session


class AgentReplaced(Conflict):
    """The hosts of agent {agent} were taken by a session that registered later; this one has nothing to do any more."""

    code = "agent-replaced"


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as its cell knows it."""

    name: str
    heartbeat_at: float
    wire: str
    """The level of the wire to speak at with it."""
    epoch: int
    """Of the session that speaks in its name."""
    session: str
    """The id of that session."""
    forgot_at: float | None
    """When a host of its was deleted last."""

    def held_by(self, session: Session) -> bool:
        """Whether `session` is the one that speaks in its name."""
        return self.epoch > 0 and self.session == session.id and session.epoch in {0, self.epoch}

    def speaks(self, epoch: int) -> bool:
        """Whether what is said at `epoch` counts; 0 is what a program says that knows no epochs."""
        return epoch == self.epoch or (epoch == 0 and not self.session)

    def silent(self, now: float) -> bool:
        """Whether its hosts are down because nothing was heard of it."""
        return now - self.heartbeat_at > DOWN_AFTER_S


_columns = tuple(agents.c[name] for name in Agent.__struct_fields__)
_by_name = Prepared(select(*_columns).where(agents.c.name == bindparam("key")))
_of_name = update(agents).where(agents.c.name == bindparam("key"))


def agent_find_txn(tx: Transaction, name: str) -> Agent | None:
    """One agent; None before it has registered."""
    row = tx.execute(_by_name, {"key": name}).mappings().first()
    return None if row is None else Agent(**row)


def agents_silent_txn(tx: Transaction) -> frozenset[str]:
    """The agents of which nothing was heard for so long that their hosts are down."""
    silent = select(agents.c.name).where(agents.c.heartbeat_at < tx.now - DOWN_AFTER_S)
    return frozenset(tx.execute(silent).scalars())


def agent_epoch_txn(tx: Transaction, name: str, epoch: int) -> int | None:
    """The epoch at which an agent serves its hosts, if what it says at `epoch` counts; else None.

    Of an agent that never registered everything counts, and concerns no host.
    """
    agent = agent_find_txn(tx, name)
    if agent is None:
        return epoch
    return agent.epoch if agent.speaks(epoch) else None


def agent_wire_txn(tx: Transaction, name: str) -> str:
    """The level of the wire at which the agent is spoken to; an empty text before it has registered."""
    agent = agent_find_txn(tx, name)
    return "" if agent is None else agent.wire


def agent_take_txn(tx: Transaction, name: str, wire: str, session: Session) -> None:
    """Let `session` speak in the agent's name from now on, at its epoch; it is there."""
    values = {"heartbeat_at": tx.now, "wire": wire, "epoch": session.epoch, "session": session.id}
    if tx.execute(_of_name.values(**values), {"key": name}).rowcount == 0:
        tx.execute(insert(agents), {"name": name, **values})


def agent_speak_txn(tx: Transaction, name: str, wire: str) -> None:
    """Speak with the agent at the level `wire`."""
    tx.execute(_of_name.values(wire=wire), {"key": name})


def agent_heard_txn(tx: Transaction, name: str) -> None:
    """The agent is there."""
    tx.execute(_of_name.values(heartbeat_at=tx.now), {"key": name})


def agent_forgets_txn(tx: Transaction, name: str) -> None:
    """A host of the agent was deleted: it is new only once the agent was heard of after this."""
    tx.execute(_of_name.values(forgot_at=tx.now), {"key": name})
