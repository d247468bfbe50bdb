"""How a CI system does: quick enough, accurate, reliable. Pure.

Each number is a share with its interval or a time by a survival estimate. What wasn't answered because nobody waited for it is
censored and not missed; an answer that judges nothing is none; a disagreement with another CI is shown and is no error by itself.
"""

from collections.abc import Sequence
from itertools import takewhile

import msgspec

from kilonova.health.ci.comments import Verdict
from kilonova.health.ci.opportunities import Opportunity, Outcome
from kilonova.health.stats import Rate, kaplan_meier, wilson

DAY_S = 86400.0
WINDOW_S = 30 * DAY_S
BUCKET_S = 6 * 3600.0
"""The stretch of time in which one answer in time makes a system available."""
SILENCE_CHANCE = 0.001
"""A silence that is less likely than this is an alarm."""
SILENCE_PRIOR_MIN = 0.2
"""However good a system is, each answer may be missing with this chance."""
FAST_FAILURES = 5
"""Failures in a row, of different changes and owners, all proved good: not by chance."""


class Response(msgspec.Struct, frozen=True):
    """Seconds until the first verdict, by Kaplan and Meier; None where that share never answers."""

    p50: float | None
    p90: float | None
    p95: float | None


class Disagreement(msgspec.Struct, frozen=True):
    """Verdicts beside those of the project's own CI: this system's first."""

    both_success: int
    both_failure: int
    only_failure: int
    """It failed where the reference passed."""
    only_success: int
    kappa: float | None
    """Cohen's: the agreement beyond chance; None where chance alone explains everything."""


class Metrics(msgspec.Struct, frozen=True):
    """One system in one window of time."""

    since: float
    at: float
    opportunities: int
    answered: int
    reports: int
    response: Response
    attained: Rate
    """Answered in time, of those that were waited for that long."""
    missed: Rate
    """The others of them."""
    availability: Rate
    """Stretches of 6 hours with an answer in time, of those with an opportunity."""
    agreement: Rate
    """Right verdicts, of those on patch sets that proved good or bad."""
    false_alarms: Rate
    """Failures, of what proved good."""
    missed_breaks: Rate
    """Successes, of what proved bad."""
    unexamined: int
    """Missed breaks that no person has looked at."""
    passes: Rate
    """Successes, of all last verdicts but on what proved bad."""
    excused: Rate
    flips: Rate
    """Judged both ways, of those judged more than once."""
    flakes: Rate
    """Judged both ways, of those answered."""
    readable: Rate
    """Reports that lead to their logs."""
    silence: int
    """How many in a row went unanswered until now."""
    silent: bool
    """Whether that silence is an alarm."""
    fast_failures: int
    """Failures in a row until now, of different changes and owners, that proved to be false alarms."""
    disagreement: Disagreement


def metrics_of(
    opportunities: Sequence[Opportunity], deadline_s: float, at: float, window_s: float = WINDOW_S
) -> Metrics:
    """Measure one system.

    Args:
        opportunities: its, in order, as they were at `at`; those before the window only tell how silence began.
        deadline_s: how soon it has to answer.
        at: the end of the window, in seconds since the epoch.
        window_s: its length in seconds.
    """
    seen = [one for one in opportunities if at - window_s <= one.opened_at <= at]
    answered = [one for one in seen if one.answered]
    decided = [(one, ok) for one in seen if (ok := one.in_time(deadline_s)) is not None]
    in_time = sum(ok for _, ok in decided)
    counted = [one for one in answered if not one.excused and one.outcome is not Outcome.UNKNOWN]
    good = [one for one in counted if one.outcome is Outcome.GOOD]
    bad = [one for one in counted if one.outcome is Outcome.BAD]
    alarms = sum(one.final is Verdict.FAILURE for one in good)
    breaks = [one for one in bad if one.final is Verdict.SUCCESS]
    several = [one for one in answered if len(one.verdicts) > 1]
    flipped = sum(one.flipped for one in answered)
    silence, silent = _silence(opportunities, deadline_s)
    survival = kaplan_meier((one.waited_s, one.answered) for one in seen)
    reports = sum(one.reports for one in seen)
    return Metrics(
        since=at - window_s,
        at=at,
        opportunities=len(seen),
        answered=len(answered),
        reports=reports,
        response=Response(survival.quantile(0.5), survival.quantile(0.9), survival.quantile(0.95)),
        attained=wilson(in_time, len(decided)),
        missed=wilson(len(decided) - in_time, len(decided)),
        availability=_availability(decided),
        agreement=wilson(len(counted) - alarms - len(breaks), len(counted)),
        false_alarms=wilson(alarms, len(good)),
        missed_breaks=wilson(len(breaks), len(bad)),
        unexamined=sum(one.label is None for one in breaks),
        passes=_passes(answered),
        excused=wilson(sum(one.excused for one in answered), len(answered)),
        flips=wilson(flipped, len(several)),
        flakes=wilson(flipped, len(answered)),
        readable=wilson(sum(one.readable for one in seen), reports),
        silence=silence,
        silent=silent,
        fast_failures=_fast_failures(opportunities),
        disagreement=_disagreement(answered),
    )


def _passes(answered: Sequence[Opportunity]) -> Rate:
    asked = [one for one in answered if not one.excused and one.outcome is not Outcome.BAD]
    return wilson(sum(one.final is Verdict.SUCCESS for one in asked), len(asked))


def _availability(decided: Sequence[tuple[Opportunity, bool]]) -> Rate:
    stretches: dict[int, bool] = {}
    for one, in_time in decided:
        stretch = int(one.opened_at // BUCKET_S)
        stretches[stretch] = stretches.get(stretch, False) or in_time
    return wilson(sum(stretches.values()), len(stretches))


def _silence(opportunities: Sequence[Opportunity], deadline_s: float) -> tuple[int, bool]:
    """How many of the last in a row missed their time, and whether that is less likely than chance allows."""
    decided = [in_time for one in opportunities if (in_time := one.in_time(deadline_s)) is not None]
    streak = len(list(takewhile(lambda in_time: not in_time, reversed(decided))))
    before = decided[: len(decided) - streak]
    prior = max(SILENCE_PRIOR_MIN, before.count(False) / len(before) if before else 0.0)
    return streak, prior**streak < SILENCE_CHANCE


def _fast_failures(opportunities: Sequence[Opportunity]) -> int:
    known = [one for one in opportunities if one.answered and not one.excused and one.outcome is not Outcome.UNKNOWN]
    last = list(takewhile(lambda one: one.final is Verdict.FAILURE and one.outcome is Outcome.GOOD, reversed(known)))
    return min(len({one.subject for one in last}), len({one.owner for one in last}))


def _disagreement(answered: Sequence[Opportunity]) -> Disagreement:
    pairs = [(one.final, one.reference) for one in answered if one.reference is not None]
    ok, no = Verdict.SUCCESS, Verdict.FAILURE
    both, neither = pairs.count((ok, ok)), pairs.count((no, no))
    only_failure, only_success = pairs.count((no, ok)), pairs.count((ok, no))
    n = len(pairs)
    kappa = None
    if n:
        mine, theirs = (both + only_success) / n, (both + only_failure) / n
        chance = mine * theirs + (1 - mine) * (1 - theirs)
        kappa = None if chance >= 1 else ((both + neither) / n - chance) / (1 - chance)
    return Disagreement(both, neither, only_failure, only_success, kappa)
