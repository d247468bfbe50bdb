"""The quick choice is the choice of `decide`, which looks at every host: same hosts, same order, same chance."""

import random

import msgspec
import pytest

from kilonova.objects.aggregate import Aggregate
from kilonova.placement.search import single
from kilonova.placement.search.fleet import Facts, Fleet, Stock
from kilonova.scheduler.decide import Ranked, decide
from kilonova.scheduler.filters import enabled as filters_enabled
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.options import SchedulerOptions
from kilonova.scheduler.quick.choose import Chooser
from kilonova.scheduler.request import GroupRequest, ServerRequest
from kilonova.scheduler.weighers import enabled as weighers_enabled

SIZES = {"VCPU": (16, 32, 33), "MEMORY_MB": (16384, 65536, 65537), "DISK_GB": (100, 1000), "CUSTOM_X": (8,)}
RACKS = tuple(
    Aggregate(id=number, uuid=str(number), name=str(number), metadata=metadata, created_at=0.0)
    for number, metadata in enumerate(
        ({"availability_zone": "z1"}, {"ram_weight_multiplier": "-2"}, {"filter_tenant_id": "p1", "ssd": "true"})
    )
)
FILTERS = (*SchedulerOptions().enabled_filters, "AggregateMultiTenancyIsolation", "AggregateInstanceExtraSpecsFilter")
MULTIPLIERS: tuple[dict[str, float], ...] = (
    {},
    {"ram_weight_multiplier": -1.0, "cpu_weight_multiplier": -1.0},
    {"disk_weight_multiplier": 0.3, "hypervisor_version_weight_multiplier": 0.0},
    {"cpu_weight_multiplier": 0.0, "ram_weight_multiplier": 0.0, "disk_weight_multiplier": 0.0},
)
SEEDS = range(24)


class World:
    """Hosts and their providers, as chance has them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.tied = self.chance.random() < 0.5
        self.fleet = Fleet()
        self.hosts = [self.host(number) for number in range(self.chance.choice((5, 60, 700)))]
        for host in self.hosts:
            self.fill(host)

    def host(self, number: int) -> HostState:
        pick = self.chance.choice
        racks = pick((RACKS[:0], RACKS[:1], RACKS[1:2], RACKS[::2]))
        return HostState(
            name=f"h{number}",
            cell_id=pick(("c1", "c2")),
            uuid=f"u{number}",
            host_ip=f"10.0.{number // 250}.{number % 250}",
            up=self.chance.random() < 0.9,
            enabled=self.chance.random() < 0.9,
            zone="z1" if RACKS[0] in racks else "nova",
            aggregates=racks,
            hypervisor_version=pick((6_000_000, 7_000_000)),
            cpu_info={"arch": pick(("x86_64", "aarch64"))},
        )

    def fill(self, host: HostState) -> None:
        """Let its provider be any."""
        pick = self.chance.choice
        stocks: dict[str, Stock] = {}
        for name, sizes in SIZES.items():
            if name == "CUSTOM_X" and self.chance.random() < 0.5:
                continue
            size = pick(sizes)
            used = pick((0, size // 2, size)) if self.tied else self.chance.randrange(size + 1)
            stocks[name] = Stock(capacity=size, used=used, min_unit=1, max_unit=pick((4, size)), step_size=1)
        traits = frozenset(pick(((), ("A",), ("A", "B"))))
        self.fleet.put(facts(host.uuid, stocks, traits))

    def change(self) -> None:
        """Let something be otherwise."""
        kind, host = self.chance.randrange(20), self.chance.choice(self.hosts)
        if kind == 0:
            self.fleet.remove(host.uuid)
        elif kind == 1:
            at = self.hosts.index(host)
            other = msgspec.structs.replace(host, up=not host.up, zone="z1")
            self.hosts = [*self.hosts[:at], other, *self.hosts[at + 1 :]]
        elif kind == 2 and len(self.hosts) > 2:
            self.hosts = [one for one in self.hosts if one is not host]
        else:
            self.fill(host)

    def request(self) -> ServerRequest:
        pick, chance = self.chance.choice, self.chance.random
        names = [host.name for host in self.hosts]
        resources = {"VCPU": pick((1, 2, 8)), "MEMORY_MB": pick((512, 2048)), "DISK_GB": 1, "CUSTOM_X": 1}
        left_out = pick(((), (), ("DISK_GB", "CUSTOM_X"), ("CUSTOM_X",)))
        members = {name: pick((1, 2)) for name in self.chance.sample(names, 2)}
        group = GroupRequest(id="g", policy=pick(("affinity", "anti-affinity", "soft-affinity")), members=members)
        return ServerRequest(
            resources={name: amount for name, amount in resources.items() if name not in left_out},
            required=frozenset(pick(((), (), ("A",)))),
            forbidden=frozenset(pick(((), (), ("B",)))),
            zone=pick((None, None, "z1")),
            cell=pick((None, None, "c1")),
            ignored=frozenset(self.chance.sample(names, 2)) if chance() < 0.3 else frozenset(),
            different_host=frozenset(self.chance.sample(names, 1)) if chance() < 0.2 else None,
            group=group if chance() < 0.3 else None,
            project_id=pick(("p1", "p2")),
            extra_specs=pick(({}, {}, {"aggregate_instance_extra_specs:ssd": "true"}, {"capabilities:host": "h1"})),
            image_properties=pick(({}, {"hw_architecture": "x86_64"})),
        )


def facts(uuid: str, stocks: dict[str, Stock], traits: frozenset[str]) -> Facts:
    return Facts(
        uuid=uuid, name=uuid, parent_uuid=None, root_uuid=uuid, stocks=stocks, traits=traits, aggregates=frozenset()
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_best__any_fleet_any_request_while_both_change__is_what_looking_at_every_host_finds(seed: int) -> None:
    world = World(seed)
    options = SchedulerOptions(enabled_filters=FILTERS, **MULTIPLIERS[seed % len(MULTIPLIERS)])
    filters, weighers = filters_enabled(options), weighers_enabled(options)
    chooser, answered = Chooser(filters, weighers), 0
    for _ in range(20):
        for _ in range(world.chance.randrange(4)):
            world.change()
        request, chance = world.request(), world.chance.random()
        chooser.refresh(world.hosts, world.fleet)
        expected = decide(
            request,
            world.hosts,
            single.candidates(world.fleet, request.query),
            chance,
            filters=filters,
            weighers=weighers,
        )
        found = chooser.best(request, chance) if chooser.can(request) else None
        if found is not None:
            answered += 1
            assert isinstance(expected, Ranked)
            assert found is expected.hosts[0]
        elif chooser.can(request) and not (request.group and request.group.soft):
            assert not isinstance(expected, Ranked)
    assert answered or len(world.hosts) < 60


@pytest.mark.parametrize("seed", range(20))
def test_reserve_each__many_alike__each_gets_what_it_would_get_alone_after_those_before_it(seed: int) -> None:
    world = World(seed)
    options = SchedulerOptions(**MULTIPLIERS[seed % len(MULTIPLIERS)])
    together, alone = (Chooser(filters_enabled(options), weighers_enabled(options)) for _ in range(2))
    for _ in range(10):
        request = msgspec.structs.replace(world.request(), ignored=frozenset(), different_host=None, group=None)
        chances = [world.chance.random() for _ in range(12)]
        for one in (together, alone):
            one.refresh(world.hosts, world.fleet)
        if not together.can(request):
            continue
        expected: list[HostState] = []
        for chance in chances:
            host = alone.best(request, chance)
            if host is None:
                break
            alone.reserve(host, request.resources)
            expected.append(host)
        assert together.reserve_each(request, chances) == expected
        if world.chance.random() < 0.5:
            for host in expected[::2]:
                together.look_again(host)
                alone.look_again(host)
