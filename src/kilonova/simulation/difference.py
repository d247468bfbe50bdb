"""Where two runs part: the first point at which what happened differs in shape, whatever ids and times it has."""

import re
from collections.abc import Sequence

import msgspec

from kilonova.simulation.run import Result, run_seed

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NUMBER = re.compile(r"#?(?<![\w-])\d+(?:\.\d+)?(?![\w-])|#\d+")
NEIGHBOURS = 5
"""How many seeds on either side are looked at for the nearest one that passes."""
BEFORE = 5
AFTER = 8


class Parting(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs up to where they part, and a little beyond."""

    common: int
    """How many lines are the same in shape."""
    before: tuple[str, ...]
    """The last of these."""
    here: tuple[str, ...]
    """How this run goes on."""
    there: tuple[str, ...]
    """How the other does."""


def shape(line: str) -> str:
    """A line of a timeline, or a violation, without its time, ids and numbers."""
    return _NUMBER.sub("N", _ID.sub("ID", line))


def parting(here: Sequence[str], there: Sequence[str]) -> Parting:
    """Where two timelines part."""
    at = 0
    while at < min(len(here), len(there)) and shape(here[at]) == shape(there[at]):
        at += 1
    return Parting(
        common=at,
        before=tuple(here[max(0, at - BEFORE) : at]),
        here=tuple(here[at : at + AFTER]),
        there=tuple(there[at : at + AFTER]),
    )


def nearest_passing(result: Result) -> tuple[Result, Parting] | None:
    """The neighbour of a seed that passes and goes the same way for longest, and where they part; None when none passes."""
    seeds = [result.seed + step for distance in range(1, NEIGHBOURS + 1) for step in (-distance, distance)]
    best: tuple[Result, Parting] | None = None
    for seed in seeds:
        if seed < 0:
            continue
        other = run_seed(seed, result.scenario, timeline=True)
        if not other.violations:
            found = parting(result.timeline, other.timeline)
            if best is None or found.common > best[1].common:
                best = (other, found)
    return best
