"""Many at once, in tasks, threads and processes, on one file: never too much, never too many, and the books balance."""

import asyncio
import multiprocessing
import threading
from pathlib import Path

from kilonova.database.sqlite import SqliteDatabase
from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Claimed, SpreadSet
from kilonova.runtime.real import RealRuntime
from unit.placement.placing import claim, host, uuid_of, with_placement

HOSTS = 3
VCPUS = 8


def claim_all(path: Path, worker: int, consumers: int, *, spread: bool) -> int:
    """As a process of its own would: claim for `consumers` consumers, host after host, and count those that got one."""

    async def one(placement: Placement, consumer: str) -> bool:
        for number in range(1, HOSTS + 1):
            member = SpreadSet(id="set", provider=uuid_of(number), most=1) if spread else None
            answer = await placement.claim(claim(consumer, allocations={uuid_of(number): {"VCPU": 1}}, spread=member))
            if isinstance(answer, Claimed):
                return True
        return False

    async def run() -> int:
        database = SqliteDatabase("placement", path / "placement.sqlite", RealRuntime())
        try:
            placement = Placement(database)
            return sum(await asyncio.gather(*(one(placement, f"w{worker}-{n}") for n in range(consumers))))
        finally:
            await database.close()

    return asyncio.run(run())


def prepare(path: Path) -> None:
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(number, vcpus=VCPUS) for number in range(1, HOSTS + 1)])

    with_placement(path, work)


def check_books(path: Path, granted: int, *, most: int) -> None:
    async def work(placement: Placement) -> None:
        used = [(await placement.usages(uuid_of(number)))["VCPU"] for number in range(1, HOSTS + 1)]
        assert all(amount <= most for amount in used)
        assert sum(used) == granted == len(await placement.consumers())

    with_placement(path, work)


def test_claims__from_many_tasks_and_threads__never_exceed_the_capacity(tmp_path):
    prepare(tmp_path)
    granted: list[int] = []
    threads = [
        threading.Thread(target=lambda worker=worker: granted.append(claim_all(tmp_path, worker, 15, spread=False)))
        for worker in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(granted) == HOSTS * VCPUS
    check_books(tmp_path, sum(granted), most=VCPUS)


def test_claims__of_one_spread_set_from_several_processes__never_share_a_host(tmp_path):
    prepare(tmp_path)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        granted = pool.starmap(_spread_worker, [(tmp_path, worker) for worker in range(2)])
    assert sum(granted) == HOSTS
    check_books(tmp_path, HOSTS, most=1)


def _spread_worker(path: Path, worker: int) -> int:
    return claim_all(path, worker, 8, spread=True)


def test_claims__of_one_consumer_at_once__one_wins_and_the_others_are_stale(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(number) for number in range(1, 9)])
        answers = await asyncio.gather(*(placement.claim(claim("one", number)) for number in range(1, 9)))
        assert sum(isinstance(answer, Claimed) for answer in answers) == 1
        assert len(await placement.allocations_of("one")) == 1

    with_placement(tmp_path, work)
