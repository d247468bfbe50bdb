"""Candidates of several providers: put together tree by tree, one choice after the other.

Design notes. A query is a list of choices: one for each class of the unnamed group, one for each named group. For each the rows
that may be chosen are a set, made once. Every candidate has an anchor, the root of a tree whose providers, and those that
share with them, give all of it. Anchors are found through the choice with the fewest rows, so that a search goes to trees only
that can give the scarcest thing. In a tree choices are made one by one, and one that breaks a rule (room for the sum,
isolation) ends that branch at once.

Known from the API's documentation and its reference implementation: the unnamed group's traits are those of all its
providers together, forbidden ones of each; its aggregates may be those of the anchor, but a sharing provider must be in them
itself; a named group knows only its own provider.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from kilonova.placement.search import matching, splitting
from kilonova.placement.search.answer import Candidate
from kilonova.placement.search.bits import packed, rows_of
from kilonova.placement.search.fleet import Fleet
from kilonova.placement.search.query import UNNAMED, Query
from kilonova.placement.shapes import Group


class Choice(NamedTuple):
    """Something that one provider must give."""

    suffix: str
    resources: Mapping[str, int]
    mask: int
    """The rows that may give it; for the unnamed group some of them not at every anchor."""


def candidates(fleet: Fleet, query: Query) -> Iterator[Candidate]:
    """Every candidate once, in a fixed order."""
    found = (one for _, candidates in by_anchor(fleet, query) for one in candidates)
    return _once(found) if fleet.sharing else found


def choices_of(fleet: Fleet, query: Query) -> list[Choice]:
    """The choices of a query: first those of the unnamed group."""
    choices: list[Choice] = []
    for suffix, group in sorted(query.groups.items()):
        if suffix == UNNAMED:
            choices += _unnamed(fleet, group, query.split)
        else:
            choices.append(Choice(suffix, group.resources, matching.matching(fleet, group)))
    return choices


def anchors_of(fleet: Fleet, query: Query) -> int:
    """The rows that may be anchors as far as it is asked of the root."""
    mask = fleet.root_rows
    for condition in matching.roots(fleet, query):
        mask &= condition.mask
    return mask


def by_anchor(fleet: Fleet, query: Query, among: int | None = None) -> Iterator[tuple[int, Iterator[Candidate]]]:
    """Every anchor at which each group could come from somewhere, with its candidates, which may be none.

    Only anchors in the mask `among`, if it is given.
    """
    choices = choices_of(fleet, query)
    if not all(choice.mask for choice in choices):
        return
    may_be = anchors_of(fleet, query) if among is None else anchors_of(fleet, query) & among
    anchors = packed(may_be)
    masks = [packed(choice.mask) for choice in choices]
    scarcest = min((choice.mask for choice in choices), key=int.bit_count, default=may_be)
    rules = _Rules(fleet, query, choices)
    shares = bool(fleet.sharing)
    seen: set[int] = set()
    for row in rows_of(scarcest):
        for anchor in fleet.anchors(row) if shares else (fleet.root_row(row),):
            if anchor in seen or not _has(anchors, anchor):
                continue
            seen.add(anchor)
            options = _options(fleet, query, anchor, choices, masks)
            if options is not None:
                yield anchor, _Tree(fleet, query, choices, options, rules, anchor).candidates()


def _unnamed(fleet: Fleet, group: Group, split: frozenset[str]) -> Iterator[Choice]:
    """Per class of the unnamed group that is given by one provider those that may give it at some anchor."""
    mask = fleet.there.mask
    for condition in matching.in_tree(fleet, group):
        mask &= condition.mask
    if group.forbidden:
        mask &= matching.without_traits(fleet, group.forbidden)
    if group.not_member_of:
        mask &= ~matching.in_any_aggregate(fleet, group.not_member_of)
    for name in sorted(group.resources.keys() - split):
        amount = group.resources[name]
        yield Choice(UNNAMED, {name: amount}, mask & matching.with_room(fleet, name, amount))


def _options(
    fleet: Fleet, query: Query, anchor: int, choices: Sequence[Choice], masks: Sequence[bytes]
) -> list[list[int]] | None:
    """Per choice the rows that may be chosen at an anchor; None when there are none for one of them."""
    own = list(fleet.tree(anchor))
    others = fleet.sharers(anchor) if fleet.sharing else ()
    options: list[list[int]] = []
    for choice, mask in zip(choices, masks, strict=True):
        rows = [row for row in own if _has(mask, row)]
        if choice.suffix == UNNAMED:
            rows = _of_unnamed(fleet, query.groups[UNNAMED], anchor, rows, [row for row in others if _has(mask, row)])
        else:
            rows += [row for row in others if _has(mask, row)]
        if not rows:
            return None
        options.append(rows)
    return options


def _of_unnamed(fleet: Fleet, group: Group, anchor: int, own: list[int], others: list[int]) -> list[int]:
    """The rows that may give the unnamed group at an anchor, by its aggregates and its tree."""
    if group.in_tree is not None:
        others = []
    if group.not_member_of and not group.not_member_of.isdisjoint(fleet.aggregates_of[anchor]):
        return []
    if group.member_of and not _in_all(group, fleet.aggregates_of[anchor]):
        own = [row for row in own if _in_all(group, fleet.aggregates_of[row])]
    if group.member_of:
        others = [row for row in others if _in_all(group, fleet.aggregates_of[row])]
    return own + others


def _in_all(group: Group, aggregates: frozenset[str]) -> bool:
    return all(not any_of.isdisjoint(aggregates) for any_of in group.member_of)


def _has(mask: bytes, row: int) -> bool:
    at = row >> 3
    return at < len(mask) and bool(mask[at] >> (row & 7) & 1)


def _once(found: Iterator[Candidate]) -> Iterator[Candidate]:
    """Each candidate once: what is shared may be found at several anchors."""
    seen: set[object] = set()
    for one in found:
        amounts = frozenset((row, *each) for row, held in one.allocations.items() for each in held.items())
        key = (amounts, frozenset((suffix, frozenset(rows)) for suffix, rows in one.mappings.items()))
        if key not in seen:
            seen.add(key)
            yield one


class _Rules:
    """What candidates must keep to, beyond what each of their rows does."""

    def __init__(self, fleet: Fleet, query: Query, choices: Sequence[Choice]) -> None:
        self._fleet = fleet
        self._query = query
        group = query.groups.get(UNNAMED)
        self.together = () if group is None else group.required
        self.unnamed = sum(choice.suffix == UNNAMED for choice in choices)
        """How many choices are those of the unnamed group; they come first."""
        named = Counter(name for choice in choices for name in choice.resources)
        self.sums = [
            [(name, amount) for name, amount in choice.resources.items() if named[name] > 1] for choice in choices
        ]
        """Per choice what other choices want too, so that the sum must be looked at."""
        self.apart = [
            choice.suffix in query.apart or (query.isolate and choice.suffix != UNNAMED) for choice in choices
        ]
        """Per choice whether it takes no provider that another one of these takes."""
        self.like_last = [False] + [
            {one.suffix, other.suffix} <= query.apart and (one.resources, one.mask) == (other.resources, other.mask)
            for one, other in pairwise(choices)
        ]
        """Per choice whether it is the last one's equal, so that one order of the two is enough."""

    def traits_hold(self, chosen: Sequence[int]) -> bool:
        """Whether the providers of the unnamed group have its traits, taken together."""
        of = self._fleet.traits_of
        return all(any(not any_of.isdisjoint(of[row]) for row in chosen) for any_of in self.together)

    def whole_holds(self, mappings: Mapping[str, Sequence[int]]) -> bool:
        """Whether the whole candidate keeps to what is asked of its groups together."""
        for suffixes in self._query.same_subtree:
            if not self._one_subtree(suffixes, mappings):
                return False
        return self._query.nested or self._one_of_a_tree(mappings)

    def _one_subtree(self, suffixes: frozenset[str], mappings: Mapping[str, Sequence[int]]) -> bool:
        """Whether one of the providers of these groups is the ancestor of all others."""
        rows = {row for suffix in suffixes for row in mappings.get(suffix, ())}
        if len(rows) == 1:
            return True
        lines = [self._line(row) for row in rows]
        return any(all(row in line for line in lines) for row in rows)

    def _line(self, row: int) -> set[int]:
        """A row and its ancestors."""
        fleet, line = self._fleet, {row}
        parent = fleet.parents[row]
        while parent is not None:
            row = fleet.row_of[parent]
            line.add(row)
            parent = fleet.parents[row]
        return line

    def _one_of_a_tree(self, mappings: Mapping[str, Sequence[int]]) -> bool:
        rows = {row for given in mappings.values() for row in given}
        return len({self._fleet.root_row(row) for row in rows}) == len(rows)


class _Tree:
    """The candidates at one anchor."""

    def __init__(
        self,
        fleet: Fleet,
        query: Query,
        choices: Sequence[Choice],
        options: Sequence[Sequence[int]],
        rules: _Rules,
        anchor: int,
    ) -> None:
        self._fleet = fleet
        self._query = query
        self._anchor = anchor
        self._shelves = fleet.shelves
        self._choices = choices
        self._options = options
        self._rules = rules
        self._chosen: list[int] = []
        self._taken: dict[tuple[int, str], int] = {}

    def candidates(self) -> Iterator[Candidate]:
        """All of them."""
        at, unnamed = len(self._chosen), self._rules.unnamed
        if at == unnamed and self._rules.together and not self._rules.traits_hold(self._of_unnamed()):
            return
        if at == len(self._choices):
            one = self._candidate()
            if self._rules.whole_holds(one.mappings):
                yield from self._completed(one)
            return
        sums = self._rules.sums[at]
        barred = self._barred(at)
        for row in self._options[at]:
            if row in barred or (sums and not self._take(row, sums)):
                continue
            self._chosen.append(row)
            yield from self.candidates()
            self._chosen.pop()
            for name, amount in sums:
                self._taken[row, name] -= amount

    def _of_unnamed(self) -> Sequence[int]:
        """The providers whose traits count for the unnamed group."""
        return [self._anchor, *self._chosen] if self._query.split else self._chosen

    def _completed(self, one: Candidate) -> Iterator[Candidate]:
        """The candidate with what of the unnamed group may come from several providers."""
        group = self._query.groups.get(UNNAMED)
        if not self._query.split or group is None:
            return iter((one,))
        return splitting.completed(self._fleet, self._anchor, group, self._query.split, one)

    def _barred(self, at: int) -> Collection[int]:
        """The rows that a choice must not take, because of those before it."""
        if not self._rules.apart[at]:
            return ()
        taken = {row for row, apart in zip(self._chosen, self._rules.apart, strict=False) if apart}
        if self._rules.like_last[at]:
            options = self._options[at]
            taken.update(options[: options.index(self._chosen[-1])])
        return taken

    def _take(self, row: int, sums: Sequence[tuple[str, int]]) -> bool:
        """Take more from a row, if it has room for the sum."""
        for name, amount in sums:
            total = self._taken.get((row, name), 0) + amount
            stock = self._shelves[name].stocks[row]
            if total > stock.capacity - stock.used or total > stock.max_unit:
                return False
        for name, amount in sums:
            self._taken[row, name] = self._taken.get((row, name), 0) + amount
        return True

    def _candidate(self) -> Candidate:
        allocations: dict[int, dict[str, int]] = {}
        mappings: dict[str, list[int]] = {}
        for choice, row in zip(self._choices, self._chosen, strict=True):
            given = mappings.setdefault(choice.suffix, [])
            if row not in given:
                given.append(row)
            if choice.resources:
                held = allocations.setdefault(row, {})
                for name, amount in choice.resources.items():
                    held[name] = held.get(name, 0) + amount
        return Candidate(allocations, mappings)
