"""The search for the best host: boxes are opened, always the one that promises most, until a host is as good as any closed box.

Design notes. What a box promises is worked out like the weight of a host, from the best that is in it, so that it is never less
than the weight of any of them; where that takes another order of additions, something is added for rounding. The boxes that
were not opened stay, so that the next search for the same goes on from there.
"""

import heapq
import math
from collections.abc import Sequence
from itertools import chain
from operator import ge
from typing import NamedTuple

from kilonova.scheduler.quick.boxes import Point
from kilonova.scheduler.quick.index import Kind, Span

ROUNDING = 1e-9
"""More than what promises lose by rounding, in parts of a weight."""


class Term(NamedTuple):
    """One part of a weight: a coordinate from `low` on, times `scale`; or the fixed amount `low`, where there is none."""

    at: int | None
    low: float
    scale: float


class Search(NamedTuple):
    """Where the best hosts of one kind are looked for."""

    kind: Kind
    terms: Sequence[Term]
    """Of the weight of a host."""
    bounding: Sequence[Term]
    """Of what a box promises."""


def bounding(terms: Sequence[Term], units: Sequence[float]) -> Sequence[Term]:
    """Terms that promise no less for a box than `terms` make of any point in it, and little more.

    As much as possible of every coordinate is counted by the sum of all of them, whose bound is closer.
    """
    scales = [0.0] * len(units)
    for at, _, scale in terms:
        if at is not None:
            scales[at] += scale
    share = min(abs(scale) / unit for scale, unit in zip(scales, units, strict=True))
    if not share or not (all(scale > 0 for scale in scales) or all(scale < 0 for scale in scales)):
        return terms
    share = math.copysign(share, scales[0])
    rest = [scale - share * unit for scale, unit in zip(scales, units, strict=True)]
    fixed = sum(low if at is None else -low * scale for at, low, scale in terms)
    rounding = ROUNDING * (1 + sum(abs(low * max(scale, 1.0)) for _, low, scale in terms))
    promise = [Term(None, fixed + rounding, 0.0), Term(len(units), 0.0, share)]
    return promise + [Term(at, 0.0, scale) for at, scale in enumerate(rest) if scale]


class Frontier:
    """What was opened and what was not, in a search for one request among some kinds."""

    def __init__(self, searches: Sequence[Search], least: Point, spans: Sequence[Span]) -> None:
        """Begin with closed boxes. `spans` are what the terms were worked out from."""
        self._searches = searches
        self._least = least
        self._spans = [(span, span.changes) for span in spans]
        self._number_of = {search.kind: number for number, search in enumerate(searches)}
        self._floors: Sequence[float] = (*least, searches[0].kind.boxes.sum_of(least)) if searches else ()
        self._known: set[tuple[int, Point]] = set()
        self._waiting: list[tuple[float, int, int, int, Point]] = []
        """Minus the weight, the number of the search, level, box; or, without a level, a point."""
        for number, (kind, _, promise) in enumerate(searches):
            highs, lows = kind.boxes.highs[0], kind.boxes.lows[0]
            heapq.heappush(self._waiting, (-self._weighed(promise, highs, lows, 1)[0], number, 0, 0, ()))

    @property
    def holds(self) -> bool:
        """Whether hosts are still weighed as when it began."""
        return all(span.changes == changes for span, changes in self._spans)

    def best(self, chance: float) -> int | None:
        """The position of the best host, which stays; None when there is none. `chance` picks among equals."""
        waiting, equals = self._waiting, list[tuple[float, int, int, int, Point]]()
        while waiting and not (equals and waiting[0][0] > equals[0][0]):
            one = heapq.heappop(waiting)
            if one[2] >= 0:
                self._open(*one[1:4])
            elif one[4] in self._searches[one[1]].kind.positions:
                equals.append(one)
            else:
                self._known.discard((one[1], one[4]))
        for one in equals:
            heapq.heappush(waiting, one)
        there = [self._searches[one[1]].kind.positions[one[4]] for one in equals]
        if not there:
            return None
        every = there[0] if len(there) == 1 else sorted(chain.from_iterable(there))
        return every[int(chance * len(every))]

    def came(self, kind: Kind | None, point: Point) -> None:
        """Reckon with a host that has so much free now."""
        number = None if kind is None else self._number_of.get(kind)
        if number is not None and (number, point) not in self._known and all(map(ge, point, self._least)):
            self._found(number, [point])

    def _open(self, number: int, level: int, node: int) -> None:
        """Let what is in a box wait instead of the box."""
        kind, _, promise = self._searches[number]
        boxes, known = kind.boxes, self._known
        if level == boxes.depth:
            points = [point for point in boxes.within(node, self._least) if (number, point) not in known]
            if points:
                self._found(number, points)
            return
        nodes, highs, lows = boxes.inner(level, node, self._least)
        for weight, inner in zip(self._weighed(promise, highs, lows, len(nodes)), nodes, strict=True):
            heapq.heappush(self._waiting, (-weight, number, level + 1, inner, ()))

    def _found(self, number: int, points: Sequence[Point]) -> None:
        columns: list[Sequence[float]] = list(zip(*points, strict=True))
        weights = self._weighed(self._searches[number].terms, columns, columns, len(points))
        for weight, point in zip(weights, points, strict=True):
            self._known.add((number, point))
            heapq.heappush(self._waiting, (-weight, number, -1, 0, point))

    def _weighed(
        self,
        terms: Sequence[Term],
        highs: Sequence[Sequence[float]],
        lows: Sequence[Sequence[float]],
        count: int,
    ) -> list[float]:
        """What each of `count` boxes with these bounds weighs at most; of points, which are their own bounds, what they do."""
        sums = [0.0] * count
        for at, low, scale in terms:
            if at is None:
                sums = [so_far + low for so_far in sums]
            elif scale >= 0:
                sums = [so_far + (one - low) * scale for so_far, one in zip(sums, highs[at], strict=True)]
            else:
                amount = self._floors[at]
                column = [max(amount, one) for one in lows[at]]
                sums = [so_far + (one - low) * scale for so_far, one in zip(sums, column, strict=True)]
        return sums
