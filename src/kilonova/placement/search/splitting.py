"""Amounts that several providers of a tree give together: a server that wants eight CPUs of a host, whichever they are.

Design notes. One provider that gives everything comes first, so that what belongs together stays together. Where none can,
each class is taken from one provider, or else from the first ones, as much as each has: they are filled up in their order,
which leaves the others whole for those who need much of one.
"""

from collections.abc import Iterator, Mapping, Sequence

from kilonova.placement.search.answer import Candidate
from kilonova.placement.search.fleet import Fleet, Stock
from kilonova.placement.search.query import UNNAMED
from kilonova.placement.shapes import Group


def completed(
    fleet: Fleet, root: int, group: Group, split: frozenset[str], candidate: Candidate
) -> Iterator[Candidate]:
    """The candidate with all that the unnamed group asks of the classes in `split`: one for each provider that has it all.

    Where none has, one that takes from several; none when the tree has too little.
    """
    wanted = {name: group.resources[name] for name in sorted(group.resources.keys() & split)}
    if not wanted:
        yield candidate
        return
    rows = [row for row in fleet.tree(root) if _may_give(fleet, row, group)]
    left = {name: {row: _free(fleet, candidate, row, name) for row in rows} for name in wanted}
    alone = [row for row in rows if all(_gives(fleet, row, name, left[name][row], wanted[name]) for name in wanted)]
    for row in alone:
        yield _with(candidate, {row: wanted})
    if alone:
        return
    more: dict[int, dict[str, int]] = {}
    for name, amount in wanted.items():
        parts = _parts(fleet, name, amount, left[name])
        if parts is None:
            return
        for row, part in parts.items():
            more.setdefault(row, {})[name] = part
    yield _with(candidate, more)


def _may_give(fleet: Fleet, row: int, group: Group) -> bool:
    return group.forbidden.isdisjoint(fleet.traits_of[row])


def _stock(fleet: Fleet, row: int, name: str) -> Stock | None:
    shelf = fleet.shelves.get(name)
    return None if shelf is None else shelf.stocks.get(row)


def _free(fleet: Fleet, candidate: Candidate, row: int, name: str) -> int:
    """The most that a row can give beside what the candidate takes already."""
    stock = _stock(fleet, row, name)
    if stock is None:
        return 0
    had = candidate.allocations.get(row, {}).get(name, 0)
    most = min(stock.capacity - stock.used, stock.max_unit) - had
    most -= most % stock.step_size
    return most if most > 0 and most + had >= stock.min_unit else 0


def _gives(fleet: Fleet, row: int, name: str, free: int, amount: int) -> bool:
    stock = _stock(fleet, row, name)
    return stock is not None and stock.min_unit <= amount <= free and amount % stock.step_size == 0


def _parts(fleet: Fleet, name: str, amount: int, free: Mapping[int, int]) -> dict[int, int] | None:
    """How much of the class each row gives; None when all together have too little in the portions that they give."""
    one = next((row for row, most in free.items() if _gives(fleet, row, name, most, amount)), None)
    if one is not None:
        return {one: amount}
    parts: dict[int, int] = {}
    for row, part in _greedy(fleet, name, amount, free):
        parts[row] = part
        amount -= part
    return None if amount else parts


def _greedy(fleet: Fleet, name: str, amount: int, free: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    for row, most in free.items():
        stock = _stock(fleet, row, name)
        part = min(most, amount)
        if stock is not None and part:
            part -= part % stock.step_size
            if part >= stock.min_unit:
                amount -= part
                yield row, part


def _with(candidate: Candidate, more: Mapping[int, Mapping[str, int]]) -> Candidate:
    allocations = {row: dict(held) for row, held in candidate.allocations.items()}
    for row, amounts in more.items():
        held = allocations.setdefault(row, {})
        for name, amount in amounts.items():
            held[name] = held.get(name, 0) + amount
    given: Sequence[int] = candidate.mappings.get(UNNAMED, ())
    return Candidate(allocations, {**candidate.mappings, UNNAMED: list(dict.fromkeys([*given, *more]))})
