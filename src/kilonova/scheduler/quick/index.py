"""Hosts by kind and by what is free of them, for requests that ask for the same resource classes."""

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import ge

from kilonova.placement.search.fleet import Fleet
from kilonova.placement.shapes import Resources
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.quick.boxes import NOTHING, Boxes, Point
from kilonova.scheduler.quick.kinds import HostList

Portions = tuple[int, int, int]
"""The smallest and the largest portion that is given of a class, and in which steps."""


SPANS_MAX = 32
"""Most requests whose spans a kind remembers."""


class Span:
    """The highest and the lowest of each coordinate among the points that have at least so much."""

    __slots__ = ("broken", "changes", "highs", "lows")

    def __init__(self, boxes: Boxes, least: Point) -> None:
        """Find them."""
        self.highs = [boxes.highest(at, least) for at in range(len(least))]
        self.lows = [boxes.lowest(at, least) for at in range(len(least))]
        self.broken = False
        """Whether a point at one of the ends has gone."""
        self.changes = 0
        """How often any end has moved."""

    def came(self, point: Point) -> None:
        """Reach to a new point."""
        for at, coordinate in enumerate(point):
            if coordinate > self.highs[at] or coordinate < self.lows[at]:
                self.highs[at] = max(self.highs[at], coordinate)
                self.lows[at] = min(self.lows[at], coordinate)
                self.changes += 1

    def went(self, point: Point) -> None:
        """Remember that the ends at this point are to be found anew."""
        for at, coordinate in enumerate(point):
            if coordinate == self.highs[at]:
                self.highs[at], self.broken = NOTHING, True
                self.changes += 1
            if coordinate == self.lows[at]:
                self.lows[at], self.broken = -NOTHING, True
                self.changes += 1

    def mend(self, boxes: Boxes, least: Point) -> None:
        """Find the ends anew that went."""
        for at, (high, low) in enumerate(zip(self.highs, self.lows, strict=True)):
            if high == NOTHING:
                self.highs[at] = boxes.highest(at, least)
            if low == -NOTHING:
                self.lows[at] = boxes.lowest(at, least)
        self.broken = False


class Kind:
    """Hosts of one kind whose providers have the same traits and give the same portions."""

    __slots__ = ("_spans", "boxes", "host", "portions", "positions", "traits")

    def __init__(
        self, host: HostState, traits: frozenset[str], portions: Sequence[Portions], units: Sequence[float]
    ) -> None:
        """Begin with no host; `host` stands for those that will come."""
        self.host = host
        self.traits = traits
        self.portions = portions
        self.boxes = Boxes(units)
        self.positions: dict[Point, array[int]] = {}
        """Of the hosts that have so much free, ascending. A point is in `boxes` as long as it is here."""
        self._spans: dict[Point, Span] = {}

    def span(self, least: Point) -> Span:
        """The ends of each coordinate among hosts that have at least `least` free: -NOTHING and NOTHING without any."""
        span = self._spans.get(least)
        if span is None:
            if len(self._spans) >= SPANS_MAX:
                del self._spans[next(iter(self._spans))]
            span = self._spans[least] = Span(self.boxes, least)
        elif span.broken:
            span.mend(self.boxes, least)
        return span

    def gives(self, amounts: Point) -> bool:
        """Whether it gives such portions."""
        return all(
            least <= amount <= most and amount % step == 0
            for amount, (least, most, step) in zip(amounts, self.portions, strict=True)
        )

    def fill(self, positions: dict[Point, "array[int]"]) -> None:
        """Begin with these hosts."""
        self.positions = positions
        self.boxes = Boxes(self.boxes.units, positions)
        self._spans.clear()

    def put(self, position: int, point: Point) -> None:
        """Let one more host have so much free."""
        there = self.positions.get(point)
        if there is None:
            self.positions[point] = array("I", (position,))
            self.boxes.add(point)
            for least, span in self._spans.items():
                if all(map(ge, point, least)):
                    span.came(point)
        else:
            insort(there, position)

    def take(self, position: int, point: Point) -> None:
        """Forget a host."""
        there = self.positions[point]
        if len(there) == 1:
            del self.positions[point]
            self.boxes.remove(point)
            for span in self._spans.values():
                span.went(point)
        else:
            del there[bisect_left(there, position)]


class Index:
    """All hosts that have every one of some resource classes."""

    def __init__(self, classes: tuple[str, ...], listed: HostList, fleet: Fleet) -> None:
        """Begin with the hosts of `listed`, as full as `fleet` says; both are looked at again with each change."""
        self.classes = classes
        self._listed = listed
        self._fleet = fleet
        shelves = [fleet.shelves[name].stocks.values() if name in fleet.shelves else () for name in classes]
        self._units = [1 / max(1, max((stock.capacity for stock in stocks), default=1)) for stocks in shelves]
        """So much of a class counts as much as so much of another, roughly: the most that any host has."""
        self.kinds: dict[tuple[int, frozenset[str], tuple[Portions, ...]], Kind] = {}
        self.has_new_kinds = False
        self._kind_of: list[Kind | None] = [None] * len(listed.hosts)
        self._point_of: list[Point] = [()] * len(listed.hosts)
        found: dict[Kind, dict[Point, array[int]]] = {}
        for position in range(len(listed.hosts)):
            kind, point = self._now(position)
            self._kind_of[position], self._point_of[position] = kind, point
            if kind is not None:
                found.setdefault(kind, {}).setdefault(point, array("I")).append(position)
        for kind, positions in found.items():
            kind.fill(positions)

    def refresh(self, positions: Iterable[int]) -> None:
        """Look at some hosts again."""
        for position in positions:
            self._move(position, *self._now(position))

    def change(self, position: int, amounts: Point) -> None:
        """Let a host have so much less free until it is looked at again."""
        kind, point = self.at(position)
        if kind is not None:
            left = tuple([free - amount for free, amount in zip(point, amounts, strict=True)])
            self._move(position, kind, left)

    def at(self, position: int) -> tuple[Kind | None, Point]:
        """The kind of a host, and what is free of it."""
        return self._kind_of[position], self._point_of[position]

    def renew(self) -> None:
        """Forget kinds that no host is of any more, and let hosts as they are now stand for the others."""
        self.kinds = {key: kind for key, kind in self.kinds.items() if kind.positions}
        for (number, _, _), kind in self.kinds.items():
            kind.host = self._listed.examples[number]

    @contextmanager
    def without(self, positions: Iterable[int]) -> Iterator[None]:
        """Be without some hosts for a while."""
        out = [(position, self._kind_of[position], self._point_of[position]) for position in positions]
        for position, _, _ in out:
            self._move(position, None, ())
        try:
            yield
        finally:
            for position, kind, point in out:
                self._move(position, kind, point)

    def _move(self, position: int, kind: Kind | None, point: Point) -> None:
        before, old = self._kind_of[position], self._point_of[position]
        if before is kind and old == point:
            return
        if before is not None:
            before.take(position, old)
        if kind is not None:
            kind.put(position, point)
        self._kind_of[position], self._point_of[position] = kind, point

    def _now(self, position: int) -> tuple[Kind | None, Point]:
        """The kind of a host, and what is free of it; no kind when it has not all of the classes."""
        fleet, host = self._fleet, self._listed.hosts[position]
        row = fleet.row_of.get(host.uuid)
        if row is None:
            return None, ()
        stocks = [fleet.shelves[name].stocks.get(row) if name in fleet.shelves else None for name in self.classes]
        there = [stock for stock in stocks if stock is not None]
        if len(there) < len(stocks):
            return None, ()
        number, traits = self._listed.kinds[position], fleet.traits_of[row]
        portions = tuple([(stock.min_unit, stock.max_unit, stock.step_size) for stock in there])
        key = (number, traits, portions)
        kind = self.kinds.get(key)
        if kind is None:
            kind = self.kinds[key] = Kind(host, traits, portions, self._units)
            self.has_new_kinds = True
        return kind, tuple([stock.capacity - stock.used for stock in there])


def amounts_of(classes: Sequence[str], resources: Resources) -> Point:
    """What is asked for, in the order of an index."""
    return tuple([resources[name] for name in classes])
