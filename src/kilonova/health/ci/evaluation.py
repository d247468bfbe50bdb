"""Day by day: what each CI system's evidence was at the end of each day, and what the rules make of it. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from kilonova.health.ci.history import Change
from kilonova.health.ci.metrics import DAY_S, WINDOW_S, Metrics, metrics_of
from kilonova.health.ci.opportunities import Watched, opportunities_of, reverted_at, watched
from kilonova.health.ci.registry import Registry, System
from kilonova.health.ci.voting import Evidence, Standing, Thresholds, Transition, decide

FORTNIGHT_S = 14 * DAY_S
LOOK_BACK_S = 2 * WINDOW_S
"""How far before the first day changes matter: a month's window, and what was opened before it began."""


class Scored(msgspec.Struct, frozen=True):
    """One system and how it does."""

    system: System
    month: Metrics
    fortnight: Metrics
    results: int
    last_report_at: float | None


class Scoring:
    """Looks at one system from many moments, with what doesn't change between them made once."""

    def __init__(self, system: System, changes: Sequence[Change], registry: Registry) -> None:
        """`changes` are all those that matter, as they are at the latest moment."""
        self.system = system
        self._watched = watched(changes, system, registry.reference())
        self._reverted = reverted_at(changes)
        self._reports = sorted(
            (report.at, report.verdict.judges) for watch in self._watched for report in watch.reports
        )

    def at(self, at: float, since: float = 0.0) -> Scored:
        """How it did at the moment `at`; results are counted from `since`."""
        near = [one for one in self._watched if _lives(one, at)]
        found = opportunities_of(near, self.system, self._reverted, at, at - LOOK_BACK_S)
        deadline_s = self.system.deadline_s
        heard = [when for when, _ in self._reports if when <= at]
        return Scored(
            system=self.system,
            month=metrics_of(found, deadline_s, at),
            fortnight=metrics_of(found, deadline_s, at, FORTNIGHT_S),
            results=sum(judges for when, judges in self._reports if since <= when <= at),
            last_report_at=heard[-1] if heard else None,
        )


def scored(registry: Registry, changes: Iterable[Change], at: float) -> list[Scored]:
    """How every system does."""
    known = tuple(changes)
    return [Scoring(system, known, registry).at(at) for system in registry.systems]


def walked(
    scoring: Scoring, standing: Standing, limits: Thresholds, days: Iterable[float], *, named: bool
) -> Iterator[tuple[Standing, Transition | None]]:
    """Decide at each of `days`, in order: where the system stands after it, and what changed."""
    for day in days:
        seen = scoring.at(day, standing.since)
        evidence = Evidence(
            at=day,
            month=seen.month,
            fortnight=seen.fortnight,
            results=seen.results,
            readable=seen.month.readable.value,
            last_report_at=seen.last_report_at,
            named=named,
        )
        standing, transition = decide(standing, evidence, limits)
        yield standing, transition


def days_between(after: float, until: float) -> list[float]:
    """Every midnight (UTC) after `after`, up to `until`."""
    first = int(after // DAY_S) + 1
    return [day * DAY_S for day in range(first, int(until // DAY_S) + 1)]


def states_over_time(transitions: Iterable[Transition]) -> Mapping[str, list[tuple[float, str]]]:
    """Of each system, when it came into which state."""
    found: dict[str, list[tuple[float, str]]] = {}
    for one in transitions:
        found.setdefault(one.system, []).append((one.at, one.new))
    return found


def _lives(watch: Watched, at: float) -> bool:
    patchsets = watch.change.patchsets
    return bool(patchsets) and patchsets[0].at <= at and patchsets[-1].at >= at - LOOK_BACK_S
