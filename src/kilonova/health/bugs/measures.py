"""How a project does with its bugs: times until something happens, flow, backlog, and what went wrong. Pure.

Times are Kaplan and Meier's: a bug that still waits counts for as long as it has waited. Time in which the reporter owes an
answer doesn't count. Rates come with Wilson's interval.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from kilonova.health.bugs.clocks import DAY_S
from kilonova.health.bugs.model import CLOSED, SOLVED, Bug, Deed, Importance, Status, moments
from kilonova.health.stats import Rate, Survival, kaplan_meier, wilson

WEEK_S = 7 * DAY_S
REOPENED_WITHIN_S = 90 * DAY_S
LATE_AFTER_S = 14 * DAY_S
QUANTILES = (0.25, 0.5, 0.75, 0.9)


class Course(msgspec.Struct):
    """What became of one bug. Spans are in seconds since it was opened, without those in which the reporter owed an answer."""

    key: str
    opened_at: float
    watched_s: float = 0.0
    answered_s: float | None = None
    triaged_s: float | None = None
    resolved_s: float | None = None
    closed_at: list[float] = []
    reopened_at: list[float] = []
    solved_at: float | None = None
    duplicate_at: float | None = None
    open: bool = True


class Times(msgspec.Struct, frozen=True):
    """How long something takes."""

    n: int
    happened: int
    quantiles_s: dict[str, float | None]
    """`p50` and so on; None where so many have not come to it yet."""
    curve: tuple[tuple[float, float], ...]


class Week(msgspec.Struct, frozen=True):
    """A week's flow."""

    begins_at: float
    opened: int
    closed: int
    reopened: int
    backlog: int
    """Open at its end."""


class Measures(msgspec.Struct, frozen=True):
    """All of it, at a moment."""

    at: float
    bugs: int
    open: int
    first_answer: Times
    triage: Times
    resolve: Times
    backlog_age_s: dict[str, float | None]
    reopened: Rate
    """Of those solved 90 days ago or more, and those that came back: how many came back within 90 days."""
    late_duplicates: Rate
    """Of the duplicates: how many were known to be one only after 14 days."""
    weeks: tuple[Week, ...]


def course(key: str, deeds: Iterable[Deed], at: float) -> Course | None:
    """What became of the bug `key` until the moment `at`; None when it was not reported yet."""
    bug, found, last = Bug(key), None, 0.0
    for deed in moments(bug, deeds, at):
        if found is None and bug.reported:
            found = Course(key, bug.opened_at or 0.0)
        if found is not None:
            _watch(found, bug, last, deed.at)
        last = deed.at
    if found is None and bug.reported:
        found = Course(key, bug.opened_at or 0.0)
    if found is None:
        return None
    _watch(found, bug, last, at)
    found.open = bug.open
    return found


def measures(bugs: Mapping[str, Iterable[Deed]], at: float, weeks: int = 26) -> Measures:
    """Measure the bugs at the moment `at`, with the flow of so many weeks before it."""
    courses = [found for key, deeds in bugs.items() if (found := course(key, deeds, at)) is not None]
    still = [one for one in courses if one.open]
    duplicates = [one for one in courses if one.duplicate_at is not None]
    late = sum((one.duplicate_at or 0.0) - one.opened_at > LATE_AFTER_S for one in duplicates)
    ages = kaplan_meier((at - one.opened_at, True) for one in still)
    return Measures(
        at,
        len(courses),
        len(still),
        _times((one.answered_s, one) for one in courses),
        _times((one.triaged_s, one) for one in courses),
        _times((one.resolved_s, one) for one in courses),
        _quantiles(ages),
        _reopened(courses, at),
        wilson(late, len(duplicates)),
        _weeks(courses, at, weeks),
    )


def _watch(found: Course, bug: Bug, begun: float, ended: float) -> None:
    """Note what the deeds up to `begun` have changed, and let time pass until `ended`."""
    last = bug.deeds[-1]
    if found.answered_s is None and bug.responded_at is not None:
        found.answered_s = found.watched_s
    if found.triaged_s is None and bug.status is not Status.NEW and bug.importance is not Importance.UNDECIDED:
        found.triaged_s = found.watched_s
    if found.duplicate_at is None and bug.duplicate_of:
        found.duplicate_at = last.at
    closed = bug.status in CLOSED or bool(bug.duplicate_of)
    if closed and len(found.closed_at) == len(found.reopened_at):
        found.closed_at.append(last.at)
        if found.resolved_s is None:
            found.resolved_s = found.watched_s
        if bug.status in SOLVED and found.solved_at is None:
            found.solved_at = last.at
    elif not closed and len(found.closed_at) > len(found.reopened_at):
        found.reopened_at.append(last.at)
    if not bug.waits:
        found.watched_s += ended - begun


def _times(spans: Iterable[tuple[float | None, Course]]) -> Times:
    """A bug that was closed before it came to something is watched no longer."""
    seen = []
    for span, one in spans:
        until = one.watched_s if one.resolved_s is None else one.resolved_s
        seen.append((until, False) if span is None else (span, True))
    found = kaplan_meier(seen)
    return Times(found.n, found.events, _quantiles(found), found.steps)


def _quantiles(found: Survival) -> dict[str, float | None]:
    return {f"p{round(100 * q)}": found.quantile(q) for q in QUANTILES}


def _reopened(courses: Iterable[Course], at: float) -> Rate:
    came_back = held = 0
    for one in courses:
        if one.solved_at is None:
            continue
        back = next((moment for moment in one.reopened_at if moment >= one.solved_at), None)
        if back is not None and back - one.solved_at <= REOPENED_WITHIN_S:
            came_back += 1
        elif at - one.solved_at >= REOPENED_WITHIN_S:
            held += 1
    return wilson(came_back, came_back + held)


def _weeks(courses: Iterable[Course], at: float, weeks: int) -> tuple[Week, ...]:
    first = at - weeks * WEEK_S
    tally: dict[str, Counter[int]] = {name: Counter() for name in ("opened", "closed", "reopened")}
    for one in courses:
        for name, moments_ in (("opened", [one.opened_at]), ("closed", one.closed_at), ("reopened", one.reopened_at)):
            tally[name].update(max(-1, int((moment - first) // WEEK_S)) for moment in moments_ if moment < at)
    opened, closed, reopened = tally["opened"], tally["closed"], tally["reopened"]
    backlog, found = opened[-1] + reopened[-1] - closed[-1], []
    for week in range(weeks):
        backlog += opened[week] + reopened[week] - closed[week]
        found.append(Week(first + week * WEEK_S, opened[week], closed[week], reopened[week], backlog))
    return tuple(found)
