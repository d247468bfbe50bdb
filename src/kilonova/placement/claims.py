"""Claims: what consumers hold, changed as a whole or not at all.

Design notes. A claim replaces everything its consumer holds. All claims of one call are one transaction, in which first what
becomes less is given back and then what becomes more is taken, so that amounts can pass from one consumer to another. Each
thing that must never happen is a condition in a write: used beyond capacity (`store.take_txn`), a broken spread rule
(`slot_enter_txn`), a write by somebody who slept through another's (`consumer_advance_txn`). A refusal leaves the
transaction function as an exception, which undoes all of it, and becomes a value again outside.
"""

from collections.abc import Sequence
from operator import itemgetter

from kilonova.database.database import Transaction, conditional
from kilonova.placement import queries, store
from kilonova.placement.queries import Holder
from kilonova.placement.shapes import Allocations, Claim, Claimed, Consumer, Crowded, Full, Released, Stale


class Refused(Exception):
    """A claim can't be granted; `answer` says why."""

    def __init__(self, claim: Claim, answer: Full | Crowded | Stale) -> None:
        """Keep what is told outside the transaction."""
        super().__init__(claim.consumer)
        self.claim = claim
        self.answer = answer


@conditional
def claim_txn(tx: Transaction, claim: Claim) -> Claimed:
    """Grant one claim; raises `Refused`. A claim whose answer was lost may be made again: it is `Claimed`, replayed."""
    return together_txn(tx, [claim])[0]


@conditional
def together_txn(tx: Transaction, claims: Sequence[Claim]) -> list[Claimed]:
    """Grant claims of different consumers, all or none; raises `Refused`. Repeated as a whole after a lost answer: replayed."""
    holders = queries.holders_txn(tx, [claim.consumer for claim in claims])
    if all(_is_replay(claim, holder) for claim, holder in zip(claims, holders, strict=True)):
        return [Claimed(holder.generation or 0, replayed=True) for holder in holders]
    return [Claimed(generation) for generation in claims_txn(tx, claims, holders)]


def claims_txn(
    tx: Transaction, claims: Sequence[Claim], holders: Sequence[Holder], *, advance: bool = True
) -> list[int]:
    """Grant claims of different consumers together; their generations. Raises `Refused`.

    `holders` are the claims' consumers, as read in this transaction. With `advance` the generation of each provider goes up of
    which anything was held before or is from now on.
    """
    for claim, holder in zip(claims, holders, strict=True):
        if holder.generation != claim.generation:
            raise Refused(claim, Stale(holder.generation))
    held = [holder.held for holder in holders]
    _move(tx, claims, held)
    store.allocations_replace_txn(
        tx, claims, [claim.consumer for claim, before in zip(claims, held, strict=True) if before]
    )
    for claim, (consumer, _) in zip(claims, holders, strict=True):
        if consumer is not None:
            _advance(tx, claim, consumer)
    new = [claim for claim, (consumer, _) in zip(claims, holders, strict=True) if consumer is None]
    store.consumers_insert_txn(tx, {claim.consumer: _consumer_values(tx, claim, None) for claim in new})
    touched = {uuid for side in (*held, *(claim.allocations for claim in claims)) for uuid in side}
    if advance:
        store.providers_advance_txn(tx, touched, only_used=True)
    else:
        store.changed_txn(tx, sorted(touched), only_used=True)
    return [(claim.generation or 0) + 1 for claim in claims]


def is_new(claim: Claim) -> bool:
    """Whether it may be granted by `new_txn`."""
    return claim.generation is None and claim.spread is None and bool(claim.allocations)


@conditional
def new_txn(tx: Transaction, claims: Sequence[Claim]) -> None:
    """Grant claims that are new, of different consumers, all or none; raises `Refused`. One statement for all of a kind."""
    known = queries.consumers_known_txn(tx, [claim.consumer for claim in claims])
    for claim in claims:
        if claim.consumer in known:
            raise Refused(claim, Stale(None))
    held = sorted(((uuid, each) for claim in claims for uuid, each in claim.allocations.items()), key=itemgetter(0))
    names = sorted({name for _, resources in held for name in resources})  # as they lie in the table
    rows = [(uuid, name, each[name], each[name], False) for name in names for uuid, each in held if name in each]
    if not store.take_txn(tx, rows):
        provider, name, _, _, _ = rows[0]
        raise Refused(claims[0], Full(provider, name, "the claims together do not fit", "room"))
    store.allocations_insert_txn(tx, claims)
    store.consumers_insert_txn(
        tx,
        {
            claim.consumer: {
                "project_id": claim.project_id,
                "user_id": claim.user_id,
                "consumer_type": claim.consumer_type,
            }
            for claim in claims
        },
    )
    store.providers_advance_txn(tx, {uuid for claim in claims for uuid in claim.allocations}, only_used=True)


@conditional
def fitting_new_txn(tx: Transaction, claims: Sequence[Claim]) -> list[bool]:
    """Grant those of the new claims that fit, in their order; which. Raises `Refused` when others claim at the same moment."""
    known = queries.consumers_known_txn(tx, [claim.consumer for claim in claims])
    stocks = queries.stocks_txn(tx, sorted({uuid for claim in claims for uuid in claim.allocations}))
    taken: dict[tuple[str, str], int] = {}

    def fits(claim: Claim) -> bool:
        rows = [(uuid, name, amount) for uuid, held in claim.allocations.items() for name, amount in held.items()]
        for uuid, name, amount in rows:
            stock = stocks.get(uuid, {}).get(name)
            if stock is None or not stock.gives(taken.get((uuid, name), 0) + amount, amount):
                return False
        for uuid, name, amount in rows:
            taken[uuid, name] = taken.get((uuid, name), 0) + amount
        return True

    granted = [claim.consumer not in known and fits(claim) for claim in claims]
    some = [claim for claim, one in zip(claims, granted, strict=True) if one]
    if some:
        new_txn(tx, some)
    return granted


@conditional
def release_txn(tx: Transaction, consumer_uuid: str, generation: int | None, *, advance: bool = True) -> Released:
    """Empty a consumer and keep its generation as a tombstone. Raises `Refused` when `generation` is not its own.

    With None whatever it holds is released, and one that was never heard of gets its tombstone too.
    """
    holder = queries.holder_txn(tx, consumer_uuid)
    consumer, current = holder.consumer, holder.generation
    empty = Claim(
        consumer=consumer_uuid,
        generation=current,
        allocations={},
        project_id=consumer.project_id or "" if consumer else "",
        user_id=consumer.user_id or "" if consumer else "",
        consumer_type=consumer.consumer_type if consumer else None,
    )
    if generation is not None and current != generation:
        replayed = current == generation + 1 and not holder.held
        if not replayed:
            raise Refused(empty, Stale(current))
        return Released(generation + 1)
    if consumer is None:
        store.consumers_insert_txn(tx, {consumer_uuid: {}})
        return Released(1)
    return Released(claims_txn(tx, [empty], [holder], advance=advance)[0])


def _is_replay(claim: Claim, holder: Holder) -> bool:
    """Whether exactly this claim was the last thing that happened to the consumer."""
    consumer, held = holder
    if consumer is None or consumer.generation != (claim.generation or 0) + 1:
        return False
    owner = (consumer.project_id, consumer.user_id, consumer.consumer_type)
    same_owner = owner == (claim.project_id, claim.user_id, claim.consumer_type)
    same_set = claim.spread is None or (consumer.set_id, consumer.set_slot) == (claim.spread.id, claim.spread.slot)
    return same_owner and same_set and held == claim.allocations


def _move(tx: Transaction, claims: Sequence[Claim], held: Sequence[Allocations]) -> None:
    """Give back what is held no more, then take what is new, least demanding first."""
    back: list[tuple[str, str, int]] = []
    take: list[tuple[int, Claim, str, str, int]] = []
    for claim, before in zip(claims, held, strict=True):
        for provider, resources in before.items():
            kept = claim.allocations.get(provider, {})
            back += [(provider, name, amount) for name, amount in resources.items() if name not in kept]
        for provider, resources in claim.allocations.items():
            had = before.get(provider, {})
            take += [(amount - had.get(name, 0), claim, provider, name, amount) for name, amount in resources.items()]
    store.give_back_txn(tx, sorted(back))
    net = _net(back, take)
    less = [one for one in take if one[0] <= 0]
    more = [one for one in take if one[0] > 0]
    for part in (less, more):
        rows = sorted((p, name, amount, delta, net[p, name] <= 0) for delta, _, p, name, amount in part)
        if not store.take_txn(tx, rows):
            raise _refusal(tx, part)


def _net(
    back: Sequence[tuple[str, str, int]], take: Sequence[tuple[int, Claim, str, str, int]]
) -> dict[tuple[str, str], int]:
    """By provider and class, how much more all consumers together hold afterwards."""
    net: dict[tuple[str, str], int] = {}
    for provider, name, amount in back:
        net[provider, name] = net.get((provider, name), 0) - amount
    for delta, _, provider, name, _ in take:
        net[provider, name] = net.get((provider, name), 0) + delta
    return net


def _refusal(tx: Transaction, part: Sequence[tuple[int, Claim, str, str, int]]) -> Refused:
    """Which of the inventories refused, and why. Those before it have been changed already, and will be undone."""
    for delta, claim, provider, name, amount in part:
        inventory = queries.inventories_txn(tx, provider).get(name)
        if inventory is None:
            return Refused(claim, Full(provider, name, "it has no such inventory", "inventory"))
        of = inventory.inventory
        if not of.min_unit <= amount <= of.max_unit or amount % of.step_size:
            reason = f"it gives {of.min_unit} to {of.max_unit} in steps of {of.step_size}, not {amount}"
            return Refused(claim, Full(provider, name, reason, "portions"))
        if delta > 0 and inventory.used > of.capacity - delta:
            reason = f"{delta} more do not fit into the capacity of {of.capacity}"
            return Refused(claim, Full(provider, name, reason, "room"))
    _, claim, provider, name, _ = part[-1]
    return Refused(claim, Full(provider, name, "the claims together do not fit", "room"))


def _advance(tx: Transaction, claim: Claim, consumer: Consumer) -> None:
    """Write a consumer that is known with its next generation and its place in its set."""
    values = _consumer_values(tx, claim, consumer)
    if not store.consumer_advance_txn(tx, claim.consumer, consumer.generation, values):
        raise Refused(claim, Stale(None))


def _consumer_values(tx: Transaction, claim: Claim, consumer: Consumer | None) -> dict[str, str | None]:
    """A consumer's columns after the claim, for which it moves to its place in its set."""
    return {
        "project_id": claim.project_id,
        "user_id": claim.user_id,
        "consumer_type": claim.consumer_type,
        **_join(tx, claim, consumer),
    }


def _join(tx: Transaction, claim: Claim, consumer: Consumer | None) -> dict[str, str | None]:
    """Leave the old slot and enter the new one, where they differ; the consumer's columns about it."""
    member = claim.spread
    before = None if consumer is None or consumer.set_id is None else (consumer.set_id, consumer.set_slot or "")
    if consumer is not None and before is not None:
        stays = consumer.set_provider in claim.allocations and (
            member is None or (before == (member.id, member.slot) and member.provider == consumer.set_provider)
        )
        if stays:
            return {"set_id": before[0], "set_slot": before[1], "set_provider": consumer.set_provider}
        store.slot_leave_txn(tx, *before)
    if member is None:
        return {"set_id": None, "set_slot": None, "set_provider": None}
    if not store.slot_enter_txn(tx, member):
        raise Refused(claim, Crowded(member.id, member.provider))
    return {"set_id": member.id, "set_slot": member.slot, "set_provider": member.provider}
