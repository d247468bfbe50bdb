"""The scheduler over a real placement: claims, lost races, groups under concurrency, explanations."""

import asyncio

from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Released, Stale
from kilonova.runtime.real import RealRuntime
from kilonova.scheduler.decide import NoValidHost, Reason
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import GroupRequest, ServerRequest
from kilonova.scheduler.service import Owner, Placed, Scheduler
from unit.placement.placing import host as provider
from unit.placement.placing import uuid_of, with_placement

SMALL = ServerRequest(resources={"VCPU": 2, "MEMORY_MB": 512})


def states(count: int) -> list[HostState]:
    return [
        HostState(name=f"host-{n}", cell_id="cell1", uuid=uuid_of(n), up=True, enabled=True, zone="nova")
        for n in range(1, count + 1)
    ]


def owner(consumer: str, generation: int | None = None) -> Owner:
    return Owner(consumer=consumer, generation=generation, project_id="p", user_id="u")


async def scheduler_of(placement: Placement, hosts: int, **room: int) -> Scheduler:
    await placement.providers_ensure([provider(n, **room) for n in range(1, hosts + 1)])
    return Scheduler(placement, RealRuntime())


def test_place__more_servers_than_fit__the_room_is_filled_and_the_rest_are_told_why(tmp_path):
    async def work(placement: Placement) -> None:
        scheduler = await scheduler_of(placement, 3, vcpus=4)
        answers = await asyncio.gather(*(scheduler.place(SMALL, states(3), owner(f"c{n}")) for n in range(9)))
        assert sum(isinstance(answer, Placed) for answer in answers) == 6
        refused = [answer for answer in answers if isinstance(answer, NoValidHost)]
        assert refused == [NoValidHost(total=3, reasons=(Reason("VCPU: 2", 3, "host-1"),))] * 3

    with_placement(tmp_path, work)


def test_place__anti_affinity_at_once_with_stale_facts__no_host_gets_two(tmp_path):
    async def work(placement: Placement) -> None:
        scheduler = await scheduler_of(placement, 12)
        request = ServerRequest(resources=SMALL.resources, group=GroupRequest(id="g", policy="anti-affinity"))
        answers = await asyncio.gather(*(scheduler.place(request, states(12), owner(f"c{n}")) for n in range(14)))
        placed = [answer.host.name for answer in answers if isinstance(answer, Placed)]
        assert len(placed) == len(set(placed)) == 12
        refused = [answer for answer in answers if isinstance(answer, NoValidHost)]
        assert [reason.constraint for one in refused for reason in one.reasons] == ["ServerGroupAntiAffinityFilter"] * 2

    with_placement(tmp_path, work)


def test_place__affinity_at_once__all_on_one_host(tmp_path):
    async def work(placement: Placement) -> None:
        scheduler = await scheduler_of(placement, 12, vcpus=64)
        request = ServerRequest(resources=SMALL.resources, group=GroupRequest(id="g", policy="affinity"))
        answers = await asyncio.gather(*(scheduler.place(request, states(12), owner(f"c{n}")) for n in range(6)))
        assert len({answer.host.name for answer in answers if isinstance(answer, Placed)}) == 1
        assert all(isinstance(answer, Placed) for answer in answers)

    with_placement(tmp_path, work)


def test_place__repeated_after_a_lost_answer__keeps_the_host_though_it_is_full_now(tmp_path):
    async def work(placement: Placement) -> None:
        scheduler = await scheduler_of(placement, 1, vcpus=2)
        request = ServerRequest(resources=SMALL.resources, group=GroupRequest(id="g", policy="anti-affinity"))
        assert await scheduler.place(request, states(1), owner("c")) == Placed(states(1)[0], 1)
        assert await scheduler.place(request, states(1), owner("c", 1)) == Placed(states(1)[0], 2)

    with_placement(tmp_path, work)


def test_place__somebody_released_meanwhile__is_stale(tmp_path):
    async def work(placement: Placement) -> None:
        scheduler = await scheduler_of(placement, 2)
        assert await placement.release("c") == Released(1)
        assert await scheduler.place(SMALL, states(2), owner("c")) == Stale(1)

    with_placement(tmp_path, work)


def test_select__traits_and_unregistered_hosts__are_told_apart(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure(
            [provider(1, traits=frozenset({"CUSTOM_A"})), provider(2), provider(3, vcpus=1)]
        )
        scheduler = Scheduler(placement, RealRuntime())
        request = ServerRequest(resources=SMALL.resources, required=frozenset({"CUSTOM_B"}))
        no = await scheduler.select(request, states(4))
        assert isinstance(no, NoValidHost)
        assert no.reasons == (
            Reason("VCPU: 2", 1, "host-3"),
            Reason("trait CUSTOM_B", 2, "host-1"),
            Reason("registered in placement", 1, "host-4"),
        )

    with_placement(tmp_path, work)
