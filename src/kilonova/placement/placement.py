"""What the rest of the cloud calls: providers registered, candidates found, capacity claimed and released."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice

from kilonova.database.database import Database, Transaction
from kilonova.placement import books, claims, providers, queries, store
from kilonova.placement.books import Books, Described, Given
from kilonova.placement.claims import Refused
from kilonova.placement.search import explaining, single, trees
from kilonova.placement.search.explaining import Removed
from kilonova.placement.search.loader import LiveFleet
from kilonova.placement.search.query import Query
from kilonova.placement.shapes import (
    Allocations,
    CandidateQuery,
    Candidates,
    Claim,
    Claimed,
    Consumer,
    Crowded,
    Elimination,
    Full,
    ProviderSpec,
    Released,
    Stale,
    Way,
)

WAYS_MAX = 64
"""Most ways of one tree that are given at once; who has tried them all asks for new candidates."""
PAGE_MAX = 1000
"""Most consumers of one page."""


class Placement:
    """The in-process interface. Every method raises `Unavailable` when the database can't answer now.

    How to act for a consumer without ever acting twice (the fence): read `consumer_generation`, then check that the own
    lease still holds, then `claim` or `release` with that generation. Whoever acts in between makes this `Stale`.
    """

    def __init__(self, database: Database) -> None:
        """Work on `database`, whose tables (`placement.tables.metadata`) are there already."""
        self.database = database
        """Where the providers are kept; for the Placement API of the same process."""
        self.fleet = LiveFleet(database)
        """All providers in memory; the Placement API of the same process searches it too."""

    async def providers_ensure(self, specs: Sequence[ProviderSpec]) -> None:
        """Make trees of providers be as `specs` say, all in one transaction; only what differs is written.

        Parents come before their children. Children of these roots that were told of before (`child_uuid`) and are not now go;
        those that others have put there stay.

        Inventories are replaced as a whole; of traits, those reported earlier and not now are taken away and those that
        people gave stay. Custom names that don't exist are made. A changed provider's generation goes up.

        Raises:
            DuplicateName: a name belongs to another provider.
            InventoryInUse: an inventory would go of which something is held.
            ProviderInUse: a child would go of which something is held.
            UnknownClass, UnknownTrait: a name is neither standard nor custom.
        """
        await self.database.write(providers.ensure_txn, specs)

    async def providers_remove(self, uuids: Sequence[str]) -> None:
        """Delete providers; those that are not there are no error. Raises `ProviderInUse`, and then deletes none."""
        await self.database.write(providers.remove_txn, uuids)

    async def tree_remove(self, root: str) -> None:
        """Delete a root provider with all below it; none there is no error. Raises `ProviderInUse`, and then deletes none."""
        await self.database.write(providers.tree_remove_txn, root)

    async def candidates(self, query: CandidateQuery) -> Candidates:
        """Every provider that can give what `query` asks for, those made first first, as of one moment."""
        return single.candidates(await self.fleet.fresh(), query)

    async def eliminations(self, query: CandidateQuery) -> list[Elimination]:
        """Why not the others: per condition of `query`, which providers it removed from those left by the ones before."""
        return single.eliminations(await self.fleet.fresh(), query)

    async def ways(
        self, query: CandidateQuery, root: str, own: Allocations = trees.NOTHING, most: int = WAYS_MAX
    ) -> Sequence[Way]:
        """How a root that was among the candidates can give what `query` asks for, in the order in which to try.

        As seen when candidates were last asked for: the claim will judge. What `own` says counts as free. A root without
        children gives all that is asked outside of groups itself.
        """
        fleet = await self.fleet.known()
        if not query.alternatives and not fleet.has_children(root):
            return [Way(allocations={root: dict(query.resources)}, groups={})]
        return list(islice(trees.ways(fleet, query, root, own), most))

    async def way_held(self, query: CandidateQuery, held: Allocations) -> tuple[str, Way] | None:
        """The root, and the way in which `held` is exactly what is asked of its tree; None when it isn't."""
        return trees.way_held(await self.fleet.fresh(), query, held)

    async def removed(self, query: Query) -> list[Removed]:
        """Why there are no more candidates: what each condition of a query of groups removed, with an example."""
        return explaining.removed(await self.fleet.fresh(), query)

    async def room(self, resource_class: str) -> Mapping[str, tuple[int, int]]:
        """What every tree that has the class can hold, and what of it is used; by the UUID of its root."""
        return single.room(await self.fleet.fresh(), resource_class)

    async def consumer_generation(self, consumer: str) -> int | None:
        """The generation of a consumer, also of one that holds nothing any more; None when it was never heard of."""
        return await self.database.read(queries.consumer_generation_txn, consumer)

    async def claim(self, claim: Claim) -> Claimed | Full | Crowded | Stale:
        """Let a consumer hold exactly `claim.allocations`: all of it, or nothing is changed.

        May be repeated after a lost answer: when the very same claim (generation, allocations, owner, set) was the last thing
        that happened to the consumer, the answer is `Claimed` with `replayed`. With empty allocations it is a release.
        """
        try:
            return await self.database.write(claims.claim_txn, claim)
        except Refused as refused:
            return refused.answer

    async def claim_each(self, claims_: Sequence[Claim]) -> list[Claimed | Full | Crowded | Stale]:
        """`claim` for each of the claims of different consumers, in few transactions; the answers in the same order."""
        new = [claim for claim in claims_ if claims.is_new(claim)]
        granted = set(await self._granted(new)) if len(new) > 1 else set()
        others = [claim for claim in claims_ if claim.consumer not in granted]
        answers = dict(zip((claim.consumer for claim in others), await self._claim_all(others), strict=True))
        return [answers.get(claim.consumer) or Claimed(1) for claim in claims_]

    async def _claim_all(self, claims_: Sequence[Claim]) -> list[Claimed | Full | Crowded | Stale]:
        return await asyncio.gather(*map(self.claim, claims_)) if claims_ else []

    async def _granted(self, new: Sequence[Claim]) -> list[str]:
        """Grant those of the new claims that fit, if nobody else claims at the same moment; whose."""
        try:
            await self.database.write(claims.new_txn, new)
        except Refused:
            try:
                granted = await self.database.write(claims.fitting_new_txn, new)
            except Refused:
                return []
            return [claim.consumer for claim, one in zip(new, granted, strict=True) if one]
        return [claim.consumer for claim in new]

    async def claim_together(self, claims_: Sequence[Claim]) -> Sequence[Claimed] | Full | Crowded | Stale:
        """Let several consumers hold exactly what their claims say: all of it, or nothing is changed.

        Amounts may pass from one to another: what becomes less is given back before what becomes more is taken. They leave and
        enter spread sets in the order given. May be repeated after a lost answer, as a whole, like `claim`.
        """
        try:
            return await self.database.write(claims.together_txn, claims_)
        except Refused as refused:
            return refused.answer

    async def release(self, consumer: str, generation: int | None = None) -> Released | Stale:
        """Let a consumer hold nothing, and raise its generation, so that a late claim with an older one is refused.

        That holds for a consumer that was never heard of too. With `generation` only if it is still that one (or if this is
        a repetition); with None in any case.
        """
        try:
            return await self.database.write(claims.release_txn, consumer, generation)
        except Refused as refused:
            if isinstance(refused.answer, Stale):
                return refused.answer
            raise

    async def forget_tombstones(self, before: float) -> int:
        """Forget consumers that have held nothing since `before`, which must lie longer ago than any deadline; how many."""
        return await self.database.write(store.consumers_forget_txn, before)

    async def allocations_of(self, consumer: str) -> Allocations:
        """What a consumer holds, by provider and class."""
        return await self.database.read(queries.allocations_txn, consumer)

    async def consumers(self, marker: str = "", limit: int = PAGE_MAX) -> Sequence[Consumer]:
        """A page of the consumers that hold something, in order of UUID, after `marker`: for auditors."""
        return await self.database.scan(queries.consumers_txn, marker, min(limit, PAGE_MAX))

    async def spread_members(self, set_id: str, besides: str = "") -> Mapping[str, int]:
        """How many members of a spread set are on each provider, not counting the consumer `besides`."""
        return await self.database.read(queries.spread_members_txn, set_id, besides)

    async def traits_of(self, provider: str) -> frozenset[str]:
        """The traits of a provider; none for one that isn't there."""
        found = await self.database.read(queries.traits_txn, [provider])
        return frozenset(found.get(provider, {}))

    async def given(self) -> Sequence[Given]:
        """Every inventory with what of it is held, for overviews."""
        return await self.database.scan(books.given_txn)

    async def books(self) -> Books:
        """Whether all inventories are as they should be, for auditors."""
        return await self.database.scan(books.books_txn)

    async def tree(self, name: str) -> Sequence[Described]:
        """The whole tree that the provider with this UUID or name is in. Raises `NoSuchProvider`."""
        return await self.database.scan(books.tree_txn, name)

    async def usages(self, provider: str) -> Mapping[str, int]:
        """What is used of a provider, by class. Raises `NoSuchProvider`."""
        return await self.database.read(_usages_txn, provider)

    async def usages_by_project(self, project_id: str, user_id: str | None = None) -> Mapping[str, int]:
        """What a project, or a user in it, holds, by class."""
        by_type = await self.database.scan(queries.usages_txn, project_id, user_id)
        totals: dict[str, int] = {}
        for _, amounts in by_type.values():
            for name, amount in amounts.items():
                totals[name] = totals.get(name, 0) + amount
        return totals


def _usages_txn(tx: Transaction, provider: str) -> Mapping[str, int]:
    queries.provider_txn(tx, provider)
    return {name: stock.used for name, stock in queries.inventories_txn(tx, provider).items()}
