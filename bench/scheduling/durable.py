"""What a placement costs until it is on the disk: SQLite, `synchronous=FULL`, decided and claimed in batches."""

import asyncio
import os
import random
import sqlite3
import sys
import time
from pathlib import Path

import msgspec

from bench.figures import own_mb, rss_mb
from bench.scheduling.fleets import REQUESTS, Imagined
from kilonova.database.sqlite import SqliteDatabase
from kilonova.placement import tables
from kilonova.placement.placement import Placement
from kilonova.runtime.real import RealRuntime
from kilonova.scheduler.request import ServerRequest
from kilonova.scheduler.service import Owner, Placed, Scheduler

BATCHES = (1, 64, 1024)
PLACEMENTS = 20_000
"""Of the largest batch; of smaller ones as many batches."""


class Measured(msgspec.Struct, frozen=True):
    """What was found."""

    per_cpu_s: dict[int, float]
    """Placements by size of the batch."""
    wall_per_s: dict[int, float]
    memory_mb: float
    """Of the process for itself; with `resident_mb` all of it, pages of the database that it maps included."""
    resident_mb: float
    floor_us: float


def main() -> None:
    """`python -m bench.scheduling.durable register|measure HOSTS DIRECTORY`: each in a process of its own; prints JSON."""
    work, count, directory = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if work == "register":
        asyncio.run(register(count, directory))
    else:
        print(msgspec.json.encode(asyncio.run(measured(count, directory))).decode())


async def register(count: int, directory: Path) -> None:
    """Make the database, and so many providers in it."""
    database = SqliteDatabase("placement", directory / "placement.sqlite", RealRuntime())
    try:
        await database.create(tables.metadata)
        await Imagined(count, filled=False).register(Placement(database))
    finally:
        await database.close()


async def measured(count: int, directory: Path) -> Measured:
    """Place servers on so many empty hosts."""
    runtime, hosts = RealRuntime(), Imagined(count, filled=False).hosts
    database = SqliteDatabase("placement", directory / "placement.sqlite", runtime)
    try:
        scheduler, chance = Scheduler(Placement(database), runtime), random.Random(3)

        def wishes(size: int) -> list[tuple[ServerRequest, Owner]]:
            return [(chance.choice(REQUESTS), owner(runtime.uuid())) for _ in range(size)]

        await scheduler.place_each(wishes(500), hosts)
        per_cpu_s, wall_per_s = dict[int, float](), dict[int, float]()
        for size in BATCHES:
            times = max(PLACEMENTS // max(BATCHES), 1) if size > 1 else 200
            batches = [wishes(size) for _ in range(times)]
            begun, cpu = time.perf_counter(), time.process_time()
            for batch in batches:
                answers = await scheduler.place_each(batch, hosts)
                assert all(isinstance(answer, Placed) for answer in answers)
            per_cpu_s[size] = size * times / (time.process_time() - cpu)
            wall_per_s[size] = size * times / (time.perf_counter() - begun)
        memory, resident = own_mb(os.getpid()), rss_mb(os.getpid())
        return Measured(per_cpu_s, wall_per_s, memory, resident, floor_us(directory, max(BATCHES)))
    finally:
        await database.close()


def owner(consumer: str) -> Owner:
    """A new server."""
    return Owner(consumer=consumer, generation=None, project_id="bench", user_id="bench")


def floor_us(directory: Path, size: int) -> float:
    """CPU of one guarded update and one insert in SQLite with FULL, in batches of `size`, in microseconds."""
    raw = sqlite3.connect(directory / "floor.sqlite", isolation_level=None)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("CREATE TABLE hosts(id INTEGER PRIMARY KEY, used INT, capacity INT)")
    raw.execute("CREATE TABLE claims(id INTEGER PRIMARY KEY, host INT)")
    raw.executemany("INSERT INTO hosts VALUES (?, 0, 1000)", ((number,) for number in range(100_000)))
    chance, begun = random.Random(4), time.process_time()
    for _ in range(10):
        rows = [(chance.randrange(100_000),) for _ in range(size)]
        raw.execute("BEGIN IMMEDIATE")
        raw.executemany("UPDATE hosts SET used = used + 1 WHERE id = ? AND used + 1 <= capacity", rows)
        raw.executemany("INSERT INTO claims(host) VALUES (?)", rows)
        raw.execute("COMMIT")
    taken = time.process_time() - begun
    raw.close()
    return taken / (10 * size) * 1e6


if __name__ == "__main__":
    main()
