"""The support matrix: features by drivers, each cell by evidence and none by hand. Pure.

A driver is supported while a CI that covers it lives: it answered within a week and has not fallen out of trust. One that has
been unsupported for two releases is proposed for removal.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from kilonova.health.ci.desk import Row
from kilonova.health.ci.metrics import DAY_S
from kilonova.health.ci.voting import State
from kilonova.health.stats import Rate

FRESH_S = 7 * DAY_S
"""How old the last word of a CI may be."""
PROVEN = 0.90
"""What the lower bound of passes must reach."""
RELEASE_S = 182 * DAY_S
"""How long a release takes, unless the caller says otherwise."""
_DEAD = frozenset({State.PROPOSED, State.SUSPENDED, State.RETIRED})


class Level(StrEnum):
    """What is known of a feature with a driver."""

    PROVEN = "proven"
    UNSURE = "unsure"
    FAILING = "failing"
    STALE = "stale"
    UNTESTED = "untested"
    MISSING = "missing"


class Cell(msgspec.Struct, frozen=True):
    """One feature with one driver."""

    feature: str
    driver: str
    level: Level
    systems: tuple[str, ...]
    passes: Rate | None
    """Successes, of the last month's verdicts of the CI that knows most."""
    last_at: float | None


class Driver(msgspec.Struct, frozen=True):
    """One driver, as the compute service loads it."""

    name: str
    supported: bool
    reason: str
    unsupported_since: float | None
    remove: bool
    """Whether its removal is proposed."""


class Matrix(msgspec.Struct, frozen=True):
    """All of it."""

    at: float
    drivers: tuple[Driver, ...]
    cells: tuple[Cell, ...]


def matrix_of(rows: Sequence[Row], at: float, release_s: float = RELEASE_S) -> Matrix:
    """The matrix as it was at a moment.

    Args:
        rows: how every registered system did and where it stood.
        at: the moment, in seconds since the epoch.
        release_s: how long a release takes.
    """
    covers = [(row, cover) for row in rows for cover in row.scored.system.covers]
    features = sorted({feature for _, cover in covers for feature in cover.features})
    names = sorted({driver for _, cover in covers for driver in cover.drivers})
    cells = []
    for feature in features:
        for driver in names:
            able = [row for row, cover in covers if feature in cover.features and driver in cover.drivers]
            cells.append(_cell(feature, driver, able, at))
    drivers = [_driver(name, [row for row, cover in covers if name in cover.drivers], at, release_s) for name in names]
    return Matrix(at, tuple(drivers), tuple(cells))


def _cell(feature: str, driver: str, rows: Sequence[Row], at: float) -> Cell:
    names = tuple(row.scored.system.name for row in rows)
    if not rows:
        return Cell(feature, driver, Level.MISSING, names, None, None)
    best = max(rows, key=lambda row: row.scored.last_report_at or 0.0)
    passes, last_at = best.scored.month.passes, best.scored.last_report_at
    return Cell(feature, driver, _level(best, passes, last_at, at), names, passes, last_at)


def _level(row: Row, passes: Rate, last_at: float | None, at: float) -> Level:
    if last_at is None or row.state is State.PROPOSED:
        return Level.UNTESTED
    if at - last_at > FRESH_S:
        return Level.STALE
    if passes.high < PROVEN or row.state in _DEAD:
        return Level.FAILING
    return Level.PROVEN if passes.low >= PROVEN else Level.UNSURE


def _driver(name: str, rows: Sequence[Row], at: float, release_s: float) -> Driver:
    living = [row for row in rows if _lives(row, at)]
    if living:
        return Driver(name, True, f"{living[0].scored.system.name} is {living[0].state}", None, False)
    heard = max((row.scored.last_report_at for row in rows if row.scored.last_report_at is not None), default=None)
    since = None if heard is None else max(heard, *(row.since or 0.0 for row in rows if row.state in _DEAD), 0.0)
    states = ", ".join(f"{row.scored.system.name} is {row.state}" for row in rows)
    silent = "" if heard is None or at - heard <= FRESH_S else ", and nothing was heard for a week"
    return Driver(
        name=name,
        supported=False,
        reason=f"{states}{silent}" if heard is not None else f"{states}, and has never been heard of",
        unsupported_since=since,
        remove=since is not None and at - since >= 2 * release_s,
    )


def _lives(row: Row, at: float) -> bool:
    last_at = row.scored.last_report_at
    return row.state not in _DEAD and last_at is not None and at - last_at <= FRESH_S
