"""Schedulers in many processes on one placement database: the rules of groups and the room are conditions of the claim."""

import asyncio
import multiprocessing
from collections import Counter
from pathlib import Path

from kilonova.placement.placement import Placement
from kilonova.runtime.real import RealRuntime
from kilonova.scheduler.decide import NoValidHost
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import GroupRequest, ServerRequest
from kilonova.scheduler.service import Owner, Placed, Scheduler
from unit.placement.placing import host, uuid_of, with_placement

PROCESSES = 20
EACH = 10
HOSTS = 150
GROUP = GroupRequest(id="g", policy="anti-affinity")
REQUEST = ServerRequest(resources={"VCPU": 2, "MEMORY_MB": 512}, group=GROUP)


def states() -> list[HostState]:
    return [
        HostState(name=f"host-{n}", cell_id="cell1", uuid=uuid_of(n), up=True, enabled=True, zone="nova")
        for n in range(1, HOSTS + 1)
    ]


def create(directory: Path, process: int) -> list[str | None]:
    """What one process does: ask for ten servers at once. The host of each, None for those that get none."""
    found: list[str | None] = []

    async def work(placement: Placement) -> None:
        scheduler = Scheduler(placement, RealRuntime())
        owners = [Owner(consumer=f"{process}-{n}", generation=None, project_id="p", user_id="u") for n in range(EACH)]
        answers = await asyncio.gather(*(scheduler.place(REQUEST, states(), owner) for owner in owners))
        assert all(isinstance(answer, Placed | NoValidHost) for answer in answers)
        found.extend(answer.host.name if isinstance(answer, Placed) else None for answer in answers)

    with_placement(directory, work)
    return found


def test_create__200_of_one_group_from_20_processes_at_once__never_two_on_a_host(tmp_path):
    with_placement(tmp_path, lambda placement: placement.providers_ensure([host(n) for n in range(1, HOSTS + 1)]))
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        answers = pool.starmap(create, [(tmp_path, process) for process in range(PROCESSES)], chunksize=1)
    names = [name for found in answers for name in found]
    on_hosts = Counter(name for name in names if name is not None)
    assert len(names) == PROCESSES * EACH
    assert (len(on_hosts), max(on_hosts.values())) == (HOSTS, 1)

    async def members(placement: Placement) -> None:
        assert await placement.spread_members("g") == {uuid_of(n): 1 for n in range(1, HOSTS + 1)}

    with_placement(tmp_path, members)
