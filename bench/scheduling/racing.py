"""Many schedulers at once, each a process of its own, on nearly full hosts: is anything overcommitted, how much is done again?"""

import asyncio
import multiprocessing
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.scheduling.durable import owner
from bench.scheduling.fleets import Imagined, amounts
from kilonova.database.database import Database
from kilonova.database.sqlite import SqliteDatabase
from kilonova.kernel.errors import Unavailable
from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Stale
from kilonova.runtime.real import RealRuntime
from kilonova.scheduler.decide import NoValidHost
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest
from kilonova.scheduler.service import Owner, Placed, Scheduler

T = TypeVar("T")

SCHEDULERS = 8
BATCH = 16
HOST = (4, 16, 40)
"""Room for four of the smallest flavor, and for less of others."""
FLAVORS = ((1, 4, 10), (2, 8, 20))
FULL = 0.95
"""How much of the room is asked for: nearly all."""


class Raced(msgspec.Struct, frozen=True):
    """How it went."""

    placed: int
    refused: int
    repeated: int
    """Decisions that were made again."""
    overcommitted: int
    """Inventories with more used than there is, or with other sums than their allocations."""


Opener = Callable[[RealRuntime], Database]
"""Opens the one database of all; the tables are there or are made by the caller."""


def sqlite(path: Path, runtime: RealRuntime) -> SqliteDatabase:
    """The file at `path`. With `functools.partial` it is an `Opener`; another kind of database is another function like it."""
    return SqliteDatabase("placement", path, runtime)


def raced(open_: Opener, count: int) -> Raced:
    """Let eight processes fill so many hosts; the database is empty and has its tables."""
    asyncio.run(_with_placement(open_, _world(count).register))
    wanted = int(count * HOST[0] * FULL / (sum(flavor[0] for flavor in FLAVORS) / len(FLAVORS)) / SCHEDULERS)
    with multiprocessing.get_context("spawn").Pool(SCHEDULERS) as pool:
        results = pool.starmap(_fill, [(open_, count, wanted, number) for number in range(SCHEDULERS)], chunksize=1)
    books = asyncio.run(_with_placement(open_, lambda placement: placement.books()))
    placed, refused, repeated = (sum(column) for column in zip(*results, strict=True))
    return Raced(placed, refused, repeated, len(books.beyond) + len(books.unbalanced))


def _world(count: int) -> Imagined:
    return Imagined(count, filled=False, models=[HOST])


def _fill(open_: Opener, count: int, wanted: int, number: int) -> tuple[int, int, int]:
    """One process: place so many servers. How many were placed, how many refused, how many decisions were made again."""

    async def work(placement: Placement) -> tuple[int, int, int]:
        runtime, chance, hosts = RealRuntime(), random.Random(number), _world(count).hosts
        scheduler, placed = Scheduler(placement, runtime), 0
        for _ in range(0, wanted, BATCH):
            wishes = [
                (ServerRequest(resources=amounts(chance.choice(FLAVORS))), owner(runtime.uuid())) for _ in range(BATCH)
            ]
            answers = await _placed(scheduler, wishes, hosts)
            placed += sum(isinstance(answer, Placed) for answer in answers)
        return placed, -(-wanted // BATCH) * BATCH - placed, scheduler.repeated

    return asyncio.run(_with_placement(open_, work))


async def _placed(
    scheduler: Scheduler, wishes: Sequence[tuple[ServerRequest, Owner]], hosts: Sequence[HostState]
) -> list[Placed | NoValidHost | Stale]:
    """The answers, once the database that eight processes write to has had time for this one."""
    while True:
        with suppress(Unavailable):
            return await scheduler.place_each(wishes, hosts)


async def _with_placement(open_: Opener, work: Callable[[Placement], Awaitable[T]]) -> T:
    database = open_(RealRuntime())
    try:
        return await work(Placement(database))
    finally:
        await database.close()
