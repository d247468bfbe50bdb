"""Replies are well-formed, and show at each version what it knew."""

import random
from typing import Any

import msgspec

from kilonova.placement.search.answer import Alone
from kilonova.placement.search.fleet import Facts, Fleet, Stock
from kilonova.placement.search.query import Query
from kilonova.placement.search.rendering import NEWEST, Form, Rendering
from kilonova.placement.search.search import search
from kilonova.placement.shapes import Group
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
    decoded: dict[str, Any] = msgspec.json.decode(written(fleet, query, form))
    return decoded


def written(fleet: Fleet, query: Query, form: Form = NEWEST) -> bytes:
    rendering = Rendering(fleet, query.classes, form)
    for part in search(fleet, query):
        rendering.add(part)
    return rendering.body()


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


def test_rendering__in_parts__is_the_whole_answer_once() -> None:
    nothing_in_common = [
        msgspec.structs.replace(cloud()[0], uuid=uuid_of(n), root_uuid=uuid_of(n)) for n in range(2500)
    ]
    fleet = random_clouds.fleet(nothing_in_common)
    assert [len(part.rows) for part in search(fleet, ONE) if isinstance(part, Alone)] == [1000, 1000, 500]
    shown = reply(fleet, ONE)
    asked = [next(iter(one["allocations"])) for one in shown["allocation_requests"]]
    assert asked == list(shown["provider_summaries"]) == [one.uuid for one in nothing_in_common]


def test_rendering__trees_with_candidates_in_several_parts__are_shown_once() -> None:
    stocks = {"SRIOV_NET_VF": Stock(capacity=8, used=0, min_unit=1, max_unit=8, step_size=1)}
    cards = [
        msgspec.structs.replace(cloud()[0], uuid=uuid_of(n), name=f"card{n}", parent_uuid=uuid_of(1), stocks=stocks)
        for n in range(2, 14)
    ]
    fleet = random_clouds.fleet([*cloud(), *cards])
    group = Group(resources={"SRIOV_NET_VF": 1})
    query = Query(groups={"": Group(resources={"VCPU": 1}), "_A": group, "_B": group}, isolate=True)
    assert len(list(search(fleet, query))) > 1
    text = written(fleet, query)
    assert text.count(b"parent_provider_uuid") == 13
    shown = msgspec.json.decode(text)
    assert (len(shown["allocation_requests"]), len(shown["provider_summaries"])) == (12 * 11, 13)
