"""Trees of providers as wholes: which of them can give all that a server asks for, in which ways, and what removed the others."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import os_resource_classes as rc

from kilonova.placement.search import combining, explaining
from kilonova.placement.search.bits import Bits
from kilonova.placement.search.fleet import Facts, Fleet, Stock
from kilonova.placement.search.query import UNNAMED, Query
from kilonova.placement.shapes import Allocations, CandidateQuery, Group, Way

SPLIT = frozenset({rc.VCPU, rc.PCPU, rc.MEMORY_MB})
"""What may come from several providers of a tree, when a server doesn't say from where."""
NOTHING: Allocations = MappingProxyType({})


def queries(query: CandidateQuery) -> Iterator[Query]:
    """What is asked, in the words of the search: one query for each alternative."""
    own = Group(
        resources=query.resources,
        required=query.required,
        forbidden=query.forbidden,
        member_of=query.member_of,
        not_member_of=query.not_member_of,
        in_tree=query.in_tree,
    )
    unnamed = {} if own == Group() else {UNNAMED: own}
    for named in query.alternatives or ({},):
        yield Query(
            groups={**unnamed, **named},
            isolate=query.isolate,
            apart=query.apart,
            same_subtree=query.same_subtree,
            root_forbidden=query.forbidden,
            split=SPLIT,
        )


def fitting(fleet: Fleet, query: CandidateQuery, among: int) -> int:
    """The roots in the mask `among` whose trees can give everything in some way."""
    bits = Bits()
    for each in queries(query):
        for anchor, found in combining.by_anchor(fleet, each, among):
            if next(found, None) is not None:
                bits.add(anchor)
    return bits.mask & among


def eliminated(fleet: Fleet, query: CandidateQuery, among: int) -> Iterator[tuple[str, int]]:
    """Per condition of the last alternative, in order, the roots in `among` that it removed; none that fit another one."""
    left = among & ~fitting(fleet, query, among)
    *_, last = queries(query)
    for constraint, part in explaining.stages(last):
        gone = left & ~explaining.anchors(fleet, part, left)
        if gone:
            yield constraint, gone
        left &= ~gone


def ways(fleet: Fleet, query: CandidateQuery, root: str, own: Allocations = NOTHING) -> Iterator[Way]:
    """Every way in which the tree of a root can give what is asked; none for a root that isn't there.

    `own` is held there already by whoever asks, and counts as free.
    """
    row = fleet.row_of.get(root)
    if row is None:
        return
    tree = Fleet()
    for each in fleet.tree(row):
        held = own.get(fleet.uuids[each], {})
        _copy(fleet, each, tree, {name: _less(stock, held.get(name, 0)) for name, stock in _stocks(fleet, each)})
    for wanted in queries(query):
        for found in combining.candidates(tree, wanted):
            yield Way(
                allocations={tree.uuids[at]: dict(amounts) for at, amounts in found.allocations.items()},
                groups={suffix: tuple([tree.names[at] for at in rows]) for suffix, rows in found.mappings.items()},
            )


def way_held(fleet: Fleet, query: CandidateQuery, held: Allocations) -> tuple[str, Way] | None:
    """The root, and the way in which exactly `held` is what is asked of its tree; None when it isn't.

    It is searched for in a tree that has nothing but what is held.
    """
    rows = [fleet.row_of.get(uuid) for uuid in held]
    roots = {None if row is None else fleet.root_row(row) for row in rows}
    root = roots.pop() if len(roots) == 1 else None
    if root is None:
        return None
    tree = Fleet()
    for each in fleet.tree(root):
        amounts = held.get(fleet.uuids[each], {})
        stocks = {
            name: Stock(capacity=amount, used=0, min_unit=1, max_unit=amount, step_size=1)
            for name, amount in amounts.items()
        }
        _copy(fleet, each, tree, stocks)
    exact = (way for way in ways(tree, query, fleet.uuids[root]) if way.allocations == held)
    way = next(exact, None)
    return None if way is None else (fleet.uuids[root], way)


def _stocks(fleet: Fleet, row: int) -> Iterator[tuple[str, Stock]]:
    return ((name, fleet.shelves[name].stocks[row]) for name in fleet.classes_of[row])


def _less(stock: Stock, own: int) -> Stock:
    if not own:
        return stock
    return Stock(
        capacity=stock.capacity,
        used=stock.used - own,
        min_unit=stock.min_unit,
        max_unit=stock.max_unit,
        step_size=stock.step_size,
    )


def _copy(fleet: Fleet, row: int, to: Fleet, stocks: Mapping[str, Stock]) -> None:
    to.put(
        Facts(
            uuid=fleet.uuids[row],
            name=fleet.names[row],
            parent_uuid=fleet.parents[row],
            root_uuid=fleet.roots[row],
            stocks=stocks,
            traits=fleet.traits_of[row],
            aggregates=fleet.aggregates_of[row],
        )
    )
