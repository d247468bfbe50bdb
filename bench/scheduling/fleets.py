"""Hosts, what is used of them, and requests."""

import random
import uuid
from collections.abc import Sequence

from kilonova.kernel.ids import CellId, HostName
from kilonova.placement.placement import Placement
from kilonova.placement.search.fleet import Facts, Fleet, Stock
from kilonova.placement.shapes import Inventory, ProviderSpec, Resources
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest

CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")
MODELS = ((256, 256, 2000), (384, 384, 4000), (512, 1024, 4000), (192, 192, 1000))
"""VCPUs, GB of memory and GB of disk of each model of host."""
FLAVORS = ((1, 2, 2), (2, 4, 4), (2, 8, 4), (4, 8, 8), (4, 16, 8), (8, 16, 16), (8, 32, 16), (16, 64, 32))
ZONES = ("a", "b", "c")
LOADED_AT_ONCE = 5000


def amounts(sizes: tuple[int, int, int]) -> dict[str, int]:
    """By resource class."""
    vcpus, memory_gb, disk_gb = sizes
    return dict(zip(CLASSES, (vcpus, memory_gb * 1024, disk_gb), strict=True))


REQUESTS = tuple(ServerRequest(resources=amounts(flavor), zone=zone) for flavor in FLAVORS for zone in (None, *ZONES))
"""One for each flavor, in any zone and in each: 32 sorts."""


class Imagined:
    """A fleet of so many hosts, and how full each of them is."""

    def __init__(self, count: int, *, filled: bool, models: Sequence[tuple[int, int, int]] = MODELS) -> None:
        """`filled`: each host from 20 to 80 % full of servers of mixed flavors; else all empty."""
        chance = random.Random(1)
        self.capacity = [amounts(chance.choice(models)) for _ in range(count)]
        self.used = [dict.fromkeys(CLASSES, 0) for _ in range(count)]
        self.uuids = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(count)]
        if filled:
            for capacity, used in zip(self.capacity, self.used, strict=True):
                _fill(chance, capacity, used)
        cpu: dict[str, object] = {"arch": "x86_64"}
        self.hosts = [
            HostState(
                name=HostName(f"host-{number}"),
                cell_id=CellId("cell1"),
                uuid=self.uuids[number],
                up=True,
                enabled=True,
                zone=chance.choice(ZONES),
                cpu_info=cpu,
            )
            for number in range(count)
        ]

    def fleet(self) -> Fleet:
        """As placement keeps it."""
        fleet = Fleet()
        for number in range(len(self.hosts)):
            fleet.put(self.facts(number))
        return fleet

    def facts(self, number: int) -> Facts:
        """Of one host's provider."""
        own = self.uuids[number]
        stocks = {
            name: Stock(capacity=most, used=self.used[number][name], min_unit=1, max_unit=most, step_size=1)
            for name, most in self.capacity[number].items()
        }
        none: frozenset[str] = frozenset()
        return Facts(
            uuid=own,
            name=f"host-{number}",
            parent_uuid=None,
            root_uuid=own,
            stocks=stocks,
            traits=none,
            aggregates=none,
        )

    def use(self, number: int, resources: Resources, sign: int) -> None:
        """Let a server come to a host, or go."""
        self.used[number] = {name: used + sign * resources[name] for name, used in self.used[number].items()}

    async def register(self, placement: Placement) -> None:
        """Make the providers; nothing is used of them."""
        for first in range(0, len(self.hosts), LOADED_AT_ONCE):
            await placement.providers_ensure(
                [
                    ProviderSpec(
                        uuid=self.uuids[number],
                        name=f"host-{number}",
                        inventories={name: Inventory(total=most) for name, most in self.capacity[number].items()},
                    )
                    for number in range(first, min(first + LOADED_AT_ONCE, len(self.hosts)))
                ]
            )


def _fill(chance: random.Random, capacity: Resources, used: dict[str, int]) -> None:
    goal = chance.uniform(0.2, 0.8) * capacity["VCPU"]
    while used["VCPU"] < goal:
        more = {name: used[name] + amount for name, amount in amounts(chance.choice(FLAVORS)).items()}
        if any(more[name] > most for name, most in capacity.items()):
            return
        used.update(more)
