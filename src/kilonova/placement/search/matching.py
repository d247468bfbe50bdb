"""Which rows of a fleet meet the conditions of one group, each on its own: every condition is a set of rows."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kilonova.placement.search.bits import Bits
from kilonova.placement.search.fleet import Fleet
from kilonova.placement.search.query import Query
from kilonova.placement.shapes import Group


class Condition(NamedTuple):
    """One condition."""

    constraint: str
    """In words."""
    mask: int
    """The rows that meet it."""


def conditions(fleet: Fleet, group: Group) -> Iterator[Condition]:
    """Every condition of a group whose resources come from one provider: first the resources, then the others."""
    yield from room(fleet, group)
    yield from in_tree(fleet, group)
    yield from traits(fleet, group)
    yield from aggregates(fleet, group)


def matching(fleet: Fleet, group: Group) -> int:
    """The rows that could give all of a group."""
    mask = fleet.there.mask
    for condition in conditions(fleet, group):
        mask &= condition.mask
        if not mask:
            break
    return mask


def room(fleet: Fleet, group: Group) -> Iterator[Condition]:
    """Per class of a group: it has so much free, in such a portion."""
    for name in sorted(group.resources):
        yield Condition(f"{name}: {group.resources[name]}", with_room(fleet, name, group.resources[name]))


def with_room(fleet: Fleet, name: str, amount: int) -> int:
    """The rows that would give `amount` of the class."""
    shelf = fleet.shelves.get(name)
    return 0 if shelf is None else shelf.room(amount)


def traits(fleet: Fleet, group: Group) -> Iterator[Condition]:
    """Traits that a row must have, and must not."""
    for any_of in group.required:
        yield Condition(f"trait {_worded(any_of, ' or ')}", with_any_trait(fleet, any_of))
    if group.forbidden:
        yield Condition(f"not trait {_worded(group.forbidden, ' nor ')}", without_traits(fleet, group.forbidden))


def aggregates(fleet: Fleet, group: Group) -> Iterator[Condition]:
    """Aggregates that a row must be in, and must not."""
    for any_of in group.member_of:
        yield Condition(f"aggregate {_worded(any_of, ' or ')}", in_any_aggregate(fleet, any_of))
    if group.not_member_of:
        outside = fleet.there.mask & ~in_any_aggregate(fleet, group.not_member_of)
        yield Condition(f"not aggregate {_worded(group.not_member_of, ' nor ')}", outside)


def in_tree(fleet: Fleet, group: Group) -> Iterator[Condition]:
    """The tree that a row must be in."""
    if group.in_tree is not None:
        yield Condition(f"tree of {group.in_tree}", tree_of(fleet, group.in_tree))


def roots(fleet: Fleet, query: Query) -> Iterator[Condition]:
    """What is asked of the root of the tree."""
    for trait in sorted(query.root_required):
        yield Condition(f"trait {trait} of the root", fleet.with_trait(trait))
    if query.root_forbidden:
        words = f"not trait {_worded(query.root_forbidden, ' nor ')} of the root"
        yield Condition(words, without_traits(fleet, query.root_forbidden))


def with_any_trait(fleet: Fleet, any_of: Iterable[str]) -> int:
    """The rows that have at least one of these traits."""
    mask = 0
    for trait in any_of:
        mask |= fleet.with_trait(trait)
    return mask


def without_traits(fleet: Fleet, forbidden: Iterable[str]) -> int:
    """The rows that have none of these traits."""
    return fleet.there.mask & ~with_any_trait(fleet, forbidden)


def in_any_aggregate(fleet: Fleet, any_of: Iterable[str]) -> int:
    """The rows in at least one of these aggregates."""
    mask = 0
    for aggregate in any_of:
        mask |= fleet.in_aggregate(aggregate)
    return mask


def tree_of(fleet: Fleet, uuid: str) -> int:
    """The rows of the tree that a provider is in; none for one that isn't there."""
    row = fleet.row_of.get(uuid)
    bits = Bits()
    if row is not None:
        for member in fleet.tree(fleet.root_row(row)):
            bits.add(member)
    return bits.mask


def _worded(names: frozenset[str], between: str) -> str:
    return between.join(sorted(names))
