"""A day of requests over a fleet that exists on paper only."""

from typing import Any

import msgspec

from kilonova.kernel.ids import HostName
from kilonova.objects.aggregate import Aggregate
from kilonova.scheduler.decide import Reason
from kilonova.scheduler.replay import SAMPLES_MAX, FleetHost, Outcome, Request, imagined, replay


def asked(at: float, vcpus: int = 2, **more: Any) -> Request:
    return Request(at=at, vcpus=vcpus, memory_mb=1024, **more)


def played(*requests: Request, fleet: list[FleetHost] | None = None) -> Outcome:
    return replay(requests, imagined(2, 4, 8192, 100) if fleet is None else fleet, lambda: 0.0)


def test_replay__more_than_fits__refused_with_the_class_that_was_short():
    outcome = played(*(asked(float(at)) for at in range(6)))
    assert (outcome.hosts, outcome.requests, outcome.placed, outcome.refused) == (2, 6, 4, 2)
    assert outcome.because == {"VCPU: 2": 2}
    first = outcome.first_refusal
    assert first is not None
    assert (first.at, first.line, first.reasons) == (4.0, 5, (Reason("VCPU: 2", 2, "host-1"),))
    assert outcome.peak == {"VCPU": 1.0, "MEMORY_MB": 0.25, "DISK_GB": 0.0}


def test_replay__servers_whose_time_is_over__make_room_in_the_order_of_times_not_of_lines():
    day = [asked(30.0, 4), asked(0.0, 4, lifetime_s=20.0), asked(10.0, 4), asked(15.0, 4)]
    outcome = played(*day)
    assert (outcome.placed, outcome.refused) == (3, 1)
    assert [sample.servers for sample in outcome.samples] == [1, 2, 2, 1, 2]


def test_replay__zones_and_groups__hold_as_in_a_cloud():
    fleet = imagined(3, 64, 65536, 1000)
    apart = played(*(asked(float(at), group="g") for at in range(4)), fleet=fleet)
    assert (apart.placed, apart.because) == (3, {"ServerGroupAntiAffinityFilter": 1})
    together = played(*(asked(float(at), 20, group="g", policy="affinity") for at in range(4)), fleet=fleet)
    assert (together.placed, together.because) == (3, {"VCPU: 20": 1})
    assert played(asked(0.0, zone="z1"), fleet=fleet).because == {"AvailabilityZoneFilter": 1}


def test_replay__fleet_that_is_used_or_down_already__counts_as_it_is():
    room = {"VCPU": (4, 3), "MEMORY_MB": (4096, 0), "DISK_GB": (100, 50)}
    fleet = [FleetHost(name="a", room=room), FleetHost(name="b", room={**room, "VCPU": (4, 0)}, up=False)]
    outcome = played(asked(0.0), fleet=fleet)
    assert outcome.because == {"VCPU: 2": 1}
    assert outcome.peak["DISK_GB"] == 0.5
    assert played(asked(0.0), fleet=[]).because == {"no hosts": 1}


def test_replay__long_day__keeps_so_many_samples():
    outcome = played(*(asked(float(at), 1, lifetime_s=0.5) for at in range(2000)))
    assert outcome.refused == 0
    assert SAMPLES_MAX // 2 <= len(outcome.samples) <= SAMPLES_MAX


def test_replay__aggregates_of_the_hosts__change_who_is_best():
    packs = Aggregate(id=1, uuid="1", name="packed", metadata={"cpu_weight_multiplier": "-9"}, created_at=0.0)
    room = {"VCPU": (8, 0), "MEMORY_MB": (8192, 0)}
    fleet = [FleetHost(name=HostName(name), room=room) for name in ("a", "b")]
    packed = [msgspec.structs.replace(host, aggregates=(packs,)) for host in fleet]
    day = [asked(0.0, 4, group="g", policy="soft-affinity"), asked(1.0, 4)]
    spread, together = played(*day, asked(2.0, 8), fleet=fleet), played(*day, asked(2.0, 8), fleet=packed)
    assert (spread.because, together.because) == ({"VCPU: 8": 1}, {})
