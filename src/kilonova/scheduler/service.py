"""The scheduler at work: asks placement, decides, claims."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from kilonova.objects.portion import Portion
from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Allocations, Claim, Claimed, Crowded, Full, Resources, Stale, Way
from kilonova.runtime.runtime import Runtime
from kilonova.scheduler.decide import RESOURCES, Explanation, NoValidHost, Ranked, Reason, decide, filtered
from kilonova.scheduler.filters import FILTERS, Filter
from kilonova.scheduler.hosts import HostState, Look
from kilonova.scheduler.pci import Aliases
from kilonova.scheduler.prefilters import Prefilter
from kilonova.scheduler.quick.choose import Chooser
from kilonova.scheduler.request import ServerRequest
from kilonova.scheduler.weighers import WEIGHERS, Weigher
from kilonova.scheduler.wishes import NO_ALIASES

TRIES_A_ROUND = 8
"""Most claims on one choice of hosts, before a new choice is made on newer facts."""

ROUNDS_MAX = 32
"""Most choices for one server. Every refused claim means that another one was granted."""

LOST_RACE = "Claim"
"""The constraint named when hosts were free and were taken by others before the claim."""

UNKNOWN = "registered in placement"
"""The constraint named for hosts that placement doesn't know (or that got room a moment ago)."""


GROUP = "the server group's rule"
"""The constraint named when the rule forbids the host that a server would stay on."""

MOVE = "MIGRATION"
"""The consumer type of what a move holds, as Nova names it."""


class Placed(msgspec.Struct, frozen=True):
    """The server has its host: the claim is durable."""

    host: HostState
    generation: int
    """The consumer's generation now."""
    portion: Portion | None = None
    """What it holds, where that is not just its resources on the host's own provider."""


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who claims."""

    consumer: str
    """The server's id, mostly."""
    generation: int | None
    """The consumer's generation, read before the own lease was checked (see `Placement`)."""
    project_id: str
    user_id: str
    consumer_type: str | None = "INSTANCE"


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """What a server that moves has where it is, held by the move's own consumer until the move is settled."""

    consumer: str
    """The move's operation."""
    generation: int | None
    """As of `Owner`."""
    host: HostState
    resources: Resources
    """On the host's own provider."""
    portion: Portion | None = None
    """What it holds instead, in the host's tree."""
    may_stay: bool = False
    """Whether it may also stay where it is, in its new size, when no other host will have it."""

    @property
    def allocations(self) -> Allocations:
        """What it holds, by provider."""
        return {self.host.uuid: self.resources} if self.portion is None else self.portion.allocations


class Scheduler:
    """Chooses hosts. Owns no state but a copy: any number of them work side by side on one placement database."""

    def __init__(
        self,
        placement: Placement,
        runtime: Runtime,
        filters: Sequence[Filter] = FILTERS,
        weighers: Sequence[Weigher] = WEIGHERS,
        prefilters: Sequence[Prefilter] = (),
        aliases: Aliases = NO_ALIASES,
    ) -> None:
        """Decide over `placement`; `runtime` gives the chance by which equal hosts are told apart."""
        self.aliases = aliases
        """Of PCI devices, for whoever makes requests."""
        self._prefilters = prefilters
        self._placement = placement
        self._runtime = runtime
        self._filters = filters
        self._weighers = weighers
        self._chooser = Chooser(filters, weighers)
        self.repeated = 0
        """How many decisions of `place_each` were made again, because others had claimed the room."""

    @property
    def looks_at(self) -> Look:
        """What of the hosts' load has to be in the snapshots that it is given."""
        look = Look.NOTHING
        for one in self._filters:
            look |= one.looks_at
        for weigher in self._weighers:
            look |= weigher.looks_at if weigher.multiplier else Look.NOTHING
        return look

    async def select(
        self, request: ServerRequest, hosts: Sequence[HostState], consumer: str = ""
    ) -> Ranked | NoValidHost:
        """Every host that may have the server, best first, or why there is none. Claims nothing. Raises `Unavailable`.

        Members of a hard group are where placement says they are, besides `consumer` itself.
        """
        request = await self._with_members(self._prefiltered(request, hosts), hosts, consumer)
        candidates = await self._placement.candidates(request.query)
        decision = decide(
            request, hosts, candidates, self._runtime.random(), filters=self._filters, weighers=self._weighers
        )
        if isinstance(decision, NoValidHost) and any(reason.constraint == RESOURCES for reason in decision.reasons):
            return await self._explained(request, hosts, decision)
        return decision

    async def explain(self, request: ServerRequest, hosts: Sequence[HostState]) -> Explanation:
        """What `select` would find now, with what removed the others. Raises `Unavailable`."""
        request = await self._with_members(self._prefiltered(request, hosts), hosts, "")
        decision = await self.select(request, hosts)
        if isinstance(decision, NoValidHost):
            return Explanation(total=len(hosts), reasons=decision.reasons, hosts=())
        left, reasons = filtered(request, hosts, self._filters)
        fitting = {host.uuid for host in decision.hosts}
        reasons += await self._removed_by_placement(request, left, fitting)
        return Explanation(total=len(hosts), reasons=tuple(reasons), hosts=decision.hosts)

    async def refused_image(self, request: ServerRequest, here: Sequence[HostState]) -> str | None:
        """What keeps the image of a server that is rebuilt from the host where it is; None when nothing does."""
        request = self._prefiltered(request, here)
        _, reasons = filtered(request, here, [one for one in self._filters if one.on_rebuild])
        if reasons:
            return reasons[0].constraint
        missing = request.required - await self._placement.traits_of(here[0].uuid)
        return f"trait {min(missing)}" if missing else None

    async def place(
        self, request: ServerRequest, hosts: Sequence[HostState], owner: Owner, leaving: Leaving | None = None
    ) -> Placed | NoValidHost | Stale:
        """Claim the best host; the next best, and then a newly made choice, when others were faster.

        A server that moves passes what it has on to the consumer of `leaving` in the same transaction; staying, it holds of
        each class the larger of old and new. After a lost answer this may be repeated with newly read generations: a consumer
        that holds exactly what is asked for on one of `hosts` keeps it. `Stale` means that somebody else acts for one of the
        consumers. Raises `Unavailable`.
        """
        request = self._prefiltered(request, hosts)
        kept = await self._kept(request, hosts, owner, leaving)
        if kept is not None:
            return kept
        for _ in range(ROUNDS_MAX):
            host = await self._best(request, hosts, owner.consumer)
            if host is not None:
                answer = await self._claim(request, host, owner, leaving)
                if isinstance(answer, Placed | Stale):
                    return answer
                continue
            decision = await self.select(request, hosts, owner.consumer)
            if isinstance(decision, NoValidHost):
                return await self._stayed(request, decision, owner, leaving)
            for host in decision.hosts[:TRIES_A_ROUND]:
                answer = await self._claim(request, host, owner, leaving)
                if isinstance(answer, Placed | Stale):
                    return answer
        lost = NoValidHost(total=len(hosts), reasons=(Reason(LOST_RACE, len(hosts), hosts[0].name),))
        return await self._stayed(request, lost, owner, leaving)

    async def place_each(
        self, wishes: Sequence[tuple[ServerRequest, Owner]], hosts: Sequence[HostState]
    ) -> list[Placed | NoValidHost | Stale]:
        """`place` for many servers that are new: decided one after the other, and claimed together.

        Each decision reckons with those before it. Where a claim is refused, because others were faster, it is decided anew.
        Servers of groups, and those for which all hosts must be looked at, are placed one by one.
        """
        answers: dict[int, Placed | NoValidHost | Stale] = {}
        waiting = {at: (self._prefiltered(request, hosts), owner) for at, (request, owner) in enumerate(wishes)}
        for _ in range(ROUNDS_MAX):
            if not waiting:
                break
            chosen = await self._reserved(waiting, hosts)
            claims = [
                _claimed(*waiting[at], host, {host.uuid: waiting[at][0].resources}) for at, host in chosen.items()
            ]
            refused = dict(chosen)
            try:
                for at, answer in zip(chosen, await self._placement.claim_each(claims), strict=True):
                    if isinstance(answer, Claimed):
                        answers[at] = Placed(refused.pop(at), answer.generation)
                    elif isinstance(answer, Stale):
                        answers[at] = answer
            finally:
                for host in refused.values():
                    self._chooser.look_again(host)
            self.repeated += sum(at not in answers for at in chosen)
            for at in waiting.keys() - chosen.keys():
                answers[at] = await self.place(wishes[at][0], hosts, wishes[at][1])
            waiting = {at: wish for at, wish in waiting.items() if at not in answers}
        for at in waiting:
            answers[at] = NoValidHost(total=len(hosts), reasons=(Reason(LOST_RACE, len(hosts), hosts[0].name),))
        return [answers[at] for at in range(len(wishes))]

    async def _reserved(
        self, waiting: Mapping[int, tuple[ServerRequest, Owner]], hosts: Sequence[HostState]
    ) -> dict[int, HostState]:
        """The best host of each request that can be decided without looking at all, reserved until it is claimed."""
        fleet = await self._placement.fleet.fresh()
        if fleet.nested:
            return {}
        self._chooser.refresh(hosts, fleet)
        alike: dict[bytes, list[int]] = {}
        for at, (request, _) in waiting.items():
            if request.group is None and not request.away and self._chooser.can(request):
                alike.setdefault(self._chooser.alike(request), []).append(at)
        chosen: dict[int, HostState] = {}
        for these in alike.values():
            found = self._chooser.reserve_each(waiting[these[0]][0], [self._runtime.random() for _ in these])
            chosen.update(zip(these, found, strict=False))
        return chosen

    async def _best(self, request: ServerRequest, hosts: Sequence[HostState], consumer: str) -> HostState | None:
        """The host that `select` would name first; None when there is none, or `select` must look at all to know."""
        request = await self._with_members(request, hosts, consumer)
        if not self._chooser.can(request):
            return None
        fleet = await self._placement.fleet.fresh()
        if fleet.nested:
            return None
        self._chooser.refresh(hosts, fleet)
        return self._chooser.best(request, self._runtime.random())

    async def _kept(
        self, request: ServerRequest, hosts: Sequence[HostState], owner: Owner, leaving: Leaving | None
    ) -> Placed | Stale | None:
        """Take over what an earlier call claimed; None when there is nothing of that kind."""
        if owner.generation is None:
            return None
        held = await self._placement.allocations_of(owner.consumer)
        left = [host for host in hosts if host.name not in request.ignored]
        host = next((host for host in left if held == {host.uuid: request.resources}), None)
        way = Way(allocations={uuid: dict(amounts) for uuid, amounts in held.items()}, groups={})
        if host is None or request.alternatives:
            found = await self._placement.way_held(request.query, held) if held else None
            if found is None:
                return None
            host, way = next((host for host in left if host.uuid == found[0]), None), found[1]
        answer = None if host is None else await self._claim_way(request, host, way, owner, leaving)
        return answer if isinstance(answer, Placed | Stale) else None

    async def _stayed(
        self, request: ServerRequest, no: NoValidHost, owner: Owner, leaving: Leaving | None
    ) -> Placed | NoValidHost | Stale:
        """Let the server stay where it is, if it may and the host has room for what it gets more; else `no`, and why."""
        if leaving is None or not leaving.may_stay:
            return no
        here = leaving.host
        asked = msgspec.structs.replace(request, ignored=request.ignored - {here.name})
        asked = await self._with_members(asked, [here], owner.consumer)
        left, reasons = filtered(asked, [here], self._filters)
        if left and (request.required or request.forbidden):
            traits = msgspec.structs.replace(asked.query, resources={}, alternatives=(), uuid=here.uuid)
            if not (await self._placement.candidates(traits)).uuids:
                left, reasons = [], [Reason(RESOURCES, 1, here.name)]
        if left:
            answer = await self._claim(asked, here, owner, leaving)
            if isinstance(answer, Placed | Stale):
                return answer
            why = f"{answer.resource_class}: {answer.reason}" if isinstance(answer, Full) else GROUP
            reasons = [Reason(why, 1, here.name)]
        return msgspec.structs.replace(no, reasons=(*no.reasons, *reasons))

    async def _claim(
        self, request: ServerRequest, host: HostState, owner: Owner, leaving: Leaving | None
    ) -> Placed | Stale | Full | Crowded:
        """Claim one host, in each way in which it can give what is asked, until one is granted.

        It may be full by now, or forbidden by the group's rule, whatever the way.
        """
        own = leaving.allocations if leaving is not None and leaving.host.uuid == host.uuid else {}
        answer: Placed | Stale | Full | Crowded | None = None
        for way in await self._placement.ways(request.query, host.uuid, own):
            answer = await self._claim_way(request, host, way, owner, leaving)
            if not isinstance(answer, Full):
                return answer
        return answer or Full(host.uuid, RESOURCES, "no part of it has room for all that is asked", "room")

    async def _claim_way(
        self, request: ServerRequest, host: HostState, way: Way, owner: Owner, leaving: Leaving | None
    ) -> Placed | Stale | Full | Crowded:
        stays = leaving is not None and leaving.host.uuid == host.uuid
        wanted: Allocations = way.allocations
        if leaving is not None and stays:
            wanted = larger_of_each(wanted, leaving.allocations)
        plain = way.allocations == {host.uuid: request.resources} and not request.alternatives
        portion = None if plain else Portion(allocations=way.allocations, groups=way.groups)
        claim = _claimed(request, owner, host, wanted)
        if leaving is None:
            one = await self._placement.claim(claim)
            return Placed(host, one.generation, portion) if isinstance(one, Claimed) else one
        both = await self._placement.claim_together([claim, _left(request, leaving, owner, stays=stays)])
        return both if isinstance(both, Full | Crowded | Stale) else Placed(host, both[0].generation, portion)

    def _prefiltered(self, request: ServerRequest, hosts: Sequence[HostState]) -> ServerRequest:
        for one in self._prefilters:
            request = one(request, hosts)
        return request

    async def _with_members(self, request: ServerRequest, hosts: Sequence[HostState], consumer: str) -> ServerRequest:
        """The request with the members of its hard group where their claims are: that is what the next claim is judged by."""
        if request.group is None or request.group.soft:
            return request
        by_provider = await self._placement.spread_members(request.group.id, besides=consumer)
        members = {host.name: by_provider[host.uuid] for host in hosts if host.uuid in by_provider}
        return msgspec.structs.replace(request, group=msgspec.structs.replace(request.group, members=members))

    async def _explained(self, request: ServerRequest, hosts: Sequence[HostState], no: NoValidHost) -> NoValidHost:
        """Tell apart what placement judged: which amount or trait removed how many of the hosts that the filters left."""
        left, _ = filtered(request, hosts, self._filters)
        reasons = [reason for reason in no.reasons if reason.constraint != RESOURCES]
        reasons += await self._removed_by_placement(request, left, frozenset())
        return NoValidHost(total=no.total, reasons=tuple(reasons))

    async def _removed_by_placement(
        self, request: ServerRequest, left: Sequence[HostState], fitting: Collection[str]
    ) -> list[Reason]:
        """What removed those of `left` that are not `fitting`, by their UUIDs."""
        reasons: list[Reason] = []
        for elimination in await self._placement.eliminations(request.query):
            removed = [host for host in left if host.uuid in elimination.providers]
            if removed:
                reasons.append(Reason(elimination.constraint, len(removed), removed[0].name))
                left = [host for host in left if host.uuid not in elimination.providers]
        unknown = [host for host in left if host.uuid not in fitting]
        if unknown:
            reasons.append(Reason(UNKNOWN, len(unknown), unknown[0].name))
        return reasons


def larger(one: Resources, other: Resources) -> dict[str, int]:
    """Of each class the larger amount: what a server holds that may have either size."""
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in dict.fromkeys((*one, *other))}


def larger_of_each(one: Allocations, other: Allocations) -> Allocations:
    """The same for each provider."""
    return {uuid: larger(one.get(uuid, {}), other.get(uuid, {})) for uuid in dict.fromkeys((*one, *other))}


def _claimed(request: ServerRequest, owner: Owner, host: HostState, allocations: Allocations) -> Claim:
    """What a server claims that comes to a host, or stays there."""
    return Claim(
        consumer=owner.consumer,
        generation=owner.generation,
        allocations=allocations,
        project_id=owner.project_id,
        user_id=owner.user_id,
        consumer_type=owner.consumer_type,
        spread=request.spread(host.uuid),
    )


def _left(request: ServerRequest, leaving: Leaving, owner: Owner, *, stays: bool) -> Claim:
    """What the move's consumer holds from now on. It keeps the server's place in a group whose members are kept apart."""
    spread = request.spread(leaving.host.uuid)
    return Claim(
        consumer=leaving.consumer,
        generation=leaving.generation,
        allocations={} if stays else leaving.allocations,
        project_id=owner.project_id,
        user_id=owner.user_id,
        consumer_type=MOVE,
        spread=None if stays or spread is None or spread.most is None else spread,
    )
