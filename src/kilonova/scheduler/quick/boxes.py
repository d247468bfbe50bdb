"""Points with whole numbers as coordinates, kept in boxes within boxes, so that the best of them are found by opening few.

Design notes. Every box knows the highest and lowest of each coordinate among its points, and of the sum of all coordinates, each
in its unit: the point that is best in one coordinate is seldom best in another, so bounds of coordinates alone promise more
than there is. A box has sixteen boxes in it, those of
the last level have the points. Which box a point belongs to is found by halving: each halving asks for one coordinate, and
four of them make a level. The bounds of the sixteen lie side by side in lists, one for each coordinate, so that they are
judged in one go. A box that has become too full is divided anew, together with its neighbours.
"""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

Point = tuple[int, ...]

HALVINGS = 4
"""How many make a level."""
FAN = 1 << HALVINGS
"""Boxes in a box."""
POINTS = 24
"""Most points of a box of the last level, on average, when boxes are made."""
CROWDED = 96
"""So many points are too many for one."""
NOTHING = 1 << 62
"""Beyond every coordinate: the bound of a box without points."""


class Boxes:
    """A set of points of the same number of coordinates."""

    def __init__(self, units: Sequence[float], points: Iterable[Point] = ()) -> None:
        """Begin with `points`, each once; a coordinate counts as many times its unit in the sum."""
        self.units = tuple(units)
        self._coordinates = range(len(self.units))
        self._columns = range(len(self.units) + 1)
        self._make(list(points))

    def sum_of(self, point: Point) -> float:
        """The sum of the coordinates, each in its unit."""
        return sum([one * unit for one, unit in zip(point, self.units, strict=True)])

    # --- changes -----------------------------------------------------------------------------------------------------

    def add(self, point: Point) -> None:
        """Put a point in that is not there."""
        leaf, values = self._leaf_of(point), (*point, self.sum_of(point))
        self._leaves[leaf].append(point)
        for level in range(self.depth, -1, -1):
            node, grown = leaf >> HALVINGS * (self.depth - level), False
            for coordinate, highs, lows in zip(values, self.highs[level], self.lows[level], strict=True):
                if coordinate > highs[node]:
                    highs[node], grown = coordinate, True
                if coordinate < lows[node]:
                    lows[node], grown = coordinate, True
            if not grown:
                break
        if len(self._leaves[leaf]) > CROWDED:
            self._divide_anew(leaf)

    def remove(self, point: Point) -> None:
        """Take a point out that is there."""
        leaf = self._leaf_of(point)
        points = self._leaves[leaf]
        points.remove(point)
        highs, lows = self.highs[-1], self.lows[-1]
        if any(
            value in {high[leaf], low[leaf]}
            for value, high, low in zip((*point, self.sum_of(point)), highs, lows, strict=True)
        ):
            self._bound_leaf(leaf)
            self._tell_above(self.depth, leaf)

    def _tell_above(self, level: int, node: int) -> None:
        """Let the boxes around one have the bounds of what they have in them."""
        while level:
            first, node, changed = node & -FAN, node >> HALVINGS, False
            for inner, outer, chosen in (
                (self.highs[level], self.highs[level - 1], max),
                (self.lows[level], self.lows[level - 1], min),
            ):
                for at in self._columns:
                    bound = chosen(inner[at][first : first + FAN])
                    if bound != outer[at][node]:
                        outer[at][node], changed = bound, True
            if not changed:
                return
            level -= 1

    def _make(self, points: list[Point]) -> None:
        self.depth = 0
        while POINTS << HALVINGS * self.depth < len(points):
            self.depth += 1
        sizes = [1 << HALVINGS * level for level in range(self.depth + 1)]
        self.highs: list[list[list[float]]] = [[[-NOTHING] * size for _ in self._columns] for size in sizes]
        """By level and column the bound of each box; the column after those of the coordinates is that of the sum."""
        self.lows: list[list[list[float]]] = [[[NOTHING] * size for _ in self._columns] for size in sizes]
        self._halvings = sizes[-1] - 1
        self._asks = bytearray(self._halvings)
        self._until = [0] * self._halvings
        self._leaves: list[list[Point]] = [[] for _ in range(sizes[-1])]
        self._extent = [1 + max(column) - min(column) for column in zip(*points, strict=True)] or [
            1 for _ in self._coordinates
        ]
        self._divide(0, points)
        self._bound(0, 0)

    def _divide(self, halving: int, points: list[Point]) -> None:
        """Share points out among the boxes below one halving."""
        if halving >= self._halvings:
            self._leaves[halving - self._halvings] = points
            return
        upper: list[Point] = []
        if len(points) > 1:
            columns = list(zip(*points, strict=True))
            widths = [
                (max(column) - min(column)) / extent for column, extent in zip(columns, self._extent, strict=True)
            ]
            ask = widths.index(max(widths))
            points.sort(key=itemgetter(ask))
            order = [point[ask] for point in points]
            until = order[(len(order) - 1) // 2]
            if until == order[-1]:
                until = order[max(bisect_left(order, until) - 1, 0)]
            self._asks[halving], self._until[halving] = ask, until
            middle = bisect_right(order, until)
            points, upper = points[:middle], points[middle:]
        self._divide(2 * halving + 1, points)
        self._divide(2 * halving + 2, upper)

    def _bound(self, level: int, node: int) -> None:
        """Work the bounds out of a box and of all in it."""
        if level == self.depth:
            self._bound_leaf(node)
            return
        first = node << HALVINGS
        for inner in range(first, first + FAN):
            self._bound(level + 1, inner)
        for at in self._columns:
            self.highs[level][at][node] = max(self.highs[level + 1][at][first : first + FAN])
            self.lows[level][at][node] = min(self.lows[level + 1][at][first : first + FAN])

    def _bound_leaf(self, leaf: int) -> None:
        points = self._leaves[leaf]
        columns: list[Sequence[float]] = list(zip(*points, strict=True)) or [() for _ in self._coordinates]
        columns.append([self.sum_of(point) for point in points])
        for column, highs, lows in zip(columns, self.highs[-1], self.lows[-1], strict=True):
            highs[leaf], lows[leaf] = max(column, default=-NOTHING), min(column, default=NOTHING)

    def _divide_anew(self, leaf: int) -> None:
        """Share the points out anew of the smallest box around a crowded one that has room for them."""
        for level in range(self.depth - 1, -1, -1):
            node, leaves = leaf >> HALVINGS * (self.depth - level), 1 << HALVINGS * (self.depth - level)
            within = self._leaves[node * leaves : (node + 1) * leaves]
            if sum(map(len, within)) <= POINTS * leaves:
                first = (1 << HALVINGS * level) - 1  # of the halvings of this level
                self._divide(first + node, [point for points in within for point in points])
                self._bound(level, node)
                return  # the boxes around have the same bounds as before
        self._make([point for points in self._leaves for point in points])

    def _leaf_of(self, point: Point) -> int:
        halving, halvings, asks, until = 0, self._halvings, self._asks, self._until
        while halving < halvings:
            halving = 2 * halving + 1 + (point[asks[halving]] > until[halving])
        return halving - halvings

    # --- questions ---------------------------------------------------------------------------------------------------

    def within(self, leaf: int, least: Point) -> list[Point]:
        """The points of a box of the last level that have at least `least`."""
        points = self._leaves[leaf]
        for at, amount in enumerate(least):
            if self.lows[self.depth][at][leaf] < amount:
                points = [point for point in points if point[at] >= amount]
        return points

    def inner(self, level: int, node: int, least: Point) -> tuple[Sequence[int], list[list[float]], list[list[float]]]:
        """The boxes in a box that may have points of at least `least`, and by column their highs and lows."""
        first = node << HALVINGS
        part = slice(first, first + FAN)
        highs = [column[part] for column in self.highs[level + 1]]
        lows = [column[part] for column in self.lows[level + 1]]
        nodes: Sequence[int] = range(first, first + FAN)
        for coordinate, amount in enumerate(least):
            column = highs[coordinate]
            if column and min(column) < amount:
                kept = [at for at, high in enumerate(column) if high >= amount]
                nodes = [nodes[at] for at in kept]
                highs = [[one[at] for at in kept] for one in highs]
                lows = [[one[at] for at in kept] for one in lows]
        return nodes, highs, lows

    def highest(self, at: int, least: Point) -> int:
        """The highest of a coordinate among the points that have at least `least`; -NOTHING without any."""
        found = -NOTHING
        waiting = [(-self.highs[0][at][0], 0, 0)] if self._may(least) else []
        while waiting:
            bound, level, node = heapq.heappop(waiting)
            if -bound <= found:
                break
            if level == self.depth:
                found = max(found, max((point[at] for point in self.within(node, least)), default=-NOTHING))
                continue
            nodes, highs, _ = self.inner(level, node, least)
            for one, high in zip(nodes, highs[at], strict=True):
                if high > found:
                    heapq.heappush(waiting, (-high, level + 1, one))
        return found

    def lowest(self, at: int, least: Point) -> int:
        """The lowest of a coordinate among the points that have at least `least`; NOTHING without any."""
        found, amount = NOTHING, least[at]
        waiting = [(max(self.lows[0][at][0], amount), 0, 0)] if self._may(least) else []
        while waiting:
            bound, level, node = heapq.heappop(waiting)
            if bound >= found:
                break
            if level == self.depth:
                found = min(found, min((point[at] for point in self.within(node, least)), default=NOTHING))
                continue
            nodes, _, lows = self.inner(level, node, least)
            for one, low in zip(nodes, lows[at], strict=True):
                if low < found:
                    heapq.heappush(waiting, (max(low, amount), level + 1, one))
        return found

    def _may(self, least: Point) -> bool:
        return all(column[0] >= amount for column, amount in zip(self.highs[0], least, strict=False))

    def __iter__(self) -> Iterator[Point]:
        """Every point."""
        return (point for points in self._leaves for point in points)
