"""One decision: request, hosts and candidates in; ranked hosts, or the reasons why none, out. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby, islice

import msgspec
from typing_extensions import override

from kilonova.kernel.ids import HostName
from kilonova.placement.shapes import Candidates
from kilonova.scheduler.filters import FILTERS, Filter
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest
from kilonova.scheduler.weighers import WEIGHERS, Weigher, free_of, weights

MESSAGE_MAX = 255
"""Most characters of a server's fault (Compute API)."""
NO_VALID_HOST = "No valid host was found. There are not enough hosts available."
"""How every "no" begins that users read."""
RESOURCES = "Resources"
"""The constraint that placement judges: room and traits."""


class Reason(msgspec.Struct, frozen=True):
    """One constraint that removed hosts."""

    constraint: str
    removed: int
    """How many of the hosts that had passed the constraints before."""
    example: HostName
    """The first of them."""

    @override
    def __str__(self) -> str:
        """For operators."""
        return f"{self.constraint} removed {self.removed} (e.g. {self.example})"


class NoValidHost(msgspec.Struct, frozen=True, kw_only=True):
    """No host may have the server."""

    total: int
    """How many hosts there were."""
    reasons: tuple[Reason, ...]
    """In the order in which the constraints were asked; only those that removed any."""

    @property
    def message(self) -> str:
        """For users: which constraints removed hosts, the last one the last hosts; no names of hosts, no counts."""
        if not self.reasons:
            return NO_VALID_HOST
        names = dict.fromkeys(reason.constraint for reason in self.reasons)
        told = f"{NO_VALID_HOST} None is left after {', '.join(names)}."
        return told if len(told) <= MESSAGE_MAX else f"{told[: MESSAGE_MAX - 3]}..."

    @property
    def details(self) -> str:
        """For operators: what removed how many."""
        if not self.total:
            return "No valid host was found: there are no hosts."
        told = "; ".join(str(reason) for reason in self.reasons)
        return f"No valid host was found among {self.total}: {told}."


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of a request now."""

    total: int
    """How many hosts there are."""
    reasons: tuple[Reason, ...]
    """What removed hosts, in the order in which it was asked."""
    hosts: tuple[HostState, ...]
    """Those that are left, best first."""


class Ranked(msgspec.Struct, frozen=True):
    """Every host that may have the server, best first; never empty."""

    hosts: tuple[HostState, ...]


def decide(
    request: ServerRequest,
    hosts: Sequence[HostState],
    candidates: Candidates,
    chance: float,
    *,
    filters: Sequence[Filter] = FILTERS,
    weighers: Sequence[Weigher] = WEIGHERS,
) -> Ranked | NoValidHost:
    """Rank the hosts that pass every filter and are among the candidates.

    Args:
        request: what the server asks for.
        hosts: every host there is.
        candidates: the providers that have room, as placement answered `request.query`.
        chance: a number in [0, 1) that decides which of equally good hosts comes first, so that they share the load.
        filters: asked in order, before the candidates.
        weighers: added up.
    """
    left, reasons = filtered(request, hosts, filters)
    row_of = {uuid: row for row, uuid in enumerate(candidates.uuids)}
    fitting = [host for host in left if host.uuid in row_of]
    if not fitting:
        if left:
            reasons.append(Reason(RESOURCES, len(left), left[0].name))
        return NoValidHost(total=len(hosts), reasons=tuple(reasons))
    free = _rows(free_of(candidates.capacity, candidates.used), [row_of[host.uuid] for host in fitting])
    weight = weights(request, fitting, free, weighers)
    order = sorted(range(len(fitting)), key=weight.__getitem__, reverse=True)
    equals = (turned(list(equal), chance) for _, equal in groupby(order, weight.__getitem__))
    return Ranked(tuple(fitting[at] for equal in equals for at in equal))


def turned(equals: Sequence[int], chance: float) -> Iterator[int]:
    """Equally good ones, in their order from the one on that `chance` picks, and then those before it."""
    start = int(chance * len(equals))
    return chain(islice(equals, start, None), islice(equals, start))


def filtered(
    request: ServerRequest, hosts: Sequence[HostState], filters: Sequence[Filter]
) -> tuple[Sequence[HostState], list[Reason]]:
    """The hosts that pass every filter, and what removed the others."""
    reasons: list[Reason] = []
    left = hosts
    for one in filters:
        rule = one.rule(request)
        if rule is None:
            continue
        passing = [host for host in left if rule(host)]
        if len(passing) < len(left):
            example = next(host for host in left if not rule(host))
            reasons.append(Reason(one.name, len(left) - len(passing), example.name))
        left = passing
    return left, reasons


def _rows(columns: Mapping[str, Sequence[int]], rows: Sequence[int]) -> dict[str, list[int]]:
    return {name: [column[row] for row in rows] for name, column in columns.items()}
