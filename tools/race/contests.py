"""The contests: what each process does, and what must hold afterwards.

A process returns what it counted. A judge returns what is wrong, a sentence each.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

from sqlalchemy import select

from kilonova.cells.cells import CellRecord, DuplicateCell, cell_add_txn
from kilonova.database.database import Database, Transaction
from kilonova.database.tables import api_database
from kilonova.engine.queue import CONTROL
from kilonova.engine.store import operation_insert_txn
from kilonova.kernel.errors import OverLimit
from kilonova.kernel.ids import CellId, OperationId, ProjectId, ServerId, UserId
from kilonova.objects.operation import Operation
from kilonova.objects.server import Server
from kilonova.operations.quota import DEFAULTS, ledger_add_txn
from kilonova.placement.placement import Placement
from kilonova.placement.queries import holdings_txn
from kilonova.placement.shapes import CandidateQuery, Claim, Claimed, Crowded, Full, Inventory, ProviderSpec, SpreadSet
from kilonova.runtime.runtime import Runtime

HOSTS = 40
VCPUS = 8
TAKEN = 4
"""Of each host's processors, before the contest: hosts are nearly full."""
GROUP_HOSTS = 60
OPERATIONS = 200
NAMES = 25
QUOTA = 30
ROUNDS = 20
GROUP = "group"

Tally = Counter[str]


@dataclass(frozen=True)
class Contest:
    """One of them, on the database `database`."""

    says: str
    """What must hold."""
    database: str
    prepare: Callable[[Database], Awaitable[None]]
    compete: Callable[[Database, Runtime, int], Awaitable[Tally]]
    """What process number N does."""
    judge: Callable[[Database, Sequence[Tally]], Awaitable[list[str]]]


def uuid_of(kind: int, number: int) -> str:
    """An id that says what it is of."""
    return f"{kind:08}-0000-4000-8000-{number:012}"


def _claim(consumer: str, provider: str, vcpus: int, spread: SpreadSet | None = None) -> Claim:
    return Claim(
        consumer=consumer,
        generation=None,
        allocations={provider: {"VCPU": vcpus}},
        project_id="project",
        user_id="user",
        spread=spread,
    )


def _hosts(number: int) -> Callable[[Database], Awaitable[None]]:
    async def prepare(database: Database) -> None:
        placement = Placement(database)
        inventories = {"VCPU": Inventory(total=VCPUS)}
        specs = [ProviderSpec(uuid=uuid_of(1, n), name=f"host-{n}", inventories=inventories) for n in range(number)]
        await placement.providers_ensure(specs)
        if number == HOSTS:
            for n in range(number):
                assert isinstance(await placement.claim(_claim(uuid_of(2, n), uuid_of(1, n), TAKEN)), Claimed)

    return prepare


async def _fill(database: Database, runtime: Runtime, number: int) -> Tally:
    """Schedule servers of one processor until no host has room: read the candidates, choose, claim, and again where refused."""
    placement, tally = Placement(database), Tally()
    for server in range(HOSTS * VCPUS):
        while hosts := (await placement.candidates(CandidateQuery(resources={"VCPU": 1}))).uuids:
            chosen = hosts[int(runtime.random() * len(hosts))]
            answer = await placement.claim(_claim(uuid_of(10 + number, server), chosen, 1))
            if isinstance(answer, Claimed):
                tally["granted"] += 1
                break
            tally["refused"] += 1
        else:
            return tally
    return tally


async def _judge_filled(database: Database, tallies: Sequence[Tally]) -> list[str]:
    placement = Placement(database)
    books, wrong = await placement.books(), []
    granted, room = sum(tally["granted"] for tally in tallies), HOSTS * (VCPUS - TAKEN)
    if granted != room:
        wrong.append(f"{granted} were granted, and there was room for {room}")
    if books.unbalanced or books.beyond:
        wrong.append(f"{len(books.unbalanced)} inventories don't balance, {len(books.beyond)} are overcommitted")
    for root in books.roots:
        claims = len(await database.read(_holders_txn, root.uuid))
        if root.generation != claims:
            wrong.append(f"{root.name} has generation {root.generation} after {claims} claims: an update was lost")
    return wrong


def _holders_txn(tx: Transaction, provider: str) -> list[str]:
    return [holding.consumer for holding in holdings_txn(tx, provider)]


async def _spread(database: Database, runtime: Runtime, number: int) -> Tally:
    """25 creates in one anti-affinity group."""
    placement, tally = Placement(database), Tally()
    for server in range(25):
        while free := sorted({uuid_of(1, n) for n in range(GROUP_HOSTS)} - set(await placement.spread_members(GROUP))):
            provider = free[int(runtime.random() * len(free))]
            member = SpreadSet(id=GROUP, provider=provider, most=1)
            answer = await placement.claim(_claim(uuid_of(10 + number, server), provider, 1, member))
            if isinstance(answer, Claimed):
                tally["granted"] += 1
                break
            assert isinstance(answer, Crowded)
            tally["refused"] += 1
    return tally


async def _judge_spread(database: Database, tallies: Sequence[Tally]) -> list[str]:
    members = await Placement(database).spread_members(GROUP)
    granted = sum(tally["granted"] for tally in tallies)
    wrong = [f"{count} members are on {host}" for host, count in members.items() if count != 1]
    if not granted == len(members) == min(GROUP_HOSTS, 25 * len(tallies)):
        wrong.append(f"{granted} were granted, and {len(members)} of {GROUP_HOSTS} hosts have a member")
    return wrong


async def _same_consumer(database: Database, _runtime: Runtime, number: int) -> Tally:
    """Claim for consumers for which everybody else claims too, something else each."""
    placement, tally = Placement(database), Tally()
    for consumer in range(ROUNDS):
        provider = uuid_of(1, (8 * consumer + number) % 64)  # so that none is full
        answer = await placement.claim(_claim(uuid_of(3, consumer), provider, 1))
        tally["granted"] += isinstance(answer, Claimed)
        assert not isinstance(answer, Full)
    return tally


async def _judge_consumers(database: Database, tallies: Sequence[Tally]) -> list[str]:
    granted, books = sum(tally["granted"] for tally in tallies), await Placement(database).books()
    wrong = [] if granted == ROUNDS else [f"{granted} were granted for {ROUNDS} consumers"]
    return wrong if not books.unbalanced else [*wrong, "inventories don't balance"]


async def _use_quota(database: Database, _runtime: Runtime, number: int) -> Tally:
    """Enter servers into the ledger until the quota refuses."""
    tally, limits = Tally(), {**DEFAULTS, "instances": QUOTA, "cores": -1, "ram": -1}
    flavor = SimpleNamespace(vcpus=1, memory_mb=64)
    for n in range(QUOTA):
        server = SimpleNamespace(id=uuid_of(10 + number, n), project_id="project", user_id="user", flavor=flavor)
        try:
            await database.write(ledger_add_txn, limits, [cast("Server", server)])
        except OverLimit:
            tally["refused"] += 1
            break
        tally["granted"] += 1
    return tally


async def _judge_quota(database: Database, tallies: Sequence[Tally]) -> list[str]:
    lines = await database.read(_count_txn)
    granted = sum(tally["granted"] for tally in tallies)
    return [] if granted == lines == QUOTA else [f"{granted} were granted and {lines} are there of {QUOTA}"]


def _count_txn(tx: Transaction) -> int:
    return len(tx.execute(select(api_database.quota_ledger.c.server_id)).all())


async def _queue(database: Database) -> None:
    def insert_txn(tx: Transaction) -> None:
        for n in range(OPERATIONS):
            operation_insert_txn(tx, _operation(n))

    await database.write(insert_txn)


def _operation(number: int) -> Operation:
    return Operation(
        id=OperationId(uuid_of(4, number)),
        server_id=ServerId(uuid_of(5, number)),
        project_id=ProjectId("project"),
        user_id=UserId("user"),
        request_id="req-1",
        kind="boot",
        deadline=1e12,
        created_at=0.0,
        updated_at=0.0,
    )


async def _lease(database: Database, _runtime: Runtime, number: int) -> Tally:
    """Take the leases of operations until there are none to take."""
    tally = Tally()
    while taken := await database.write(CONTROL.claim_txn, f"worker-{number}", 3600.0, 5):
        tally.update(operation.id for operation in taken)
    return tally


async def _judge_leases(database: Database, tallies: Sequence[Tally]) -> list[str]:
    taken = sum(tallies, Tally())
    twice = [id_ for id_, times in taken.items() if times > 1]
    epochs = await database.read(lambda tx: set(tx.execute(select(api_database.operations.c.epoch)).scalars()))
    wrong = [f"{id_} was taken twice" for id_ in twice]
    if len(taken) != OPERATIONS or epochs != {1}:
        wrong.append(f"{len(taken)} of {OPERATIONS} were taken; their epochs are {sorted(epochs)}")
    return wrong


async def _take_names(database: Database, _runtime: Runtime, number: int) -> Tally:
    """Look whether a name is there, and add it where it is not: cells, each with an id of its own."""
    tally = Tally()
    for n in range(NAMES):
        id_ = CellId(uuid_of(10 + number, n))
        record = CellRecord(id=id_, name=f"cell{n}", database_url=id_, bus_url="", disabled=False, created_at=0.0)
        try:
            await database.write(cell_add_txn, record)
        except DuplicateCell:
            tally["refused"] += 1
        else:
            tally["granted"] += 1
    return tally


async def _judge_names(database: Database, tallies: Sequence[Tally]) -> list[str]:
    names = await database.read(lambda tx: tx.execute(select(api_database.cells.c.name)).scalars().all())
    granted = sum(tally["granted"] for tally in tallies)
    return [] if granted == len(names) == NAMES else [f"{granted} were granted, {len(names)} of {NAMES} are there"]


async def _nothing(_database: Database) -> None:
    """Begin with empty tables."""


CONTESTS = {
    "claims": Contest("hosts are filled and never overcommitted", "placement", _hosts(HOSTS), _fill, _judge_filled),
    "group": Contest("no two members are on one host", "placement", _hosts(GROUP_HOSTS), _spread, _judge_spread),
    "consumers": Contest(
        "of two claims with one generation one wins", "placement", _hosts(64), _same_consumer, _judge_consumers
    ),
    "quota": Contest("a project has what its quota allows", "api", _nothing, _use_quota, _judge_quota),
    "leases": Contest("an operation has one worker", "api", _queue, _lease, _judge_leases),
    "names": Contest("a name is given once", "api", _nothing, _take_names, _judge_names),
}
