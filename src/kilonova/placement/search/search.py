"""A query over a fleet: the candidates, in a fixed order, no more than asked for.

Design notes. Most clouds are flat: providers without children that share nothing, and one group. There a candidate is a row
that meets every condition, and the conditions are sets of rows (`matching.py`). With a limit only as many rows are looked at as
it takes, as long as most rows will do; where they don't, the sets find the few that will. All else is put together tree by
tree (`combining.py`), also only as far as the limit. Answers come in parts, each found when it is asked for, so that whoever
asks on a loop can let others get on in between.
"""

from collections.abc import Iterator
from itertools import islice

from kilonova.placement.search import combining, matching
from kilonova.placement.search.answer import Alone, Answer, Together
from kilonova.placement.search.bits import Bits, rows_of
from kilonova.placement.search.fleet import Fleet
from kilonova.placement.search.query import UNNAMED, Query
from kilonova.placement.shapes import Group

ROWS_MAX = 1000
"""Most candidates of one provider in one part: a millisecond's work, with writing them."""
TOGETHER_MAX = 100
"""Most candidates of any form in one part: two milliseconds'."""
LOOK_MIN = 256
"""Fewest rows that are looked at one by one before sets are made."""


def search(fleet: Fleet, query: Query) -> Iterator[Answer]:
    """The candidates, in parts. The same fleet and query give the same answer; a limit keeps the first of them.

    The fleet must not change before the last part is found.
    """
    only = _only_group(query)
    if only is not None and (only[0] != UNNAMED or not fleet.nested) and not fleet.sharing:
        suffix, group = only
        rows = islice(_alone(fleet, query, group), query.limit)
        while part := list(islice(rows, ROWS_MAX)):
            yield Alone(suffix, group.resources, part)
        return
    found = islice(combining.candidates(fleet, query), query.limit)
    while some := list(islice(found, TOGETHER_MAX)):
        yield Together(some)


def _only_group(query: Query) -> tuple[str, Group] | None:
    """The group and its suffix, if there is one only, and it asks for something."""
    if len(query.groups) != 1:
        return None
    suffix, group = next(iter(query.groups.items()))
    return (suffix, group) if group.resources else None


def _alone(fleet: Fleet, query: Query, group: Group) -> Iterator[int]:
    """The rows that can give the group."""
    mask = fleet.there.mask
    for condition in (
        *matching.in_tree(fleet, group),
        *matching.traits(fleet, group),
        *matching.aggregates(fleet, group),
    ):
        mask &= condition.mask
    if query.root_required or query.root_forbidden:
        mask = _below_roots(fleet, query, mask)
    remembered = all(
        name not in fleet.shelves or fleet.shelves[name].remembers(amount) for name, amount in group.resources.items()
    )
    if query.limit is None or remembered:
        return rows_of(_with_room(fleet, group, mask))
    return _look(fleet, group, mask, LOOK_MIN + 2 * query.limit)


def _with_room(fleet: Fleet, group: Group, mask: int) -> int:
    for condition in matching.room(fleet, group):
        mask &= condition.mask
    return mask


def _look(fleet: Fleet, group: Group, mask: int, most: int) -> Iterator[int]:
    """Those of the rows that have room, looking at each of the first `most` and then at all others at once."""
    shelves = [
        (fleet.shelves[name].stocks, amount) for name, amount in group.resources.items() if name in fleet.shelves
    ]
    if len(shelves) < len(group.resources):
        return
    row = -1
    for row in islice(rows_of(mask), most):
        if all((stock := stocks.get(row)) is not None and stock.gives(amount) for stocks, amount in shelves):
            yield row
    yield from rows_of(_with_room(fleet, group, mask >> row + 1 << row + 1))


def _below_roots(fleet: Fleet, query: Query, mask: int) -> int:
    """Those of the rows whose root is as the query wants it."""
    roots = fleet.root_rows
    for condition in matching.roots(fleet, query):
        roots &= condition.mask
    if not fleet.nested:
        return mask & roots
    below = Bits()
    for root in rows_of(roots):
        for row in fleet.tree(root):
            below.add(row)
    return mask & below.mask
