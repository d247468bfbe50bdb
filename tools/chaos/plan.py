"""What goes wrong when: a plan from a seed, made before anything runs."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What a strike does."""

    KILL_PROGRAM = "kill the program"
    """Its agents find out by themselves."""
    KILL_ALL = "kill the program and its agents"
    KILL_AGENT = "kill an agent"
    FREEZE_PROGRAM = "stop the program for a while"
    FREEZE_AGENT = "stop an agent for a while"
    CUT_CLIENTS = "cut clients off"
    CUT_AGENTS = "cut agents off"

    @property
    def kills(self) -> bool:
        """Whether a process ends by it."""
        return self in {Kind.KILL_PROGRAM, Kind.KILL_ALL, Kind.KILL_AGENT}


WEIGHTS: Mapping[Kind, float] = MappingProxyType(
    {
        Kind.KILL_PROGRAM: 4.0,
        Kind.KILL_ALL: 3.0,
        Kind.KILL_AGENT: 4.0,
        Kind.FREEZE_PROGRAM: 0.6,
        Kind.FREEZE_AGENT: 1.0,
        Kind.CUT_CLIENTS: 1.0,
        Kind.CUT_AGENTS: 1.0,
    }
)
ONLY_WITH_AGENTS = frozenset({Kind.KILL_ALL, Kind.KILL_AGENT, Kind.FREEZE_AGENT, Kind.CUT_AGENTS})
"""Strikes that need agents with processes of their own."""
PAUSE_S = 1.0
"""Mean time between two strikes."""
SPAN_S = (0.1, 20.0)
"""How long processes stand still and connections are refused: leases are 15 seconds."""


@dataclass(frozen=True)
class Strike:
    """One thing that goes wrong."""

    kind: Kind
    after_s: float
    """Seconds since the one before, or since the program answered again."""
    pick: float
    """Chooses the victim, in [0, 1)."""
    for_s: float = 0.0
    """How long it lasts; a connection that is cut for 0 seconds may be made again at once."""


def strikes(seed: int, kills: int, *, agents: bool, pause_s: float = PAUSE_S) -> Iterator[Strike]:
    """Strikes until the last of so many kills. `agents`: whether they are processes of their own."""
    chance = random.Random(seed)
    kinds = [kind for kind in Kind if agents or kind not in ONLY_WITH_AGENTS]
    weights = [WEIGHTS[kind] for kind in kinds]
    waits_s = 0.0
    while kills:
        (kind,) = chance.choices(kinds, weights)
        after_s, pick, for_s = chance.expovariate(1 / pause_s) + waits_s, chance.random(), _span(chance)
        waits_s = 0.0
        if kind.kills:
            kills -= 1
            for_s = 0.0
        elif kind in {Kind.CUT_CLIENTS, Kind.CUT_AGENTS}:
            for_s *= chance.random() < 0.5
        elif kind is Kind.FREEZE_PROGRAM and chance.random() < 0.5:
            waits_s = for_s  # else the next strike comes while it stands still
        yield Strike(kind, after_s, pick, for_s)


def _span(chance: random.Random) -> float:
    """Short and long ones alike."""
    least, most = SPAN_S
    return float(least * (most / least) ** chance.random())
