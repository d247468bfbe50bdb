"""Hosts that are trees of providers: groups, amounts of several providers, moves, and why there is no host."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from typing_extensions import override

from kilonova.objects.flavor import Flavor
from kilonova.placement.placement import Placement
from kilonova.placement.search import trees
from kilonova.placement.search.fleet import Facts, Fleet, Stock
from kilonova.placement.shapes import Allocations, CandidateQuery, Inventory, ProviderSpec, Way
from kilonova.runtime.real import RealRuntime
from kilonova.scheduler.decide import NoValidHost, Ranked, Reason
from kilonova.scheduler.request import ServerRequest
from kilonova.scheduler.service import Leaving, Placed, Scheduler
from kilonova.scheduler.wishes import BadExtraSpec, wishes_of
from unit.placement.placing import claim, uuid_of, with_placement
from unit.scheduler.test_scheduler import owner, states

CHILD = 0x10000
"""The first child of host 1 has this number, the second the next one, and so on; those of host 2 twice as much."""
FPGA = "CUSTOM_FPGA"


def root(number: int = 1, **amounts: int) -> ProviderSpec:
    return spec(number, f"host-{number}", amounts or {"VCPU": 8, "MEMORY_MB": 4096}, frozenset({"HW_CPU_X86_AVX2"}))


def spec(number: int, name: str, amounts: Mapping[str, int], traits: frozenset[str] = frozenset()) -> ProviderSpec:
    inventories = {kind: Inventory(total=amount) for kind, amount in amounts.items()}
    return ProviderSpec(uuid=uuid_of(number), name=name, inventories=inventories, traits=traits)


def child(number: int, host: int = 1, traits: Sequence[str] = (), **amounts: int) -> ProviderSpec:
    made = spec(CHILD * host + number, f"host-{host}-{number}", amounts, frozenset(traits))
    return msgspec.structs.replace(made, parent=uuid_of(host))


def wanted(**specs: str) -> ServerRequest:
    flavor = Flavor(id="1", name="a", vcpus=2, memory_mb=512, disk_gb=0, extra_specs=underscored(specs))
    found = wishes_of(flavor)
    return ServerRequest(
        resources=found.resources,
        required=found.required,
        forbidden=found.forbidden,
        alternatives=found.alternatives,
        isolate=found.isolate,
    )


def underscored(specs: Mapping[str, str]) -> dict[str, str]:
    """Extra specs by keyword: two underscores are a colon."""
    return {key.replace("__", ":"): value for key, value in specs.items()}


def in_trees(
    path: Path, specs: Sequence[ProviderSpec], work: Callable[[Placement, Scheduler], Awaitable[None]]
) -> None:
    async def run(placement: Placement) -> None:
        await placement.providers_ensure(specs)
        await work(placement, Scheduler(placement, RealRuntime()))

    with_placement(path, run)


def test_place__a_numbered_group__is_held_of_one_child_and_the_rest_of_the_root(tmp_path):
    async def work(placement: Placement, scheduler: Scheduler) -> None:
        request = wanted(resources1__CUSTOM_FPGA="1", trait1__CUSTOM_FAST="required")
        placed = await scheduler.place(request, states(1), owner("c"))
        assert isinstance(placed, Placed)
        assert placed.portion is not None
        assert placed.portion.groups == {"": ("host-1",), "1": ("host-1-1",)}
        assert await placement.allocations_of("c") == placed.portion.allocations
        assert placed.portion.allocations == {
            uuid_of(1): {"VCPU": 2, "MEMORY_MB": 512},
            uuid_of(CHILD + 1): {FPGA: 1},
        }

    slow, fast = child(0, CUSTOM_FPGA=1), child(1, traits=["CUSTOM_FAST"], CUSTOM_FPGA=1)
    in_trees(tmp_path, [root(), slow, fast], work)


@pytest.mark.parametrize(("policy", "hosts"), [("none", {"host-1", "host-2"}), ("isolate", {"host-2"})])
def test_select__two_groups__one_provider_gives_both_unless_isolated(tmp_path, policy, hosts):
    async def work(_: Placement, scheduler: Scheduler) -> None:
        request = wanted(resources1__CUSTOM_FPGA="1", resources2__CUSTOM_FPGA="1", group_policy=policy)
        decision = await scheduler.select(request, states(2))
        assert isinstance(decision, Ranked)
        assert {host.name for host in decision.hosts} == hosts

    two = [child(0, host=2, CUSTOM_FPGA=1), child(1, host=2, CUSTOM_FPGA=1)]
    in_trees(tmp_path, [root(1), root(2), child(0, CUSTOM_FPGA=2), *two], work)


def test_select__no_tree_has_it__tells_which_group_failed_on_which_condition(tmp_path):
    async def work(_: Placement, scheduler: Scheduler) -> None:
        request = wanted(resources_A__CUSTOM_FPGA="1", trait_A__CUSTOM_FAST="required", resources_B__CUSTOM_FPGA="2")
        decision = await scheduler.select(request, states(3))
        assert decision == NoValidHost(
            total=3,
            reasons=(
                Reason("group _A: CUSTOM_FPGA: 1", 1, "host-3"),
                Reason("group _A: trait CUSTOM_FAST", 1, "host-1"),
                Reason("group _B: CUSTOM_FPGA: 2", 1, "host-2"),
            ),
        )

    slow, fast = child(0, CUSTOM_FPGA=2), child(0, host=2, traits=["CUSTOM_FAST"], CUSTOM_FPGA=1)
    in_trees(tmp_path, [root(1), root(2), root(3), slow, fast], work)


def test_place__cpus_and_memory_of_no_single_provider__are_taken_of_several(tmp_path):
    async def work(placement: Placement, scheduler: Scheduler) -> None:
        request = ServerRequest(resources={"VCPU": 6, "MEMORY_MB": 512, "DISK_GB": 5})
        placed = await scheduler.place(request, states(1), owner("c"))
        assert isinstance(placed, Placed)
        held = await placement.allocations_of("c")
        assert sorted(amounts.get("VCPU", 0) for amounts in held.values()) == [0, 2, 4]
        assert sum(amounts.get("MEMORY_MB", 0) for amounts in held.values()) == 512
        more = await scheduler.place(request, states(1), owner("d"))
        assert more == NoValidHost(total=1, reasons=(Reason("VCPU: 6", 1, "host-1"),))

    nodes = [child(n, VCPU=4, MEMORY_MB=2048) for n in range(2)]
    in_trees(tmp_path, [root(DISK_GB=100), *nodes], work)


def test_place__repeated_after_a_lost_answer__keeps_its_part_of_the_tree_though_it_is_full_now(tmp_path):
    async def work(placement: Placement, scheduler: Scheduler) -> None:
        request = wanted(resources1__CUSTOM_FPGA="1")
        first = await scheduler.place(request, states(1), owner("c"))
        again = await scheduler.place(request, states(1), owner("c", await placement.consumer_generation("c")))
        assert isinstance(first, Placed)
        assert isinstance(again, Placed)
        assert again.portion == first.portion

    in_trees(tmp_path, [root(), child(0, CUSTOM_FPGA=1)], work)


def test_place__many_at_once_on_few_children__all_are_used_and_none_twice(tmp_path):
    async def work(placement: Placement, scheduler: Scheduler) -> None:
        request = msgspec.structs.replace(wanted(resources1__CUSTOM_FPGA="1"), resources={"VCPU": 1})
        answers = await asyncio.gather(*(scheduler.place(request, states(1), owner(f"c{n}")) for n in range(7)))
        assert sum(isinstance(answer, Placed) for answer in answers) == 5
        refused = [answer for answer in answers if isinstance(answer, NoValidHost)]
        assert refused == [NoValidHost(total=1, reasons=(Reason("group 1: CUSTOM_FPGA: 1", 1, "host-1"),))] * 2
        assert (await placement.books()).unbalanced == []

    in_trees(tmp_path, [root(), *(child(n, CUSTOM_FPGA=1) for n in range(5))], work)


class Overtaken(Placement):
    """A placement in which somebody else takes the first way of a tree just after it was told."""

    @override
    async def ways(
        self, query: CandidateQuery, root: str, own: Allocations | None = None, most: int = 64
    ) -> Sequence[Way]:
        found = await super().ways(query, root, own or {}, most)
        if await self.consumer_generation("thief") is None:
            taken = {uuid: amounts for uuid, amounts in found[0].allocations.items() if FPGA in amounts}
            await self.claim(claim("thief", allocations=taken))
        return found


def test_place__the_first_way_of_the_best_host_is_taken_meanwhile__its_next_way_is_claimed(tmp_path):
    async def work(placement: Placement, _: Scheduler) -> None:
        overtaken = Overtaken(placement.database)
        scheduler = Scheduler(overtaken, RealRuntime())
        placed = await scheduler.place(wanted(resources1__CUSTOM_FPGA="1"), states(1), owner("c"))
        assert isinstance(placed, Placed)
        thief, ours = await overtaken.allocations_of("thief"), await overtaken.allocations_of("c")
        assert {uuid for held in (thief, ours) for uuid, amounts in held.items() if FPGA in amounts} == {
            uuid_of(CHILD),
            uuid_of(CHILD + 1),
        }

    in_trees(tmp_path, [root(), child(0, CUSTOM_FPGA=1), child(1, CUSTOM_FPGA=1)], work)


def test_place__a_move_to_another_host__hands_the_whole_part_of_the_tree_on(tmp_path):
    async def work(placement: Placement, scheduler: Scheduler) -> None:
        one, two = states(2)
        request = wanted(resources1__CUSTOM_FPGA="1")
        first = await scheduler.place(request, [one], owner("c"))
        assert isinstance(first, Placed)
        leaving = Leaving(
            consumer="move", generation=None, host=one, resources=request.resources, portion=first.portion
        )
        moved = msgspec.structs.replace(request, ignored=frozenset({one.name}))
        second = await scheduler.place(moved, [one, two], owner("c", first.generation), leaving)
        assert isinstance(second, Placed)
        assert second.portion is not None
        assert await placement.allocations_of("c") == second.portion.allocations
        assert first.portion is not None
        assert await placement.allocations_of("move") == first.portion.allocations

    in_trees(tmp_path, [root(1), root(2), child(0, CUSTOM_FPGA=1), child(0, host=2, CUSTOM_FPGA=1)], work)


def test_place__a_larger_size_on_the_same_host__is_judged_by_the_difference(tmp_path):
    async def work(placement: Placement, scheduler: Scheduler) -> None:
        (here,) = states(1)
        request = wanted(resources1__CUSTOM_FPGA="2")
        first = await scheduler.place(request, [here], owner("c"))
        assert isinstance(first, Placed)
        leaving = Leaving(
            consumer="move",
            generation=None,
            host=here,
            resources=request.resources,
            portion=first.portion,
            may_stay=True,
        )
        larger = wanted(resources1__CUSTOM_FPGA="3")
        larger = msgspec.structs.replace(larger, ignored=frozenset({here.name}))
        second = await scheduler.place(larger, [here], owner("c", first.generation), leaving)
        assert isinstance(second, Placed)
        assert (await placement.allocations_of("c"))[uuid_of(CHILD)] == {FPGA: 3}
        assert await placement.allocations_of("move") == {}

    in_trees(tmp_path, [root(), child(0, CUSTOM_FPGA=3)], work)


@pytest.mark.parametrize(
    ("specs", "named"),
    [
        ({"resources1__CUSTOM_FPGA": "x"}, "resources1:CUSTOM_FPGA=x"),
        ({"trait1__CUSTOM_FAST": "required"}, "trait1:CUSTOM_FAST=required"),
        ({"resources_A__CUSTOM_FPGA": "0"}, "resources_A:CUSTOM_FPGA=0"),
        ({"group_policy": "some"}, "group_policy=some"),
    ],
)
def test_wishes__that_cannot_be_understood__are_refused_by_name(specs, named):
    with pytest.raises(BadExtraSpec, match=named):
        wanted(**specs)


def test_wishes__an_image_with_a_numbered_trait__narrows_that_group():
    flavor = Flavor(id="1", name="a", vcpus=1, memory_mb=1, disk_gb=0, extra_specs={"resources1:CUSTOM_FPGA": "1"})
    found = wishes_of(flavor, {"trait1:CUSTOM_FAST": "required"})
    assert found.alternatives[0]["1"].required == (frozenset({"CUSTOM_FAST"}),)
    with pytest.raises(BadExtraSpec, match="allowed: required"):
        wishes_of(flavor, {"trait1:CUSTOM_FAST": "forbidden"})


def test_wishes__an_amount_of_nothing__leaves_the_class_out():
    assert wanted(resources__VCPU="0", resources__MEMORY_MB="0", resources1__VCPU="2").resources == {}


def test_select__more_than_a_thousand_trees__all_of_them_are_found(tmp_path):
    async def work(_: Placement, scheduler: Scheduler) -> None:
        decision = await scheduler.select(wanted(resources1__CUSTOM_FPGA="1"), states(1100))
        assert isinstance(decision, Ranked)
        assert len(decision.hosts) == 1100

    specs = [spec for n in range(1, 1101) for spec in (root(n), child(0, host=n, CUSTOM_FPGA=1))]
    in_trees(tmp_path, specs, work)


def test_ways__random_trees__are_there_exactly_if_the_parts_add_up_and_each_of_them_adds_up():
    for seed in range(300):
        draw = random.Random(seed)
        nodes = [(draw.randint(0, 4), draw.randint(0, 4)) for _ in range(draw.randint(1, 4))]
        fleet = Fleet()
        fleet.put(facts(1, None, {}))
        for number, (vcpus, memory) in enumerate(nodes):
            fleet.put(facts(CHILD + number, 1, {"VCPU": vcpus, "MEMORY_MB": memory}))
        query = CandidateQuery(resources={"VCPU": draw.randint(1, 9), "MEMORY_MB": draw.randint(1, 9)})
        room = all(sum(node[at] for node in nodes) >= query.resources[name] for at, name in enumerate(query.resources))
        found = list(trees.ways(fleet, query, uuid_of(1)))
        assert bool(found) == room == bool(trees.fitting(fleet, query, 1)), f"seed {seed}"
        for way in found:
            totals = {name: sum(held.get(name, 0) for held in way.allocations.values()) for name in query.resources}
            assert totals == query.resources, f"seed {seed}"
            for uuid, held in way.allocations.items():
                assert all(fleet.shelves[name].stocks[fleet.row_of[uuid]].gives(n) for name, n in held.items())
            assert trees.way_held(fleet, query, way.allocations) is not None, f"seed {seed}"


def facts(number: int, parent: int | None, amounts: Mapping[str, int]) -> Facts:
    stocks = {
        name: Stock(capacity=amount, used=0, min_unit=1, max_unit=amount, step_size=1)
        for name, amount in amounts.items()
        if amount
    }
    return Facts(
        uuid=uuid_of(number),
        name=str(number),
        parent_uuid=None if parent is None else uuid_of(parent),
        root_uuid=uuid_of(parent or number),
        stocks=stocks,
        traits=frozenset(),
        aggregates=frozenset(),
    )
