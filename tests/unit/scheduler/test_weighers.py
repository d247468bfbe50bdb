"""Weighers by Nova's names: who comes first, and by which multiplier."""

from typing import Any

import pytest

from kilonova.objects.aggregate import Aggregate
from kilonova.scheduler.hosts import HostLoad, HostState
from kilonova.scheduler.options import SchedulerOptions
from kilonova.scheduler.request import ServerRequest
from kilonova.scheduler.weighers import BadWeightSetting, enabled, weights

FREE = {"VCPU": (4, 8), "MEMORY_MB": (512, 512)}


def hosts(*loads: HostLoad, **of_first: Any) -> list[HostState]:
    values = {"cell_id": "cell1", "up": True, "enabled": True, "zone": "nova"}
    first, second = loads or (HostLoad(), HostLoad())
    return [
        HostState(name="a", uuid="a", load=first, **values, **of_first),
        HostState(name="b", uuid="b", load=second, **values),
    ]


def weighed(states: list[HostState], *, properties: dict[str, str] | None = None, **options: Any) -> list[float]:
    request = ServerRequest(resources={"VCPU": 1, "MEMORY_MB": 1}, image_properties=properties or {})
    return weights(request, states, FREE, enabled(SchedulerOptions(**{"cpu_weight_multiplier": 0.0, **options})))


@pytest.mark.parametrize(
    ("option", "load", "expected"),
    [
        ({"io_ops_weight_multiplier": -1.0}, HostLoad(io_ops=3), [-1.0, 0.0]),
        ({"num_instances_weight_multiplier": 2.0}, HostLoad(servers=3), [2.0, 0.0]),
        ({"build_failure_weight_multiplier": 1000.0}, HostLoad(failed_builds=1), [0.0, 1000.0]),
        ({}, HostLoad(servers=3, io_ops=3, failed_builds=3), [0.0, 0.0]),
    ],
)
def test_weights__load__by_its_multiplier(option, load, expected):
    assert weighed(hosts(load, HostLoad()), **option) == expected


def test_weights__hypervisor_version__the_newer_first():
    assert weighed(hosts(hypervisor_version=9_000_000)) == [1.0, 0.0]


def test_weights__image_properties__near_servers_of_the_same_kind():
    alike = HostLoad(images=({"os_type": "bsd", "hw_x": "1"}, {"os_type": "bsd"}))
    states = hosts(alike, HostLoad(images=({"os_type": "linux"},)))
    on = {"image_props_weight_multiplier": 1.0}
    assert weighed(states, properties={"os_type": "bsd"}, **on) == [1.0, 0.0]
    assert weighed(states, properties={"os_type": "linux"}, **on) == [0.0, 1.0]
    assert weighed(states, properties={"os_type": "bsd"}, image_props_weight_setting=("hw_x=2",), **on) == [0.0, 0.0]
    with pytest.raises(BadWeightSetting, match="'hw_x' is not NAME=NUMBER"):
        weighed(states, image_props_weight_setting=("hw_x",))


@pytest.mark.parametrize(("texts", "expected"), [(("-2.0",), -2.0), (("3", "2"), 2.0), (("odd",), 1.0)])
def test_weights__aggregates_with_a_multiplier__the_least_counts_for_their_hosts(texts, expected):
    of = [
        Aggregate(id=at, uuid="u", name="n", metadata={"ram_weight_multiplier": text}, created_at=0.0)
        for at, text in enumerate(texts)
    ]
    states = hosts(aggregates=tuple(of))
    request = ServerRequest(resources={"MEMORY_MB": 1})
    free = {"MEMORY_MB": (1024, 512)}
    assert weights(request, states, free, enabled(SchedulerOptions())) == [expected, 0.0]
