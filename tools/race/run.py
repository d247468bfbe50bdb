"""One contest: its processes, and the verdict."""

import asyncio
import multiprocessing
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier

from kilonova.runtime.real import RealRuntime
from tools.race.contests import CONTESTS, Tally
from tools.race.place import METADATA, Place

PATIENCE_S = 300


@dataclass(frozen=True)
class Verdict:
    """How a contest went."""

    wrong: tuple[str, ...]
    granted: int
    refused: int
    repeated: int
    """Transactions that the server had run again."""
    seconds: float
    """From the start of all processes to the end of the last, without their own beginnings."""


def run(name: str, place: Place, processes: int) -> Verdict:
    """Let `processes` compete in the contest `name`."""
    contest = CONTESTS[name]
    asyncio.run(_prepared(name, place))
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    with context.Pool(processes, _remember, (barrier,)) as pool:
        results = pool.starmap_async(_compete, [(name, place, number) for number in range(processes)], 1).get(
            PATIENCE_S
        )
    tallies = [tally for tally, _, _ in results]

    async def judge() -> list[str]:
        database = place.opened(contest.database)
        try:
            return await contest.judge(database, tallies)
        finally:
            await database.close()

    return Verdict(
        wrong=tuple(asyncio.run(judge())),
        granted=sum(sum(count for what, count in tally.items() if what != "refused") for tally in tallies),
        refused=sum(tally["refused"] for tally in tallies),
        repeated=sum(repeated for _, repeated, _ in results),
        seconds=max(seconds for _, _, seconds in results),
    )


async def _prepared(name: str, place: Place) -> None:
    contest = CONTESTS[name]
    database = place.opened(contest.database)
    try:
        await database.create(METADATA[contest.database])
        await contest.prepare(database)
    finally:
        await database.close()


_start: list[Barrier] = []
"""In a process of a pool: the line at which all wait for all."""


def _remember(barrier: Barrier) -> None:
    _start.append(barrier)


def _compete(name: str, place: Place, number: int) -> tuple[Tally, int, float]:
    """In a process of its own: what it counted, transactions that were run again, seconds."""
    contest, runtime = CONTESTS[name], RealRuntime()

    async def compete() -> tuple[Tally, int, float]:
        database = place.opened(contest.database)
        try:
            _start[0].wait(PATIENCE_S)
            begin = runtime.monotonic()
            tally = await contest.compete(database, runtime, number)
            return tally, getattr(database, "repeated", 0), runtime.monotonic() - begin
        finally:
            await database.close()

    return asyncio.run(compete())
