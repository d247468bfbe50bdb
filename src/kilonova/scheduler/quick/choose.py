"""The best host for a request, found from an index: the one that `decide` finds.

Design notes. What a request's filters and weighers say of each kind is worked out once and kept as a plan. A decision then
takes the ends of each weigher's scale from the kinds (`Kind.span`), and searches them (`frontier.py`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from kilonova.placement.search.fleet import Fleet
from kilonova.placement.shapes import CandidateQuery, Resources
from kilonova.scheduler.filters.filter import By, Filter
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.quick.boxes import NOTHING, Point
from kilonova.scheduler.quick.frontier import Frontier, Search, Term, bounding
from kilonova.scheduler.quick.index import Index, Kind, amounts_of
from kilonova.scheduler.quick.kinds import HostList, plain
from kilonova.scheduler.request import ServerRequest
from kilonova.scheduler.weighers import Weigher, multiplier

PLANS_MAX = 512
"""Most plans that are kept."""
INDEXES_MAX = 4
"""Most sets of resource classes for which hosts are indexed."""
AWAY_MAX = 256
"""Most hosts that are taken out for one decision; with more of them looking at all hosts is no slower."""


class Plan(NamedTuple):
    """What filters and weighers say of kinds for one sort of request."""

    kinds: Sequence[Kind]
    """Those that pass."""
    weighed: Sequence[tuple[int | None, Sequence[float], Sequence[float]]]
    """Per weigher the coordinate that it weighs, or else the raw weight of each kind; and each kind's multiplier."""
    like: Sequence[int]
    """Of each kind the first one that weighers treat alike."""


class Chooser:
    """Finds the best host of those that it was last told of."""

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
        """Whether no filter must be asked about each host, and nothing is asked of a part of a host."""
        return not request.alternatives and all(
            one.by(request) is not By.HOST or one.rule(request) is None for one in self._filters
        )

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

    def best(self, request: ServerRequest, chance: float) -> HostState | None:
        """The best host; None when none may have the server, or all must be looked at to know.

        The request is one that it `can` answer.
        """
        index = self._index(request.resources)
        plan = self._plan(index, request)
        away = request.away
        if plan is None or len(away) > AWAY_MAX:
            return None
        least = amounts_of(index.classes, request.resources)
        if not away:
            return self._host(_frontier(plan, least).best(chance))
        with index.without(self._listed.positions_of(away)):
            return self._host(_frontier(plan, least).best(chance))

    def reserve_each(self, request: ServerRequest, chances: Sequence[float]) -> list[HostState]:
        """The best host for each of as many requests alike as there are `chances`, reserved; fewer when no more fit.

        The request is one that it `can` answer, and no host is out of the question by its name.
        """
        index = self._index(request.resources)
        plan = self._plan(index, request)
        found: list[HostState] = []
        if plan is None:
            return found
        least = amounts_of(index.classes, request.resources)
        frontier = _frontier(plan, least)
        for chance in chances:
            if not frontier.holds:
                frontier = _frontier(plan, least)
            host = self._host(frontier.best(chance))
            if host is None:
                break
            found.append(host)
            self.reserve(host, request.resources)
            frontier.came(*index.at(self._listed.position_of[host.uuid]))
        return found

    def alike(self, request: ServerRequest) -> bytes:
        """Equal for requests that can be answered by one `reserve_each`."""
        return _sort_of(request)

    def _host(self, position: int | None) -> HostState | None:
        return None if position is None else self._listed.hosts[position]

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


def _frontier(plan: Plan, least: Point) -> Frontier:
    """The search among the kinds that have hosts with enough free; how these are weighed is worked out as `weights` does."""
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
    promises = {one: bounding(of_kind, plan.kinds[one].boxes.units) for one, of_kind in terms.items()}
    searches = [Search(plan.kinds[at], terms[plan.like[at]], promises[plan.like[at]]) for at, _ in fitting]
    return Frontier(searches, least, [kind.span(least) for kind in plan.kinds])


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
