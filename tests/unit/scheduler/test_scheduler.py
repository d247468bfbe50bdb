"""The scheduler over a real placement: claims, lost races, groups under concurrency, explanations."""

import asyncio
from typing import Any

import msgspec

from kilonova.kernel.ids import CellId, HostName
from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Released, Stale
from kilonova.runtime.real import RealRuntime
from kilonova.scheduler.decide import NoValidHost, Reason
from kilonova.scheduler.filters import enabled as filters_enabled
from kilonova.scheduler.hosts import HostState, Look
from kilonova.scheduler.options import SchedulerOptions
from kilonova.scheduler.prefilters import prefilters
from kilonova.scheduler.request import GroupRequest, ServerRequest
from kilonova.scheduler.service import Leaving, Owner, Placed, Scheduler
from kilonova.scheduler.weighers import enabled as weighers_enabled
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


def test_place_each__more_servers_than_fit__the_room_is_filled_and_the_rest_are_told_why(tmp_path):
    async def work(placement: Placement) -> None:
        scheduler = await scheduler_of(placement, 3, vcpus=4)
        answers = await scheduler.place_each([(SMALL, owner(f"c{n}")) for n in range(9)], states(3))
        assert sum(isinstance(answer, Placed) for answer in answers) == 6
        assert answers[6:] == [NoValidHost(total=3, reasons=(Reason("VCPU: 2", 3, "host-1"),))] * 3

    with_placement(tmp_path, work)


def test_place_each__two_schedulers_at_once__never_more_than_fits_and_what_was_refused_is_decided_again(tmp_path):
    async def work(placement: Placement) -> None:
        one = await scheduler_of(placement, 10, vcpus=2)
        other = Scheduler(placement, RealRuntime())
        both = await asyncio.gather(
            *(
                by.place_each([(SMALL, owner(f"{n}-{at}")) for n in range(5)], states(10))
                for at, by in enumerate((one, other))
            )
        )
        hosts = [answer.host.name for answers in both for answer in answers if isinstance(answer, Placed)]
        assert len(hosts) == len(set(hosts)) == 10
        books = await placement.books()
        assert not books.beyond
        assert not books.unbalanced

    with_placement(tmp_path, work)


def test_place_each__groups_among_them__their_rules_hold(tmp_path):
    async def work(placement: Placement) -> None:
        scheduler = await scheduler_of(placement, 4)
        apart = ServerRequest(resources=SMALL.resources, group=GroupRequest(id="g", policy="anti-affinity"))
        answers = await scheduler.place_each(
            [(wish, owner(f"{n}")) for n, wish in enumerate([apart, SMALL] * 3)], states(4)
        )
        hosts = [answer.host.name for answer in answers[::2] if isinstance(answer, Placed)]
        assert len(hosts) == len(set(hosts)) == 3

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


def leaving(number: int = 1, *, may_stay: bool = False, **more: Any) -> Leaving:
    known = {"consumer": "move", "generation": None, "resources": SMALL.resources}
    return Leaving(host=states(number)[-1], may_stay=may_stay, **{**known, **more})


async def live(placement: Placement, request: ServerRequest = SMALL, host: str = "host-1") -> None:
    """The server `c` lives on a host."""
    scheduler = Scheduler(placement, RealRuntime())
    on = [state for state in states(9) if state.name == host]
    assert await scheduler.place(request, on, owner("c")) == Placed(on[0], 1)


def test_place__a_server_moves__the_moves_consumer_takes_over_what_it_leaves(tmp_path):
    async def work(placement: Placement) -> None:
        scheduler = await scheduler_of(placement, 2, vcpus=4)
        await live(placement)
        bigger = msgspec.structs.replace(
            SMALL, resources={"VCPU": 4, "MEMORY_MB": 512}, ignored=frozenset({HostName("host-1")})
        )
        for generation, move in ((1, None), (2, 1)):  # the second time as after a lost answer
            answer = await scheduler.place(bigger, states(2), owner("c", generation), leaving(generation=move))
            assert answer == Placed(states(2)[1], generation + 1)
        assert await placement.allocations_of("c") == {uuid_of(2): bigger.resources}
        assert await placement.allocations_of("move") == {uuid_of(1): SMALL.resources}

    with_placement(tmp_path, work)


def test_place__nowhere_else_and_room_for_the_difference__the_server_stays_and_holds_the_larger_of_each(tmp_path):
    async def work(placement: Placement) -> None:
        scheduler = await scheduler_of(placement, 1, vcpus=4)
        await live(placement)
        ignored = frozenset({HostName("host-1")})
        for vcpus, stays in ((3, True), (5, False)):
            wish = ServerRequest(resources={"VCPU": vcpus, "MEMORY_MB": 256}, ignored=ignored)
            generation = await placement.consumer_generation("c")
            move = leaving(may_stay=True, generation=await placement.consumer_generation("move"))
            answer = await scheduler.place(wish, states(1), owner("c", generation), move)
            assert isinstance(answer, Placed if stays else NoValidHost)
        assert await placement.allocations_of("c") == {uuid_of(1): {"VCPU": 3, "MEMORY_MB": 512}}
        assert isinstance(answer, NoValidHost)
        assert "VCPU: 2 more do not fit" in answer.details

    with_placement(tmp_path, work)


def test_place__kept_apart_group__the_left_host_stays_taken_for_the_way_back(tmp_path):
    async def work(placement: Placement) -> None:
        scheduler = await scheduler_of(placement, 2)
        group = GroupRequest(id="g", policy="anti-affinity")
        apart = ServerRequest(resources=SMALL.resources, group=group)
        await live(placement, apart)
        wish = msgspec.structs.replace(apart, ignored=frozenset({HostName("host-1")}))
        assert isinstance(await scheduler.place(wish, states(2), owner("c", 1), leaving()), Placed)
        assert isinstance(await scheduler.place(apart, states(2), owner("other")), NoValidHost)

    with_placement(tmp_path, work)


def test_select__another_cell_or_an_ignored_host__told_why(tmp_path):
    async def work(placement: Placement) -> None:
        scheduler = await scheduler_of(placement, 2)
        far = msgspec.structs.replace(SMALL, cell=CellId("cell2"))
        answer = await scheduler.select(far, states(2))
        assert isinstance(answer, NoValidHost)
        assert [reason.constraint for reason in answer.reasons] == ["SameCell"]
        ignoring = msgspec.structs.replace(SMALL, ignored=frozenset({HostName("host-1"), HostName("host-2")}))
        answer = await scheduler.select(ignoring, states(2))
        assert isinstance(answer, NoValidHost)
        assert [reason.constraint for reason in answer.reasons] == ["IgnoredHosts"]

    with_placement(tmp_path, work)


def test_explain__some_hosts_fit__they_and_what_removed_the_others(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([provider(1), provider(2), provider(3, vcpus=1)])
        scheduler = Scheduler(placement, RealRuntime())
        hosts = [msgspec.structs.replace(state, up=state.name != "host-1") for state in states(4)]
        found = await scheduler.explain(SMALL, hosts)
        assert [host.name for host in found.hosts] == ["host-2"]
        assert (found.total, found.reasons) == (
            4,
            (
                Reason("ComputeFilter", 1, "host-1"),
                Reason("VCPU: 2", 1, "host-3"),
                Reason("registered in placement", 1, "host-4"),
            ),
        )
        nothing = await scheduler.explain(msgspec.structs.replace(SMALL, zone="z1"), hosts)
        assert (nothing.hosts, nothing.reasons) == ((), (Reason("AvailabilityZoneFilter", 4, "host-1"),))

    with_placement(tmp_path, work)


def test_looks_at__only_what_switched_on_filters_and_weighers_want(tmp_path):
    async def work(placement: Placement) -> None:
        def looks_at(**options: Any) -> Look:
            chosen = SchedulerOptions(**options)
            filters, weighers = filters_enabled(chosen), weighers_enabled(chosen)
            return Scheduler(placement, RealRuntime(), filters, weighers).looks_at

        assert looks_at() == Look.NOTHING
        assert looks_at(enabled_filters=("NumInstancesFilter",)) == Look.SERVERS
        both = {"io_ops_weight_multiplier": -1.0, "build_failure_weight_multiplier": 1.0}
        assert looks_at(**both) == Look.SERVERS | Look.FAILURES
        assert looks_at(image_props_weight_multiplier=1.0) == Look.IMAGES

    with_placement(tmp_path, work)


def test_place__prefiltered__a_trait_that_the_image_type_needs_is_asked_of_placement(tmp_path):
    async def work(placement: Placement) -> None:
        trait = "COMPUTE_IMAGE_TYPE_QCOW2"
        await placement.providers_ensure([provider(1), provider(2, traits=frozenset({trait}))])
        options = SchedulerOptions(query_placement_for_image_type_support=True)
        scheduler = Scheduler(placement, RealRuntime(), prefilters=prefilters(options))
        wish = msgspec.structs.replace(SMALL, image_id="i", image_properties={"disk_format": "qcow2"})
        answer = await scheduler.place(wish, states(2), owner("c"))
        assert isinstance(answer, Placed)
        assert answer.host.name == "host-2"
        no = await scheduler.place(wish, states(1), owner("d"))
        assert isinstance(no, NoValidHost)
        assert no.reasons == (Reason(f"trait {trait}", 1, "host-1"),)

    with_placement(tmp_path, work)
