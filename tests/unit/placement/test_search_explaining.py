"""Every condition tells how many trees it removed, and one of them."""

import random

from kilonova.placement.search import explaining
from kilonova.placement.search.explaining import Removed
from kilonova.placement.search.fleet import Facts, Stock
from kilonova.placement.search.query import Query
from kilonova.placement.search.search import search
from kilonova.placement.shapes import Group
from unit.placement import random_clouds
from unit.placement.placing import uuid_of

A = frozenset({"HW_NIC_SRIOV"})


def provider(number: int, parent: int | None = None, **stocks: int) -> Facts:
    traits = frozenset({"HW_NIC_SRIOV"}) if number % 2 else frozenset[str]()
    return Facts(
        uuid=uuid_of(number),
        name=f"provider-{number}",
        parent_uuid=None if parent is None else uuid_of(parent),
        root_uuid=uuid_of(number if parent is None else parent),
        stocks={name: Stock(capacity=n, used=0, min_unit=1, max_unit=n, step_size=1) for name, n in stocks.items()},
        traits=traits,
        aggregates=frozenset(),
    )


def told(facts: list[Facts], query: Query) -> list[tuple[str, int, str]]:
    return [(one.constraint, one.count, one.example) for one in explaining.removed(random_clouds.fleet(facts), query)]


def test_removed__flat_cloud__each_condition_counts_those_left_by_the_ones_before() -> None:
    facts = [provider(1, VCPU=8), provider(2, VCPU=8), provider(3, VCPU=2), provider(4)]
    query = Query(groups={"": Group(resources={"VCPU": 4}, required=(A,), member_of=(frozenset({uuid_of(0xA1)}),))})
    assert told(facts, query) == [
        ("VCPU: 4", 2, uuid_of(3)),
        ("trait HW_NIC_SRIOV", 1, uuid_of(2)),
        (f"aggregate {uuid_of(0xA1)}", 1, uuid_of(1)),
    ]


def test_removed__groups_of_a_tree__tells_what_they_are_asked_together() -> None:
    facts = [
        *(provider(2, VCPU=8), provider(21, 2, SRIOV_NET_VF=1), provider(23, 2, SRIOV_NET_VF=1)),
        *(provider(4, VCPU=8), provider(41, 4, SRIOV_NET_VF=8)),
        *(provider(6, VCPU=8), provider(61, 6, SRIOV_NET_VF=1)),
        *(provider(8, VCPU=8), provider(82, 8, SRIOV_NET_VF=8)),
    ]
    card = Group(resources={"SRIOV_NET_VF": 1}, required=(A,))
    query = Query(
        groups={"": Group(resources={"VCPU": 1}), "1": card, "2": card},
        isolate=True,
        same_subtree=(frozenset({"1", "2"}),),
    )
    assert told(facts, query) == [
        ("group 1: trait HW_NIC_SRIOV", 1, uuid_of(8)),
        ("group 2: SRIOV_NET_VF: 1", 1, uuid_of(6)),
        ("a provider of its own for each named group", 1, uuid_of(4)),
        ("groups 1 and 2 in one subtree", 1, uuid_of(2)),
    ]


def test_removed__random_clouds_and_queries__accounts_for_every_tree() -> None:
    for seed in range(600):
        draw = random.Random(seed)
        fleet, query = random_clouds.fleet(random_clouds.cloud(draw)), random_clouds.query(draw)
        removed: list[Removed] = explaining.removed(fleet, query)
        *_, (_, whole) = explaining.stages(query)
        assert whole == query
        left = explaining.anchors(fleet, query)
        assert sum(one.count for one in removed) + left.bit_count() == fleet.root_rows.bit_count(), seed
        assert bool(left) == bool(random_clouds.found(fleet, search(fleet, query))), seed
