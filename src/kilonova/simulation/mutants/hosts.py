"""Mutants of gateways, agents, hypervisors and databases."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import and_, exists

from kilonova.agent import gateway, observation
from kilonova.agent.turns import Turns
from kilonova.cells import agents
from kilonova.cells import hosts as hosts_of
from kilonova.cells.hosts import Hosts
from kilonova.database.database import Transaction
from kilonova.drivers.fake.guest import FakeGuest
from kilonova.engine import progress, store
from kilonova.engine.queue import Queue
from kilonova.engine.runner import move_txn
from kilonova.engine.store import operations
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, PowerState
from kilonova.objects.host_step import HostReport, Order
from kilonova.objects.operation import Operation
from kilonova.operations import projection
from kilonova.operations.catalog import CELL_PLANS
from kilonova.operations.store import server_find_txn
from kilonova.simulation.bus import SimListener
from kilonova.simulation.database import DatabaseServer
from kilonova.simulation.hypervisor import SimDriver
from kilonova.simulation.mutants.mutant import Change, Mutant, Replaced, no_effect, nothing

SYNC_EVERY = 20
"""Commits between two writes to disk of a database that doesn't wait for them."""

_write = DatabaseServer.write
_cut_power = DatabaseServer.cut_power


def _report_anyway(tx: Transaction, agent: str, report: HostReport) -> Operation | None:
    operation = store.operation_get_txn(tx, report.operation_id)
    if operation is None or not operation.state.live or operation.host is None:
        return None
    outcome: progress.Outcome = progress.Done({**gateway._shown(report.guest), **report.outputs})
    if report.error is not None:
        outcome = progress.Failed(report.error, final=report.final)
    return move_txn(tx, CELL_PLANS[operation.kind], operation, outcome, projection.project_txn)


def _news_of_any_time(known: Any, guest: Guest, seen_after: float) -> bool:
    if known.current_op is not None or known.host != guest.host or known.vm_state == "deleted":
        return False
    return guest.power_state is not PowerState.NOSTATE and known.power_state != guest.power_state


def _news_during_operations(known: Any, guest: Guest, seen_after: float) -> bool:
    if known.host != guest.host or known.vm_state == "deleted":
        return False
    return guest.power_state is not PowerState.NOSTATE and known.power_state != guest.power_state


def _order_anyway(tx: Transaction, guest: Guest) -> Order | None:
    server = server_find_txn(tx, guest.server_id)
    if server is None or server.host == guest.host:
        return None
    return Order(server_id=guest.server_id, host=guest.host, generation=server.generation)


def _any_epoch(tx: Transaction, name: str, epoch: int) -> int | None:
    agent = agents.agent_find_txn(tx, name)
    return epoch if agent is None else agent.epoch


def _any_generation(self: SimDriver, host: HostName, server_id: ServerId, generation: int) -> FakeGuest | None:
    return self._hypervisor.on(host).get(server_id)


async def _nobody_owes(self: Hosts) -> frozenset[HostName]:
    return frozenset()


@asynccontextmanager
async def _no_turn(self: Turns, server_id: ServerId) -> AsyncIterator[bool]:
    yield False


def _write_unsynced(self: Any, work: Any, *, commit: bool = True) -> Any:
    result = _write(self, work, commit=commit)
    if self.commits % SYNC_EVERY == SYNC_EVERY // 2 and commit:
        self.synced = self._raw.serialize()
    return result


def _lose_unsynced(self: Any, until: float) -> None:
    _cut_power(self, until)
    if hasattr(self, "synced"):
        self._raw.deserialize(self.synced)


def _settle_at_once(tx: Transaction, agent: str, epoch: int, _seen_after: float, _unsettled: Any) -> bool:
    ended = hosts_of._of_agent.values(quarantined_at=None)
    return tx.execute(ended, {"the_agent": agent, "the_epoch": epoch}).rowcount > 0


_WHATEVER_WAS = Queue(and_(operations.c.host.is_not(None), exists().where(*gateway._is_the_agents)))
"""The steps for an agent's hosts, down or not."""

MUTANTS = (
    Mutant(
        name="report-without-epoch",
        breaks="a report counts, however late it comes and whoever has the operation now",
        changes=(Replaced(gateway._report_txn, _report_anyway),),
        scenarios=("power", "storm"),
    ),
    Mutant(
        name="steps-not-in-turn",
        breaks="an agent does two things to one server at once",
        changes=(Change(Turns, "of", _no_turn),),
        scenarios=("power", "storm"),
    ),
    Mutant(
        name="old-sight-believed",
        breaks="what a hypervisor showed before an operation ended is taken for what it shows after",
        changes=(Replaced(observation._is_news, _news_of_any_time),),
        scenarios=("power",),
    ),
    Mutant(
        name="sight-during-operations",
        breaks="what a hypervisor shows while an operation works on a guest is written into the server's state",
        changes=(Replaced(observation._is_news, _news_during_operations),),
        scenarios=("storm", "cells"),
    ),
    Mutant(
        name="guest-of-live-operation-ended",
        breaks="a guest is ordered away while an operation is bringing its server there",
        changes=(Replaced(observation._order_txn, _order_anyway),),
        scenarios=("storm", "cells"),
    ),
    Mutant(
        name="nothing-ordered-away",
        breaks="a guest that belongs to no living server stays on its host",
        changes=(Replaced(observation._order_txn, lambda _tx, _guest: None),),
    ),
    Mutant(
        name="host-epoch-not-checked",
        breaks="what an agent says counts although another session has taken its hosts",
        changes=(Replaced(agents.agent_epoch_txn, _any_epoch),),
        scenarios=("takeovers",),
    ),
    Mutant(
        name="no-quarantine",
        breaks="a host that was down gets work as soon as it is back",
        changes=(Change(gateway, "_OF_AGENT", _WHATEVER_WAS),),
        scenarios=("takeovers", "host-lost", "evacuations"),
    ),
    Mutant(
        name="quarantine-ends-with-debts",
        breaks="a host that is back gets work before the guests are gone that it still owes the end of",
        changes=(Replaced(hosts_of.hosts_settle_txn, _settle_at_once),),
        scenarios=("takeovers", "host-lost", "evacuations"),
    ),
    Mutant(
        name="missing-guest-not-missed",
        breaks="a server goes on being shown as it was although its guest is gone",
        changes=(Replaced(observation._miss_txn, no_effect),),
        scenarios=("takeovers",),
    ),
    Mutant(
        name="strangers-of-others-ended",
        breaks="a guest that no record knows is ended although it was not made for this cell",
        changes=(Replaced(observation._goes, lambda _guest, _sight: True),),
        scenarios=("takeovers",),
    ),
    Mutant(
        name="driver-without-generation",
        breaks="a driver carries out an order that is older than what was last done to the guest",
        changes=(Change(SimDriver, "_checked", _any_generation),),
        scenarios=("takeovers",),
    ),
    Mutant(
        name="debtors-scheduled",
        breaks="a host that has yet to end a guest gets new servers",
        changes=(Change(Hosts, "owing", _nobody_owes),),
        scenarios=("evacuations", "host-lost"),
    ),
    Mutant(
        name="listeners-kept",
        breaks="a gateway goes on listening for hints after a poll that has its answer",
        changes=(Change(SimListener, "close", no_effect),),
    ),
    Mutant(
        name="guest-not-destroyed",
        breaks="a driver says that a guest is gone, and it isn't",
        changes=(Change(SimDriver, "guest_destroy", nothing),),
    ),
    Mutant(
        name="commits-not-synced",
        breaks="a database answers before what it has committed is on the disk",
        changes=(Change(DatabaseServer, "write", _write_unsynced), Change(DatabaseServer, "cut_power", _lose_unsynced)),
        scenarios=("storm", "cells"),
    ),
)
