"""Mutants of placement and the scheduler: claims, generations, rules of groups."""

import msgspec

from kilonova.database.database import Transaction
from kilonova.operations.work import Work
from kilonova.placement import store
from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Claim, Claimed, Crowded, Full, Released, Stale
from kilonova.placement.tables import inventories
from kilonova.scheduler.request import ServerRequest
from kilonova.simulation.mutants.mutant import Change, Mutant, Replaced, nothing

_claim = Placement.claim
_release = Placement.release


async def _claim_anyway(self: Placement, claim: Claim) -> Claimed | Full | Crowded | Stale:
    now = await self.consumer_generation(claim.consumer)
    return await _claim(self, msgspec.structs.replace(claim, generation=now))


async def _release_anyway(self: Placement, consumer: str, generation: int | None = None) -> Released | Stale:
    return await _release(self, consumer)


async def _release_nothing(self: Placement, consumer: str, generation: int | None = None) -> Released | Stale:
    return Released(generation=0)


async def _release_known(self: Placement, consumer: str, generation: int | None = None) -> Released | Stale:
    if await self.consumer_generation(consumer) is None:
        return Released(generation=0)
    return await _release(self, consumer, generation)


def _take_anyway(tx: Transaction, wanted: list[tuple[str, str, int, int]]) -> bool:
    for provider, name, _, delta in wanted:
        row = (inventories.c.provider_uuid == provider) & (inventories.c.resource_class == name)
        tx.execute(inventories.update().where(row).values(used=inventories.c.used + delta))
    return True


MUTANTS = (
    Mutant(
        name="claims-without-generation",
        breaks="the last claim or release wins, whatever it had seen",
        changes=(Change(Placement, "claim", _claim_anyway), Change(Placement, "release", _release_anyway)),
        scenarios=("freezes", "boot-delete"),
    ),
    Mutant(
        name="nothing-released",
        breaks="a claim is never given back",
        changes=(Change(Placement, "release", _release_nothing),),
    ),
    Mutant(
        name="no-consumer-tombstone",
        breaks="the release of what was never claimed leaves no mark, so that a late claim gets in",
        changes=(Change(Placement, "release", _release_known),),
        scenarios=("freezes", "boot-delete"),
    ),
    Mutant(
        name="overcommit",
        breaks="room is no condition of the claim: two that see the same room both get it",
        changes=(Replaced(store.take_txn, _take_anyway),),
    ),
    Mutant(
        name="group-rule-not-claimed",
        breaks="that members of a group don't share a host is looked at when a host is chosen, not when it is claimed",
        changes=(Change(ServerRequest, "spread", lambda _request, _provider: None),),
    ),
    Mutant(
        name="lease-not-checked",
        breaks="a worker changes the world without looking whether it was taken over",
        changes=(Change(Work, "check_lease", nothing),),
        scenarios=("freezes", "boot-delete"),
    ),
)
