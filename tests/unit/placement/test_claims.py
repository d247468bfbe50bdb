"""Claims: all or nothing, generations, tombstones, replay, spread sets."""

from kilonova.placement.placement import Placement
from kilonova.placement.shapes import (
    Claimed,
    Crowded,
    Full,
    Inventory,
    ProviderSpec,
    Released,
    SpreadSet,
    Stale,
)
from unit.placement.placing import SMALL, claim, host, uuid_of, with_placement


def test_claim__fits__is_held_and_counted(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1)])
        assert await placement.claim(claim("one")) == Claimed(1)
        assert await placement.allocations_of("one") == {uuid_of(1): SMALL}
        assert await placement.usages(uuid_of(1)) == {"VCPU": 2, "MEMORY_MB": 512}
        assert await placement.usages_by_project("project") == {"VCPU": 2, "MEMORY_MB": 512}
        assert await placement.usages_by_project("project", "stranger") == {}

    with_placement(tmp_path, work)


def test_claim__one_of_two_providers_is_full__nothing_is_changed(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1), host(2, vcpus=1)])
        answer = await placement.claim(claim("one", allocations={uuid_of(1): SMALL, uuid_of(2): SMALL}))
        assert isinstance(answer, Full)
        assert (answer.provider, answer.resource_class) == (uuid_of(2), "VCPU")
        assert await placement.usages(uuid_of(1)) == {"VCPU": 0, "MEMORY_MB": 0}
        assert await placement.consumer_generation("one") is None

    with_placement(tmp_path, work)


def test_claim__unknown_provider_or_class__is_refused_with_its_name(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1)])
        missing = await placement.claim(claim("one", provider=9))
        assert missing == Full(uuid_of(9), "VCPU", "it has no such inventory", "inventory")
        no_disk = await placement.claim(claim("one", allocations={uuid_of(1): {"DISK_GB": 1}}))
        assert no_disk == Full(uuid_of(1), "DISK_GB", "it has no such inventory", "inventory")

    with_placement(tmp_path, work)


def test_claim__portion_that_the_inventory_does_not_give__is_refused(tmp_path):
    async def work(placement: Placement) -> None:
        stock = Inventory(total=100, min_unit=4, max_unit=16, step_size=4)
        await placement.providers_ensure([ProviderSpec(uuid=uuid_of(1), name="one", inventories={"DISK_GB": stock})])
        for amount, granted in ((2, False), (4, True), (6, False), (16, True), (20, False)):
            answer = await placement.claim(claim(f"c{amount}", allocations={uuid_of(1): {"DISK_GB": amount}}))
            assert isinstance(answer, Claimed if granted else Full), amount

    with_placement(tmp_path, work)


def test_claim__reserved_and_ratio__bound_the_capacity(tmp_path):
    async def work(placement: Placement) -> None:
        stock = Inventory(total=10, reserved=2, allocation_ratio=1.5)
        await placement.providers_ensure([ProviderSpec(uuid=uuid_of(1), name="one", inventories={"VCPU": stock})])
        assert isinstance(await placement.claim(claim("a", allocations={uuid_of(1): {"VCPU": 12}})), Claimed)
        assert isinstance(await placement.claim(claim("b", allocations={uuid_of(1): {"VCPU": 1}})), Full)

    with_placement(tmp_path, work)


def test_claim__other_generation__is_stale_and_tells_the_current_one(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1), host(2)])
        await placement.claim(claim("one"))
        assert await placement.claim(claim("one", provider=2)) == Stale(1)
        assert await placement.claim(claim("one", provider=2, generation=7)) == Stale(1)
        assert await placement.claim(claim("two", generation=3)) == Stale(None)
        assert await placement.allocations_of("one") == {uuid_of(1): SMALL}

    with_placement(tmp_path, work)


def test_claim__repeated_after_a_lost_answer__is_recognised_and_counted_once(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1)])
        member = SpreadSet(id="set", provider=uuid_of(1), most=1)
        assert await placement.claim(claim("one", spread=member)) == Claimed(1)
        assert await placement.claim(claim("one", spread=member)) == Claimed(1, replayed=True)
        assert await placement.usages(uuid_of(1)) == SMALL
        assert await placement.spread_members("set") == {uuid_of(1): 1}

    with_placement(tmp_path, work)


def test_claim__other_owner_at_the_old_generation__is_no_replay(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1)])
        await placement.claim(claim("one"))
        assert await placement.claim(claim("one", consumer_type="INSTANCE")) == Stale(1)

    with_placement(tmp_path, work)


def test_claim__again_elsewhere__gives_the_first_back(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1), host(2)])
        await placement.claim(claim("one"))
        assert await placement.claim(claim("one", provider=2, generation=1)) == Claimed(2)
        assert await placement.usages(uuid_of(1)) == {"VCPU": 0, "MEMORY_MB": 0}
        assert await placement.usages(uuid_of(2)) == SMALL

    with_placement(tmp_path, work)


def test_claim__less_on_a_provider_that_shrank_below_its_use__is_granted(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1, vcpus=8)])
        await placement.claim(claim("one", allocations={uuid_of(1): {"VCPU": 8}}))
        await placement.providers_ensure([host(1, vcpus=2)])
        less = await placement.claim(claim("one", generation=1, allocations={uuid_of(1): {"VCPU": 4}}))
        assert less == Claimed(2)
        more = await placement.claim(claim("one", generation=2, allocations={uuid_of(1): {"VCPU": 5}}))
        assert isinstance(more, Full)

    with_placement(tmp_path, work)


def test_release__leaves_a_tombstone__late_claim_is_refused(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1)])
        await placement.claim(claim("one"))
        assert await placement.release("one", 1) == Released(2)
        assert await placement.usages(uuid_of(1)) == {"VCPU": 0, "MEMORY_MB": 0}
        assert await placement.consumer_generation("one") == 2
        assert await placement.claim(claim("one")) == Stale(2)
        assert await placement.claim(claim("one", generation=1)) == Stale(2)
        assert await placement.claim(claim("one", generation=2)) == Claimed(3)

    with_placement(tmp_path, work)


def test_release__never_heard_of__first_claim_comes_too_late(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1)])
        assert await placement.release("one") == Released(1)
        assert await placement.claim(claim("one")) == Stale(1)
        assert await placement.usages(uuid_of(1)) == {"VCPU": 0, "MEMORY_MB": 0}

    with_placement(tmp_path, work)


def test_release__repeated_after_a_lost_answer__is_recognised(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1)])
        await placement.claim(claim("one"))
        assert await placement.release("one", 1) == Released(2)
        assert await placement.release("one", 1) == Released(2)
        assert await placement.release("one", 0) == Stale(2)

    with_placement(tmp_path, work)


def test_release__by_one_who_slept_through_a_newer_claim__is_stale(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1), host(2)])
        await placement.claim(claim("one"))
        await placement.claim(claim("one", provider=2, generation=1))
        assert await placement.release("one", 1) == Stale(2)
        assert await placement.usages(uuid_of(2)) == SMALL

    with_placement(tmp_path, work)


def test_forget_tombstones__keeps_those_that_hold_something(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1)])
        await placement.claim(claim("holder"))
        await placement.release("gone")
        assert await placement.forget_tombstones(before=1.0) == 0
        assert await placement.forget_tombstones(before=1e12) == 1
        assert await placement.consumer_generation("gone") is None
        assert [consumer.uuid for consumer in await placement.consumers()] == ["holder"]

    with_placement(tmp_path, work)


def test_consumers__page_by_page__are_all_seen_once(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1, vcpus=100, memory_mb=100_000)])
        for number in range(7):
            await placement.claim(claim(f"c{number}"))
        await placement.release("c3")
        seen: list[str] = []
        while page := await placement.consumers(marker=seen[-1] if seen else "", limit=2):
            seen += [consumer.uuid for consumer in page]
        assert seen == ["c0", "c1", "c2", "c4", "c5", "c6"]

    with_placement(tmp_path, work)


def test_spread__most_on_one_provider__the_next_is_crowded_out_until_one_leaves(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1), host(2)])

        def member(on: int) -> SpreadSet:
            return SpreadSet(id="set", provider=uuid_of(on), most=1)

        assert await placement.claim(claim("a", 1, spread=member(1))) == Claimed(1)
        assert await placement.claim(claim("b", 1, spread=member(1))) == Crowded("set", uuid_of(1))
        assert await placement.usages(uuid_of(1)) == SMALL
        assert await placement.claim(claim("b", 2, spread=member(2))) == Claimed(1)
        assert await placement.spread_members("set", besides="a") == {uuid_of(2): 1}
        await placement.release("a")
        assert await placement.claim(claim("b", 1, generation=1, spread=member(1))) == Claimed(2)
        assert await placement.spread_members("set") == {uuid_of(1): 1}
        assert await placement.claim(claim("c", 2, spread=member(2))) == Claimed(1)

    with_placement(tmp_path, work)


def test_together__the_first_decides_where__until_all_have_left(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1), host(2)])

        def member(on: int) -> SpreadSet:
            return SpreadSet(id="set", provider=uuid_of(on), most=None)

        assert await placement.claim(claim("a", 1, spread=member(1))) == Claimed(1)
        assert await placement.claim(claim("b", 2, spread=member(2))) == Crowded("set", uuid_of(2))
        assert await placement.claim(claim("b", 1, spread=member(1))) == Claimed(1)
        await placement.release("a")
        assert await placement.claim(claim("c", 2, spread=member(2))) == Crowded("set", uuid_of(2))
        await placement.release("b")
        assert await placement.claim(claim("c", 2, spread=member(2))) == Claimed(1)

    with_placement(tmp_path, work)


def test_claim__without_a_set__a_member_stays_in_it_while_it_keeps_its_provider(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1), host(2)])
        member = SpreadSet(id="set", provider=uuid_of(1), most=1)
        await placement.claim(claim("a", 1, spread=member))
        await placement.claim(claim("a", generation=1, allocations={uuid_of(1): {"VCPU": 1}}))
        assert await placement.spread_members("set") == {uuid_of(1): 1}
        await placement.claim(claim("a", 2, generation=2))
        assert await placement.spread_members("set") == {}

    with_placement(tmp_path, work)


def test_claim_together__amounts_pass_from_one_to_another_on_a_full_provider(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1, vcpus=2), host(2)])
        await placement.claim(claim("server"))
        both = [claim("server", 2, generation=1), claim("move", 1)]
        assert await placement.claim_together(both) == [Claimed(2), Claimed(1)]
        assert await placement.claim_together(both) == [Claimed(2, replayed=True), Claimed(1, replayed=True)]
        back = [claim("server", 1, generation=2), claim("move", generation=1, allocations={})]
        assert await placement.claim_together(back) == [Claimed(3), Claimed(2)]
        assert await placement.allocations_of("server") == {uuid_of(1): SMALL}
        assert await placement.allocations_of("move") == {}

    with_placement(tmp_path, work)


def test_claim_together__one_is_refused__nothing_is_changed(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1), host(2, vcpus=1)])
        await placement.claim(claim("server"))
        assert isinstance(await placement.claim_together([claim("server", 2, generation=1), claim("move")]), Full)
        late = [claim("server", 1, generation=1), claim("move", 1, generation=5)]
        assert await placement.claim_together(late) == Stale(None)
        assert await placement.consumer_generation("server") == 1
        assert await placement.consumer_generation("move") is None

    with_placement(tmp_path, work)


def test_claim_each__all_fit__each_is_held_and_counted(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1), host(2)])
        answers = await placement.claim_each([claim("a"), claim("b"), claim("c", provider=2)])
        assert answers == [Claimed(1)] * 3
        assert await placement.usages(uuid_of(1)) == {"VCPU": 4, "MEMORY_MB": 1024}
        assert await placement.allocations_of("c") == {uuid_of(2): SMALL}
        assert not (await placement.books()).unbalanced

    with_placement(tmp_path, work)


def test_claim_each__more_than_fit__the_first_ones_are_granted_and_the_others_are_told_why(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1, vcpus=4), host(2)])
        answers = await placement.claim_each([claim("a"), claim("b"), claim("c"), claim("d", provider=2)])
        assert answers[:2] == [Claimed(1), Claimed(1)]
        assert answers[2] == Full(uuid_of(1), "VCPU", "2 more do not fit into the capacity of 4", "room")
        assert answers[3] == Claimed(1)

    with_placement(tmp_path, work)


def test_claim_each__some_are_not_new__these_are_judged_as_alone(tmp_path):
    async def work(placement: Placement) -> None:
        await placement.providers_ensure([host(1), host(2)])
        assert await placement.claim(claim("a")) == Claimed(1)
        assert await placement.release("b") == Released(1)
        set_ = SpreadSet(id="g", provider=uuid_of(2), most=1)
        answers = await placement.claim_each(
            [claim("a"), claim("b"), claim("b2", generation=7), claim("c"), claim("d", provider=2, spread=set_)]
        )
        assert answers == [Claimed(1, replayed=True), Stale(1), Stale(None), Claimed(1), Claimed(1)]

    with_placement(tmp_path, work)
