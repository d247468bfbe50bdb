"""The duty queue: what triagers look at next, all of them in one order, and each with an own part. Pure.

First comes what breaks a promise next, with the reason; below it what merely should be put in order, as the rules say.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from kilonova.health.bugs.clocks import PROMISES, Clock, State
from kilonova.health.bugs.model import Bug, Importance
from kilonova.health.moments import length

_RANK = {importance: rank for rank, importance in enumerate(Importance)}
_PLACE = {promise.name: place for place, promise in enumerate(PROMISES)}


class Entry(msgspec.Struct, frozen=True):
    """A bug that somebody is to look at."""

    bug: str
    title: str
    status: str
    importance: str
    due_at: float | None
    """When a promise breaks or broke; None for what is only to be put in order."""
    broken: bool
    reason: str
    hours: float
    """What it has cost, in hours of CI."""
    triager: str
    """Whose part it is in; empty when all work on one queue."""


def duty_queue(
    bugs: Mapping[str, tuple[Bug, Sequence[Clock]]],
    at: float,
    untidy: Mapping[str, str] | None = None,
    triagers: Sequence[str] = (),
) -> list[Entry]:
    """The open bugs that need somebody, the most urgent first.

    Args:
        bugs: by key, each with the clocks of what is owed for it.
        at: the moment, in seconds since the epoch.
        untidy: by key, what a rule has against a bug.
        triagers: who shares the queue. Each bug is in one's part, and stays there when others come and go as far as can be.
    """
    found = []
    for key, (bug, clocks) in bugs.items():
        due = [clock for clock in clocks if clock.due_at is not None]
        if due:
            first = min(due, key=lambda clock: (clock.due_at or 0.0, _PLACE.get(clock.promise, 0)))
            found.append(_entry(bug, at, first, _why(bug, first, at), triagers))
        elif untidy and key in untidy:
            found.append(_entry(bug, at, None, untidy[key], triagers))
    return sorted(found, key=lambda entry: _urgency(entry, bugs[entry.bug][0]))


def part_of(key: str, triagers: Sequence[str]) -> str:
    """In whose part of the queue a bug is: the highest digest of name and bug wins."""
    return max(triagers, key=lambda name: hashlib.blake2b(f"{name}\0{key}".encode()).digest(), default="")


def handed_over(before: Iterable[Entry], after: Iterable[Entry], at: float) -> str:
    """What whoever has the duty next should know: what was done, what is broken, what breaks within a day."""
    earlier, now = {entry.bug for entry in before}, list(after)
    done = sorted(earlier - {entry.bug for entry in now})
    broken = [entry for entry in now if entry.broken]
    soon = [entry for entry in now if not entry.broken and entry.due_at is not None and entry.due_at < at + 86_400]
    came = sum(entry.bug not in earlier for entry in now)
    lines = [f"{len(now)} bugs wait: {came} came, {len(done)} were dealt with."]
    lines += [f"dealt with: {', '.join(done)}"] if done else []
    lines += [f"broken: {entry.bug} {entry.title} ({entry.reason})" for entry in broken]
    lines += [f"soon: {entry.bug} {entry.title} ({entry.reason})" for entry in soon]
    return "\n".join(lines)


def _entry(bug: Bug, at: float, clock: Clock | None, reason: str, triagers: Sequence[str]) -> Entry:
    due_at = None if clock is None else clock.due_at
    broken = due_at is not None and due_at <= at
    triager = part_of(bug.key, triagers)
    return Entry(bug.key, bug.title, bug.status, bug.importance, due_at, broken, reason, round(bug.hours, 2), triager)


def _why(bug: Bug, clock: Clock, at: float) -> str:
    assert clock.due_at is not None, "only what can break"
    span = length(abs(clock.due_at - at))
    told = f"{clock.promise} is owed since {span}" if clock.state is State.BROKEN else f"{clock.promise} within {span}"
    told += f"; cost CI {bug.hours:.1f} h" if bug.hours else ""
    return told + (f"; reopened: {bug.reopened_because}" if bug.reopened_because and bug.open else "")


def _urgency(entry: Entry, bug: Bug) -> tuple[float, bool, int, float, str]:
    due = float("inf") if entry.due_at is None else entry.due_at
    return due, not bug.security, _RANK[bug.importance], -bug.hours, entry.bug
