"""The best hosts for a request, found from an index: the same ones, in the same order, as `decide` finds.

Design notes. What a request's filters and weighers say of each kind is worked out once and kept as a plan. A decision then
takes the ends of each weigher's scale from the kinds (`Kind.high`, `Kind.low`), and opens boxes, always the one that promises
most, until enough hosts are found that are at least as good as any box still closed. What a box promises is worked out like the
weight of a host, from the best coordinates in it, in the same order of additions, so that rounding can't deceive.
"""

import heapq
import math
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

import msgspec

from kilonova.placement.search.fleet import Fleet
from kilonova.placement.shapes import CandidateQuery, Resources
from kilonova.scheduler.decide import turned
from kilonova.scheduler.filters.filter import By, Filter
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.quick.boxes import NOTHING, Point
from kilonova.scheduler.quick.index import Index, Kind, amounts_of
from kilonova.scheduler.quick.kinds import HostList, plain
from kilonova.scheduler.request import ServerRequest
from kilonova.scheduler.weighers import Weigher, multiplier

ROUNDING = 1e-9
"""More than what promises lose by rounding, in parts of a weight."""
PLANS_MAX = 512
"""Most plans that are kept."""
INDEXES_MAX = 4
"""Most sets of resource classes for which hosts are indexed."""
AWAY_MAX = 256
"""Most hosts that are taken out for one decision; with more of them looking at all hosts is no slower."""


class Term(NamedTuple):
    """One part of a weight: a coordinate from `low` on, times `scale`; or the fixed amount `low`, where there is none."""

    at: int | None
    low: float
    scale: float


class Plan(NamedTuple):
    """What filters and weighers say of kinds for one sort of request."""

    kinds: Sequence[Kind]
    """Those that pass."""
    weighed: Sequence[tuple[int | None, Sequence[float], Sequence[float]]]
    """Per weigher the coordinate that it weighs, or else the raw weight of each kind; and each kind's multiplier."""
    like: Sequence[int]
    """Of each kind the first one that weighers treat alike."""


class Search(NamedTuple):
    """Where the best hosts of one kind are looked for."""

    kind: Kind
    terms: Sequence[Term]
    """Of the weight of a host."""
    bounding: Sequence[Term]
    """Of what a box promises."""


class Chooser:
    """Finds the best hosts of those that it was last told of."""

    def __init__(self, filters: Sequence[Filter], weighers: Sequence[Weigher]) -> None:
        """Begin with no hosts."""
        self._filters = filters
        self._weighers = weighers
        self._listed = HostList()
        self._fleet: Fleet | None = None
        self._seen = 0
        self._indexes: dict[tuple[str, ...], Index] = {}
        self._plans: dict[tuple[tuple[str, ...], bytes], Plan | None] = {}

    def can(self, request: ServerRequest) -> bool:
        """Whether no filter must be asked about each host."""
        return all(one.by(request) is not By.HOST or one.rule(request) is None for one in self._filters)

    def refresh(self, hosts: Sequence[HostState], fleet: Fleet) -> None:
        """Let these be the hosts, as full as `fleet` says now."""
        changed = fleet.changed_since(self._seen) if fleet is self._fleet else None
        self._seen = fleet.changes
        if hosts is not self._listed.hosts:
            moved = self._listed.update(hosts)
            self._plans.clear()
            if moved is None or changed is None:
                self._indexes.clear()
            for index in self._indexes.values():
                index.refresh(moved or ())
                index.renew()
        if changed is None:
            self._fleet = fleet
            self._indexes.clear()
            self._plans.clear()
        elif changed and self._indexes:
            positions = [at for row in changed if (at := self._listed.position_of.get(fleet.uuids[row])) is not None]
            for index in self._indexes.values():
                index.refresh(positions)

    def best(self, request: ServerRequest, chance: float, most: int) -> list[HostState]:
        """The best hosts, best first, no more than `most`; none when none may have the server, or all must be looked at.

        The request is one that it `can` answer.
        """
        index = self._index(request.resources)
        plan = self._plan(index, request)
        if plan is None:
            return []
        least = amounts_of(index.classes, request.resources)
        away = request.away
        if not away:
            return self._best(plan, least, chance, most)
        if len(away) > AWAY_MAX:
            return []
        with index.without(self._listed.positions_of(away)):
            return self._best(plan, least, chance, most)

    def reserve(self, host: HostState, resources: Resources) -> None:
        """Let a host have so much less free until it is heard of again, or looked at again."""
        position = self._listed.position_of.get(host.uuid)
        if position is not None:
            for index in self._indexes.values():
                index.change(position, tuple([resources.get(name, 0) for name in index.classes]))

    def look_again(self, host: HostState) -> None:
        """Let a host have free what the fleet says."""
        position = self._listed.position_of.get(host.uuid)
        if position is not None:
            for index in self._indexes.values():
                index.refresh([position])

    def _index(self, resources: Resources) -> Index:
        classes = tuple(sorted(resources))
        index = self._indexes.pop(classes, None)
        if index is None:
            assert self._fleet is not None, "it was told of hosts"
            if len(self._indexes) >= INDEXES_MAX:
                gone = next(iter(self._indexes))
                del self._indexes[gone]
                self._plans = {key: plan for key, plan in self._plans.items() if key[0] != gone}
            index = Index(classes, self._listed, self._fleet)
        self._indexes[classes] = index  # the last asked for is the last to be forgotten
        return index

    def _plan(self, index: Index, request: ServerRequest) -> Plan | None:
        """What was worked out for such a request; None when only looking at all hosts can answer it."""
        if index.has_new_kinds:
            index.has_new_kinds = False
            self._plans = {key: plan for key, plan in self._plans.items() if key[0] != index.classes}
        key = (index.classes, _sort_of(request))
        if key in self._plans:
            return self._plans[key]
        if len(self._plans) >= PLANS_MAX:
            del self._plans[next(iter(self._plans))]
        plan = self._plans[key] = self._planned(index, request) if _alone(request.query, request) else None
        return plan

    def _planned(self, index: Index, request: ServerRequest) -> Plan | None:
        amounts = amounts_of(index.classes, request.resources)
        asked = [(one.by(request), one.rule(request)) for one in self._filters]
        rules = [rule for by, rule in asked if rule is not None and by is By.KIND]
        kinds = [
            kind
            for kind in index.kinds.values()
            if kind.gives(amounts)
            and request.required <= kind.traits
            and request.forbidden.isdisjoint(kind.traits)
            and all(rule(kind.host) for rule in rules)
        ]
        hosts = [kind.host for kind in kinds]
        weighed: list[tuple[int | None, Sequence[float], Sequence[float]]] = []
        for weigher in self._weighers:
            factors = [multiplier(weigher, host) for host in hosts]
            if not any(factors):
                continue
            if weigher.amount_of:
                if weigher.amount_of in index.classes:
                    weighed.append((index.classes.index(weigher.amount_of), (), factors))
                continue
            if weigher.by(request) is By.HOST:
                return None
            raw = weigher.raw(request, hosts, {})
            if raw is not None:
                weighed.append((None, raw, factors))
        treated = [
            tuple((raw[at] if raw else 0, factors[at]) for _, raw, factors in weighed) for at in range(len(kinds))
        ]
        first = {how: at for at, how in reversed(list(enumerate(treated)))}
        return Plan(kinds, weighed, [first[how] for how in treated])

    def _best(self, plan: Plan, least: Point, chance: float, most: int) -> list[HostState]:
        searches = _searches(plan, least)
        found: list[int] = []
        for equals in _groups(searches, least, only_best=most == 1):
            found += islice(turned(equals, chance), most - len(found))
            if len(found) >= most:
                break
        return [self._listed.hosts[position] for position in found]


def _searches(plan: Plan, least: Point) -> list[Search]:
    """The kinds that have hosts with enough free, and how the weight of these is worked out: as `weights` does."""
    fitting = [(at, span) for at, kind in enumerate(plan.kinds) if (span := kind.span(least)).highs[0] > -NOTHING]
    terms: dict[int, list[Term]] = {plan.like[at]: [] for at, _ in fitting}
    for at, raw, factors in plan.weighed:
        if not any(factors[one] for one in terms):
            continue
        if at is None:
            low, high = min(raw[one] for one in terms), max(raw[one] for one in terms)
        else:
            low, high = min([span.lows[at] for _, span in fitting]), max([span.highs[at] for _, span in fitting])
        if high > low:
            for one, of_kind in terms.items():
                scale = factors[one] / (high - low)
                of_kind.append(Term(None, (raw[one] - low) * scale, 0.0) if at is None else Term(at, low, scale))
    bounding = {one: _bounding(of_kind, plan.kinds[one].boxes.units) for one, of_kind in terms.items()}
    return [Search(plan.kinds[at], terms[plan.like[at]], bounding[plan.like[at]]) for at, _ in fitting]


def _bounding(terms: Sequence[Term], units: Sequence[float]) -> Sequence[Term]:
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
    bounding = [Term(None, fixed + rounding, 0.0), Term(len(units), 0.0, share)]
    return bounding + [Term(at, 0.0, scale) for at, scale in enumerate(rest) if scale]


def _groups(searches: Sequence[Search], least: Point, *, only_best: bool) -> Iterator[Sequence[int]]:
    """The positions of equally good hosts, ascending; the best ones first. With `only_best` no others."""
    waiting: list[tuple[float, int, int, int, Point]] = []
    """What was not looked into yet: minus its weight, the number of the search, level, box; or, without a level, a point."""
    floors = (*least, searches[0].kind.boxes.sum_of(least)) if searches else ()
    for number, (kind, _, bounding) in enumerate(searches):
        highs, lows = kind.boxes.highs[0], kind.boxes.lows[0]
        waiting.append((-_weighed(bounding, highs, lows, floors, 1)[0], number, 0, 0, ()))
    heapq.heapify(waiting)
    equal: list[Sequence[int]] = []
    weight, floor = 0.0, -math.inf
    while waiting:
        bound, number, level, node, point = heapq.heappop(waiting)
        if equal and bound > weight:
            yield _merged(equal)
            equal = []
        kind, terms, bounding = searches[number]
        boxes = kind.boxes
        if level < 0:
            weight = bound
            equal.append(kind.positions[point])
        elif level == boxes.depth:
            points = boxes.within(node, least)
            if not points:
                continue
            columns: list[Sequence[float]] = list(zip(*points, strict=True))
            found = _weighed(terms, columns, columns, floors, len(points))
            floor = max(floor, *found) if only_best else floor
            for one, there in zip(found, points, strict=True):
                if one >= floor:
                    heapq.heappush(waiting, (-one, number, -1, 0, there))
        else:
            nodes, inner_highs, inner_lows = boxes.inner(level, node, least)
            promised = _weighed(bounding, inner_highs, inner_lows, floors, len(nodes))
            for one, inner in zip(promised, nodes, strict=True):
                if one >= floor:
                    heapq.heappush(waiting, (-one, number, level + 1, inner, ()))
    if equal:
        yield _merged(equal)


def _merged(equal: Sequence[Sequence[int]]) -> Sequence[int]:
    return equal[0] if len(equal) == 1 else sorted(chain.from_iterable(equal))


def _weighed(
    terms: Sequence[Term],
    highs: Sequence[Sequence[float]],
    lows: Sequence[Sequence[float]],
    least: Sequence[float],
    count: int,
) -> list[float]:
    """What each of `count` boxes with these bounds weighs at most; of a point, which is its own bounds, what it does weigh."""
    sums = [0.0] * count
    for at, low, scale in terms:
        if at is None:
            sums = [so_far + low for so_far in sums]
        elif scale >= 0:
            sums = [so_far + (one - low) * scale for so_far, one in zip(sums, highs[at], strict=True)]
        else:
            amount = least[at]
            column = [max(amount, one) for one in lows[at]]
            sums = [so_far + (one - low) * scale for so_far, one in zip(sums, column, strict=True)]
    return sums


def _sort_of(request: ServerRequest) -> bytes:
    """All of a request but for the names of hosts that are out of the question: equal ones have the same plan."""
    group = request.group
    if group is not None:
        group = msgspec.structs.replace(group, id="", members={})
    same = msgspec.structs.replace(request, ignored=frozenset(), different_host=None, group=group)
    return msgspec.msgpack.encode(same, enc_hook=plain)


def _alone(query: CandidateQuery, request: ServerRequest) -> bool:
    """Whether placement is asked for nothing but amounts and traits of the host's own provider."""
    plain = ServerRequest(resources=request.resources, required=request.required, forbidden=request.forbidden).query
    return bool(request.resources) and query == plain
