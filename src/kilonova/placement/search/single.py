"""What the scheduler asks: which roots can give everything, in columns, and what removed the others.

A root that has nothing below it gives all of it itself, which is a matter of sets of rows; the others are looked at tree by tree.
"""

from collections.abc import Iterator

from kilonova.placement.search import matching, trees
from kilonova.placement.search.bits import Bits, rows_of
from kilonova.placement.search.fleet import Fleet
from kilonova.placement.search.matching import Condition
from kilonova.placement.shapes import CandidateQuery, Candidates, Elimination


def candidates(fleet: Fleet, query: CandidateQuery) -> Candidates:
    """The providers that `query` wants, those made first first, with what they have of the classes asked for."""
    mask, wholes = _apart(fleet, query)
    for condition in _conditions(fleet, query):
        mask &= condition.mask
    if wholes:
        mask |= trees.fitting(fleet, query, wholes)
    rows = list(rows_of(mask))[: query.limit]
    capacity: dict[str, tuple[int, ...]] = {}
    used: dict[str, tuple[int, ...]] = {}
    for name in sorted(query.classes):
        if wholes:
            capacity[name], used[name] = _sums(fleet, name, rows)
            continue
        stocks = fleet.shelves[name].stocks if rows else {}
        these = [stocks[row] for row in rows]
        capacity[name] = tuple([stock.capacity for stock in these])
        used[name] = tuple([stock.used for stock in these])
    return Candidates(
        uuids=tuple([fleet.uuids[row] for row in rows]),
        names=tuple([fleet.names[row] for row in rows]),
        capacity=capacity,
        used=used,
    )


def eliminations(fleet: Fleet, query: CandidateQuery) -> list[Elimination]:
    """Per condition of `query`, in order, the providers that it removed from those that were left."""
    left, wholes = _apart(fleet, query)
    removed: dict[str, int] = {}
    for condition in _conditions(fleet, query):
        removed[condition.constraint] = left & ~condition.mask
        left &= condition.mask
    if wholes:
        for constraint, gone in trees.eliminated(fleet, query, wholes):
            removed[constraint] = removed.get(constraint, 0) | gone
    return [
        Elimination(constraint, frozenset(fleet.uuids[row] for row in rows_of(mask)))
        for constraint, mask in removed.items()
    ]


def room(fleet: Fleet, resource_class: str) -> dict[str, tuple[int, int]]:
    """Capacity and use of every tree that has the class, by the UUID of its root."""
    shelf = fleet.shelves.get(resource_class)
    found: dict[str, tuple[int, int]] = {}
    for row, stock in ({} if shelf is None else shelf.stocks).items():
        capacity, used = found.get(fleet.roots[row], (0, 0))
        found[fleet.roots[row]] = (capacity + stock.capacity, used + stock.used)
    return found


def _apart(fleet: Fleet, query: CandidateQuery) -> tuple[int, int]:
    """The rows that are looked at as single providers, and the roots that are looked at with what is below them."""
    if query.alternatives:
        return 0, fleet.root_rows & _named(fleet, query)
    if not fleet.nested:
        return fleet.there.mask, 0
    wholes = fleet.tree_roots
    return fleet.root_rows & ~wholes, wholes & _named(fleet, query)


def _named(fleet: Fleet, query: CandidateQuery) -> int:
    """The rows with the UUID and the name that are asked for."""
    mask = fleet.there.mask
    for condition in _identity(fleet, query):
        mask &= condition.mask
    return mask


def _sums(fleet: Fleet, name: str, rows: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Capacity and use of whole trees."""
    shelf = fleet.shelves.get(name)
    stocks = {} if shelf is None else shelf.stocks
    of_trees = [[stocks[each] for each in fleet.tree(row) if each in stocks] for row in rows]
    return (
        tuple([sum(stock.capacity for stock in tree) for tree in of_trees]),
        tuple([sum(stock.used for stock in tree) for tree in of_trees]),
    )


def _conditions(fleet: Fleet, query: CandidateQuery) -> Iterator[Condition]:
    yield from matching.conditions(fleet, query)
    yield from _identity(fleet, query)


def _identity(fleet: Fleet, query: CandidateQuery) -> Iterator[Condition]:
    if query.uuid is not None:
        row = fleet.row_of.get(query.uuid)
        yield Condition(f"provider {query.uuid}", _only([] if row is None else [row]))
    if query.name is not None:
        rows = [row for row in rows_of(fleet.there.mask) if fleet.names[row] == query.name]
        yield Condition(f"name {query.name}", _only(rows))


def _only(rows: list[int]) -> int:
    bits = Bits()
    for row in rows:
        bits.add(row)
    return bits.mask
