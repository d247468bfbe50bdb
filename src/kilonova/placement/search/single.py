"""What the scheduler asks: single providers that can give everything, in columns, and what removed the others."""

from collections.abc import Iterator

from kilonova.placement.search import matching
from kilonova.placement.search.bits import Bits, rows_of
from kilonova.placement.search.fleet import Fleet
from kilonova.placement.search.matching import Condition
from kilonova.placement.shapes import CandidateQuery, Candidates, Elimination


def candidates(fleet: Fleet, query: CandidateQuery) -> Candidates:
    """The providers that `query` wants, those made first first, with what they have of the classes asked for."""
    mask = fleet.there.mask
    for condition in _conditions(fleet, query):
        mask &= condition.mask
    rows = list(rows_of(mask))[: query.limit]
    capacity: dict[str, tuple[int, ...]] = {}
    used: dict[str, tuple[int, ...]] = {}
    for name in sorted(query.resources):
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
    left = fleet.there.mask
    found: list[Elimination] = []
    for condition in _conditions(fleet, query):
        removed = left & ~condition.mask
        found.append(Elimination(condition.constraint, frozenset(fleet.uuids[row] for row in rows_of(removed))))
        left &= condition.mask
    return found


def room(fleet: Fleet, resource_class: str) -> dict[str, tuple[int, int]]:
    """Capacity and use of every provider of the class, by UUID."""
    shelf = fleet.shelves.get(resource_class)
    stocks = {} if shelf is None else shelf.stocks
    return {fleet.uuids[row]: (stock.capacity, stock.used) for row, stock in stocks.items()}


def _conditions(fleet: Fleet, query: CandidateQuery) -> Iterator[Condition]:
    yield from matching.conditions(fleet, query)
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
