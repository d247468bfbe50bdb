"""What the project has promised for a bug, and the clock of each promise. Pure.

A clock runs while its promise is owed, stands still while the reporter owes an answer, and begins anew when the bug comes to
another team: nobody is blamed for time in which a bug was not theirs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from kilonova.health.bugs.model import Bug, Deed, Importance, Status, What, moments

DAY_S = 86_400.0
WORKING_DAYS = 5
"""Of a week, from Monday."""
_MONDAY_S = 4 * DAY_S
"""The epoch was a Thursday: the first Monday came four days later."""


class State(StrEnum):
    """How a promise stands."""

    RUNNING = "running"
    PAUSED = "paused"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Promise:
    """Something that users may rely on."""

    name: str
    owed: Callable[[Bug], bool]
    allowance_s: Callable[[Bug], float]
    working: bool = True
    """Whether only working days count; they are of 24 hours, in UTC."""


class Clock(msgspec.Struct, frozen=True):
    """How long a promise has been owed for a bug."""

    promise: str
    owner: str
    """The team whose time it is; empty where bugs have no teams."""
    state: State
    spent_s: float
    allowance_s: float
    due_at: float | None
    """When it breaks or broke, in seconds since the epoch; None while it stands still."""


PROMISES = (
    Promise(
        "security", lambda bug: bug.open and bug.security and not bug.responded_at, lambda _bug: DAY_S, working=False
    ),
    Promise(
        "critical",
        lambda bug: bug.open and bug.importance is Importance.CRITICAL and not bug.assignee,
        lambda _bug: DAY_S,
    ),
    Promise("first answer", lambda bug: bug.open and not bug.responded_at, lambda _bug: 3 * DAY_S),
    Promise("reply", lambda bug: bug.status is Status.INCOMPLETE and bug.answered and bug.open, lambda _bug: 5 * DAY_S),
    Promise(
        "triage",
        lambda bug: bug.open and (bug.status is Status.NEW or bug.importance is Importance.UNDECIDED),
        lambda _bug: 10 * DAY_S,
    ),
    Promise("CI", lambda bug: bug.open and bug.hours > 0 and not bug.assignee, lambda bug: 5 * DAY_S / (1 + bug.hours)),
)
"""In the order in which they count at equal times. What costs CI an hour is to have an assignee twice as soon as what costs
nothing, and so on."""


def clocks(key: str, deeds: Iterable[Deed], at: float, promises: Iterable[Promise] = PROMISES) -> list[Clock]:
    """The clocks of the promises that are owed for the bug `key` at the moment `at`."""
    bug = Bug(key)
    running = {promise.name: _Span() for promise in promises}
    for deed in moments(bug, deeds, at):
        for promise in promises:
            _advance(running[promise.name], promise, bug, deed.at)
            if deed.what is What.TEAM:
                running[promise.name] = _Span()
    found = []
    for promise in promises if bug.reported else ():
        if promise.owed(bug):
            _advance(running[promise.name], promise, bug, at)
            found.append(_clock(promise, running[promise.name], bug, at))
    return found


@dataclass(slots=True)
class _Span:
    """The stretches of time in which a promise was owed and the reporter owed nothing."""

    stretches: list[tuple[float, float]] | None = None
    last: float | None = None


def _advance(span: _Span, promise: Promise, bug: Bug, to: float) -> None:
    """Let time pass until `to`, during which the bug was as it is."""
    if not bug.deeds or not promise.owed(bug):
        span.stretches, span.last = None, None
        return
    begun = span.last if span.last is not None else bug.deeds[-1].at
    if span.stretches is None:
        span.stretches = []
    if not bug.waits and to > begun:
        span.stretches.append((begun, to))
    span.last = to


def _clock(promise: Promise, span: _Span, bug: Bug, at: float) -> Clock:
    allowance = promise.allowance_s(bug)
    spent, broke_at = 0.0, None
    for begun, ended in span.stretches or ():
        passed = worked(begun, ended) if promise.working else ended - begun
        if broke_at is None and spent + passed > allowance:
            broke_at = _later(promise, begun, allowance - spent)
        spent += passed
    if broke_at is not None:
        return Clock(promise.name, bug.team, State.BROKEN, spent, allowance, broke_at)
    if bug.waits:
        return Clock(promise.name, bug.team, State.PAUSED, spent, allowance, None)
    return Clock(promise.name, bug.team, State.RUNNING, spent, allowance, _later(promise, at, allowance - spent))


def _later(promise: Promise, at: float, seconds: float) -> float:
    return after_work(at, seconds) if promise.working else at + seconds


def worked(begun: float, ended: float) -> float:
    """The seconds of working days between two moments."""
    return _since_monday(ended) - _since_monday(begun)


def after_work(begun: float, seconds: float) -> float:
    """The moment by which `seconds` of working days have passed since `begun`."""
    weeks, left = divmod(_since_monday(begun) + seconds, WORKING_DAYS * DAY_S)
    return _MONDAY_S + weeks * 7 * DAY_S + left


def _since_monday(at: float) -> float:
    """The seconds of working days since the first Monday of the epoch."""
    weeks, left = divmod(at - _MONDAY_S, 7 * DAY_S)
    return weeks * WORKING_DAYS * DAY_S + min(left, WORKING_DAYS * DAY_S)
