"""Replies are well-formed, and show at each version what it knew."""

import random
from typing import Any

import msgspec

from kilonova.placement.search.fleet import Facts, Fleet, Stock
from kilonova.placement.search.query import Group, Query
from kilonova.placement.search.rendering import NEWEST, Form, rendered
from kilonova.placement.search.search import search
from unit.placement import random_clouds
from unit.placement.placing import uuid_of

OLDEST = Form(by_provider=False, traits=False, whole=False, tree=False, mappings=False)
ONE = Query(groups={"": Group(resources={"VCPU": 2})})


def cloud(used: int = 0) -> list[Facts]:
    return [
        Facts(
            uuid=uuid_of(1),
            name="host",
            parent_uuid=None,
            root_uuid=uuid_of(1),
            stocks={
                "DISK_GB": Stock(capacity=9, used=0, min_unit=1, max_unit=9, step_size=1),
                "VCPU": Stock(capacity=8, used=used, min_unit=1, max_unit=8, step_size=1),
            },
            traits=frozenset({"COMPUTE_NODE"}),
            aggregates=frozenset(),
        )
    ]


def reply(fleet: Fleet, query: Query, form: Form = NEWEST) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(rendered(fleet, search(fleet, query), query.classes, form))
    return decoded


def test_rendered__newest() -> None:
    assert reply(random_clouds.fleet(cloud()), ONE) == {
        "allocation_requests": [
            {"allocations": {uuid_of(1): {"resources": {"VCPU": 2}}}, "mappings": {"": [uuid_of(1)]}}
        ],
        "provider_summaries": {
            uuid_of(1): {
                "resources": {"DISK_GB": {"capacity": 9, "used": 0}, "VCPU": {"capacity": 8, "used": 0}},
                "traits": ["COMPUTE_NODE"],
                "parent_provider_uuid": None,
                "root_provider_uuid": uuid_of(1),
            }
        },
    }


def test_rendered__oldest() -> None:
    assert reply(random_clouds.fleet(cloud()), ONE, OLDEST) == {
        "allocation_requests": [
            {"allocations": [{"resource_provider": {"uuid": uuid_of(1)}, "resources": {"VCPU": 2}}]}
        ],
        "provider_summaries": {uuid_of(1): {"resources": {"VCPU": {"capacity": 8, "used": 0}}}},
    }


def test_rendered__a_provider_changes__its_summary_is_written_anew() -> None:
    fleet = random_clouds.fleet(cloud())
    before = reply(fleet, ONE)["provider_summaries"][uuid_of(1)]["resources"]["VCPU"]["used"]
    fleet.put_all(cloud(used=5))
    after = reply(fleet, ONE)["provider_summaries"][uuid_of(1)]["resources"]["VCPU"]["used"]
    assert (before, after) == (0, 5)


def test_rendered__random_clouds__every_provider_used_is_summed_up_with_its_tree() -> None:
    for seed in range(400):
        draw = random.Random(seed)
        facts, query = random_clouds.cloud(draw), random_clouds.query(draw)
        shown = reply(random_clouds.fleet(facts), query)
        used = {uuid for one in shown["allocation_requests"] for uuid in one["allocations"]}
        roots = {one.root_uuid for one in facts if one.uuid in used}
        assert set(shown["provider_summaries"]) == {one.uuid for one in facts if one.root_uuid in roots}, seed
