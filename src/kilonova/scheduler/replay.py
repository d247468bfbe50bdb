"""A day of requests, played over a fleet with the real decisions: how full it becomes, and what finds no host. Pure."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from kilonova.kernel.ids import CellId, HostName
from kilonova.objects.aggregate import DEFAULT_ZONE, Aggregate
from kilonova.placement.shapes import Candidates
from kilonova.scheduler.decide import RESOURCES, NoValidHost, Reason, decide, filtered
from kilonova.scheduler.filters import FILTERS, Filter
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import GroupRequest, ServerRequest
from kilonova.scheduler.weighers import WEIGHERS, Weigher

Amount = Annotated[int, Meta(ge=0)]
CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")
SAMPLES_MAX = 500
"""Most moments of which the fill is kept: of more every other is let go."""


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request of the day: a line of its file."""

    at: float
    """Seconds since any moment that is the same for all."""
    vcpus: Amount
    memory_mb: Amount
    disk_gb: Amount = 0
    lifetime_s: Annotated[float, Meta(ge=0)] | None = None
    """When its server goes again; None: it stays."""
    zone: str | None = None
    group: str | None = None
    """Any name: the servers of one name are a server group."""
    policy: Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"] = "anti-affinity"
    """Of that group."""

    @property
    def resources(self) -> dict[str, int]:
        """What it takes, by class."""
        every = zip(CLASSES, (self.vcpus, self.memory_mb, self.disk_gb), strict=True)
        return {name: amount for name, amount in every if amount > 0}


class FleetHost(msgspec.Struct, frozen=True, kw_only=True):
    """One host of the fleet."""

    name: HostName
    zone: str = DEFAULT_ZONE
    up: bool = True
    enabled: bool = True
    aggregates: tuple[Aggregate, ...] = ()
    """Those it is in: what their metadata says of weighers and filters holds."""
    room: dict[str, tuple[int, int]]
    """Capacity and use at the beginning, by class."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A request that found no host."""

    at: float
    line: int
    """Its place in the day, from 1."""
    reasons: tuple[Reason, ...]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet at one moment."""

    at: float
    servers: int
    refused: int
    """So far."""
    fill: dict[str, float]
    """Used part of what hosts that are up and enabled can hold, by class, from 0 to 1."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How the day went."""

    hosts: int
    requests: int
    placed: int
    refused: int
    because: dict[str, int]
    """How many refusals name each constraint as the one that removed the last hosts."""
    first_refusal: Refusal | None
    peak: dict[str, float]
    """The highest fill of each class."""
    samples: tuple[Sample, ...]


def imagined(count: int, vcpus: int, memory_mb: int, disk_gb: int) -> list[FleetHost]:
    """So many equal, empty hosts; `vcpus` is what they can give, with any overcommit counted in."""
    room = {"VCPU": (vcpus, 0), "MEMORY_MB": (memory_mb, 0), "DISK_GB": (disk_gb, 0)}
    return [FleetHost(name=HostName(f"host-{number}"), room=room) for number in range(1, count + 1)]


def replay(
    requests: Iterable[Request],
    fleet: Sequence[FleetHost],
    chance: Callable[[], float],
    *,
    filters: Sequence[Filter] = FILTERS,
    weighers: Sequence[Weigher] = WEIGHERS,
) -> Outcome:
    """Play the requests in the order of their times; `chance` is that of `decide`, asked once for each."""
    day = _Day(fleet)
    for line, request in enumerate(sorted(requests, key=lambda one: one.at), 1):
        day.until(request.at)
        wanted, candidates = day.asked(request)
        decision = decide(wanted, day.states, candidates, chance(), filters=filters, weighers=weighers)
        if isinstance(decision, NoValidHost):
            day.refuse(request, line, day.told(wanted, decision, filters))
        else:
            day.place(request, decision.hosts[0])
    return day.outcome()


class _Day:
    """The fleet while the day goes on."""

    def __init__(self, fleet: Sequence[FleetHost]) -> None:
        shared: dict[tuple[int, ...], tuple[Aggregate, ...]] = {}
        self.states = [
            HostState(
                name=host.name,
                cell_id=CellId(""),
                uuid=host.name,
                up=host.up,
                enabled=host.enabled,
                zone=host.zone,
                aggregates=shared.setdefault(tuple(one.id for one in host.aggregates), host.aggregates),
            )
            for host in fleet
        ]
        self._capacity = {name: [host.room.get(name, (0, 0))[0] for host in fleet] for name in CLASSES}
        self._used = {name: [host.room.get(name, (0, 0))[1] for host in fleet] for name in CLASSES}
        self._row_of = {host.name: row for row, host in enumerate(fleet)}
        self._in_use = [row for row, host in enumerate(fleet) if host.up and host.enabled]
        self._totals = {name: sum(self._capacity[name][row] for row in self._in_use) for name in CLASSES}
        self._taken = {name: sum(self._used[name][row] for row in self._in_use) for name in CLASSES}
        self._members: dict[str, Counter[HostName]] = {}
        self._ends: list[tuple[float, int, Request, HostName]] = []
        self._placed = 0
        self._servers = 0
        self._refused = 0
        self._because: Counter[str] = Counter()
        self._first: Refusal | None = None
        self._samples: list[Sample] = []
        self._every = 1
        self._changes = 0
        self._peak = self._fill()

    def until(self, now: float) -> None:
        """Let go of the servers whose time is over."""
        while self._ends and self._ends[0][0] <= now:
            at, _, request, host = heapq.heappop(self._ends)
            self._change(request, host, -1)
            self._sampled(at)

    def asked(self, request: Request) -> tuple[ServerRequest, Candidates]:
        """The request as the scheduler knows it, and the hosts that have room as placement would tell."""
        wanted = request.resources
        rows = [
            row
            for row in range(len(self.states))
            if all(self._used[name][row] + amount <= self._capacity[name][row] for name, amount in wanted.items())
        ]
        names = tuple(self.states[row].name for row in rows)
        candidates = Candidates(
            uuids=names,
            names=names,
            capacity={name: tuple(self._capacity[name][row] for row in rows) for name in wanted},
            used={name: tuple(self._used[name][row] for row in rows) for name in wanted},
        )
        group = None
        if request.group is not None:
            members = self._members.get(request.group, Counter())
            group = GroupRequest(id=request.group, policy=request.policy, members=dict(members))
        return ServerRequest(resources=wanted, zone=request.zone, group=group), candidates

    def place(self, request: Request, host: HostState) -> None:
        """A server begins."""
        self._placed += 1
        self._change(request, host.name, 1)
        if request.lifetime_s is not None:
            heapq.heappush(self._ends, (request.at + request.lifetime_s, self._placed, request, host.name))
        self._sampled(request.at)

    def refuse(self, request: Request, line: int, reasons: tuple[Reason, ...]) -> None:
        """No host may have it."""
        self._refused += 1
        self._because[reasons[-1].constraint if reasons else "no hosts"] += 1
        if self._first is None:
            self._first = Refusal(at=request.at, line=line, reasons=reasons)
        self._sampled(request.at)

    def told(self, wanted: ServerRequest, no: NoValidHost, filters: Sequence[Filter]) -> tuple[Reason, ...]:
        """The reasons, with the room of each class told apart."""
        reasons = [reason for reason in no.reasons if reason.constraint != RESOURCES]
        left: Sequence[HostState] = filtered(wanted, self.states, filters)[0]
        for name, amount in wanted.resources.items():
            capacity, used = self._capacity[name], self._used[name]
            fits = {host.name: used[row] + amount <= capacity[row] for host, row in self._rows(left)}
            full = [host for host in left if not fits[host.name]]
            if full:
                reasons.append(Reason(f"{name}: {amount}", len(full), full[0].name))
            left = [host for host in left if fits[host.name]]
        return tuple(reasons)

    def outcome(self) -> Outcome:
        """The day so far."""
        return Outcome(
            hosts=len(self.states),
            requests=self._placed + self._refused,
            placed=self._placed,
            refused=self._refused,
            because=dict(self._because.most_common()),
            first_refusal=self._first,
            peak=self._peak,
            samples=tuple(self._samples),
        )

    def _rows(self, hosts: Sequence[HostState]) -> list[tuple[HostState, int]]:
        return [(host, self._row_of[host.name]) for host in hosts]

    def _change(self, request: Request, host: HostName, sign: int) -> None:
        row = self._row_of[host]
        for name, amount in request.resources.items():
            self._used[name][row] += sign * amount
            self._taken[name] += sign * amount
        self._servers += sign
        if request.group is not None:
            members = self._members.setdefault(request.group, Counter())
            members[host] += sign
            if not members[host]:
                del members[host]

    def _fill(self) -> dict[str, float]:
        return {name: self._taken[name] / total if total else 0.0 for name, total in self._totals.items()}

    def _sampled(self, at: float) -> None:
        """Keep this moment; when there are too many, every other."""
        fill = self._fill()
        self._peak = {name: max(peak, fill[name]) for name, peak in self._peak.items()}
        self._changes += 1
        if self._changes % self._every:
            return
        self._samples.append(Sample(at=at, servers=self._servers, refused=self._refused, fill=fill))
        if len(self._samples) >= SAMPLES_MAX:
            self._samples = self._samples[1::2]
            self._every *= 2
