"""The checkers see: variants of the cloud that are broken on purpose are caught, each for its own reason."""

import re

import msgspec
import pytest
from typing_extensions import override

from kilonova.engine.runner import Pace
from kilonova.kernel.ids import HostName, ServerId
from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Claim, Claimed, Crowded, Full, Released, Stale
from kilonova.simulation.doubles.networks import SimNetworks
from kilonova.simulation.hypervisor import SimDriver
from kilonova.simulation.run import run
from kilonova.simulation.scenarios import scenario
from kilonova.simulation.world import World


class _ReleasesNothing(Placement):
    @override
    async def release(self, consumer: str, generation: int | None = None) -> Released | Stale:
        return Released(generation=0)


class _ForgetsGenerations(Placement):
    """Lets the latest claim win, whoever makes it and whatever it has seen."""

    @override
    async def claim(self, claim: Claim) -> Claimed | Full | Crowded | Stale:
        now = await self.consumer_generation(claim.consumer)
        return await super().claim(msgspec.structs.replace(claim, generation=now))

    @override
    async def release(self, consumer: str, generation: int | None = None) -> Released | Stale:
        return await super().release(consumer)


class _KeepsPorts(SimNetworks):
    @override
    async def port_delete(self, port_id: str) -> None:
        return None


class _DestroysNothing(SimDriver):
    @override
    async def guest_destroy(
        self, host: HostName, server_id: ServerId, generation: int, *, keep_disks: bool = False
    ) -> None:
        return None


class _TakesNothingOver(World):
    pace = Pace(lease_s=1e9)


class _LeaksClaims(World):
    placement = _ReleasesNothing


class _HasNoFence(World):
    placement = _ForgetsGenerations


class _LeaksPorts(World):
    networks = _KeepsPorts


class _LeaksGuests(World):
    driver = _DestroysNothing


@pytest.mark.parametrize(
    ("world", "within", "said"),
    [
        (_LeaksClaims, 3, "is no living server"),
        (_LeaksPorts, 3, "which is no living server"),
        (_LeaksGuests, 3, "tombstone|belongs to no living server"),
        (_TakesNothingOver, 5, "not finished 300 s after the last fault"),
        (_HasNoFence, 100, "is no living server|not its flavor|holds nothing"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_broken_on_purpose__is_caught_within_so_many_seeds(world: type[World], within: int, said: str):
    for seed in range(within):
        violations = run(seed, scenario("boot-delete"), world=world).violations
        if any(re.search(said, violation) for violation in violations):
            return
    pytest.fail(f"{world.__name__} survived {within} seeds")
