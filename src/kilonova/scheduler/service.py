"""The scheduler at work: asks placement, decides, claims."""

from collections.abc import Sequence

import msgspec

from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Claim, Claimed, Stale
from kilonova.runtime.runtime import Runtime
from kilonova.scheduler.decide import RESOURCES, NoValidHost, Ranked, Reason, decide, filtered
from kilonova.scheduler.filters import FILTERS, Filter
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest
from kilonova.scheduler.weighers import WEIGHERS, Weigher

TRIES_A_ROUND = 8
"""Most claims on one choice of hosts, before a new choice is made on newer facts."""

ROUNDS_MAX = 32
"""Most choices for one server. Every refused claim means that another one was granted."""

LOST_RACE = "Claim"
"""The constraint named when hosts were free and were taken by others before the claim."""

UNKNOWN = "registered in placement"
"""The constraint named for hosts that placement doesn't know (or that got room a moment ago)."""


class Placed(msgspec.Struct, frozen=True):
    """The server has its host: the claim is durable."""

    host: HostState
    generation: int
    """The consumer's generation now."""


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who claims."""

    consumer: str
    """The server's id, mostly."""
    generation: int | None
    """The consumer's generation, read before the own lease was checked (see `Placement`)."""
    project_id: str
    user_id: str
    consumer_type: str | None = "INSTANCE"


class Scheduler:
    """Chooses hosts. Keeps no state: any number of them work side by side on one placement database."""

    def __init__(
        self,
        placement: Placement,
        runtime: Runtime,
        filters: Sequence[Filter] = FILTERS,
        weighers: Sequence[Weigher] = WEIGHERS,
    ) -> None:
        """Decide over `placement`; `runtime` gives the chance by which equal hosts are told apart."""
        self._placement = placement
        self._runtime = runtime
        self._filters = filters
        self._weighers = weighers

    async def select(
        self, request: ServerRequest, hosts: Sequence[HostState], consumer: str = ""
    ) -> Ranked | NoValidHost:
        """Every host that may have the server, best first, or why there is none. Claims nothing. Raises `Unavailable`.

        Members of a hard group are where placement says they are, besides `consumer` itself.
        """
        request = await self._with_members(request, hosts, consumer)
        candidates = await self._placement.candidates(request.query)
        decision = decide(
            request, hosts, candidates, self._runtime.random(), filters=self._filters, weighers=self._weighers
        )
        if isinstance(decision, NoValidHost) and any(reason.constraint == RESOURCES for reason in decision.reasons):
            return await self._explained(request, hosts, decision)
        return decision

    async def place(
        self, request: ServerRequest, hosts: Sequence[HostState], owner: Owner
    ) -> Placed | NoValidHost | Stale:
        """Claim the best host; the next best, and then a newly made choice, when others were faster.

        After a lost answer this may be repeated with a newly read generation: a consumer that holds exactly what is asked
        for on one of `hosts` keeps it. `Stale` means that somebody else acts for this consumer. Raises `Unavailable`.
        """
        kept = await self._kept(request, hosts, owner)
        if kept is not None:
            return kept
        for _ in range(ROUNDS_MAX):
            decision = await self.select(request, hosts, owner.consumer)
            if isinstance(decision, NoValidHost):
                return decision
            for host in decision.hosts[:TRIES_A_ROUND]:
                answer = await self._claim(request, host, owner)
                if answer is not None:
                    return answer
        return NoValidHost(total=len(hosts), reasons=(Reason(LOST_RACE, len(hosts), hosts[0].name),))

    async def _kept(self, request: ServerRequest, hosts: Sequence[HostState], owner: Owner) -> Placed | Stale | None:
        """Take over what an earlier call claimed; None when there is nothing of that kind."""
        if owner.generation is None:
            return None
        held = await self._placement.allocations_of(owner.consumer)
        host = next((host for host in hosts if held == {host.uuid: request.resources}), None)
        return None if host is None else await self._claim(request, host, owner)

    async def _claim(self, request: ServerRequest, host: HostState, owner: Owner) -> Placed | Stale | None:
        """Claim one host; None when it is full, or the group's rule forbids it, by now."""
        claim = Claim(
            consumer=owner.consumer,
            generation=owner.generation,
            allocations={host.uuid: request.resources},
            project_id=owner.project_id,
            user_id=owner.user_id,
            consumer_type=owner.consumer_type,
            spread=request.spread(host.uuid),
        )
        answer = await self._placement.claim(claim)
        if isinstance(answer, Claimed):
            return Placed(host, answer.generation)
        return answer if isinstance(answer, Stale) else None

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
        for elimination in await self._placement.eliminations(request.query):
            removed = [host for host in left if host.uuid in elimination.providers]
            if removed:
                reasons.append(Reason(elimination.constraint, len(removed), removed[0].name))
                left = [host for host in left if host.uuid not in elimination.providers]
        if left:
            reasons.append(Reason(UNKNOWN, len(left), left[0].name))
        return NoValidHost(total=no.total, reasons=tuple(reasons))
