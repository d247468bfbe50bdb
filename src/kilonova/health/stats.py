"""Rates with their uncertainty, and times until something that may not have happened yet. Pure.

Sources: E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (1927); E. L. Kaplan and P. Meier,
"Nonparametric estimation from incomplete observations" (1958).
"""

from collections.abc import Iterable
from itertools import groupby
from math import sqrt

import msgspec

Z95 = 1.96
"""The normal deviate of a two-sided interval of 95 %."""
NO_COLOUR_BELOW = 20
"""A rate of fewer trials is shown without judgement."""


class Rate(msgspec.Struct, frozen=True):
    """`k` of `n`, with Wilson's interval of 95 %. Of nothing the interval is all there is: 0 to 1."""

    k: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The share itself; None of nothing."""
        return self.k / self.n if self.n else None


def wilson(k: int, n: int, z: float = Z95) -> Rate:
    """The rate of `k` in `n` trials."""
    assert 0 <= k <= n, f"{k} of {n}"
    if n == 0:
        return Rate(0, 0, 0.0, 1.0)
    p, spread = k / n, z * z / n
    centre = (p + spread / 2) / (1 + spread)
    half = z * sqrt(p * (1 - p) / n + spread / (4 * n)) / (1 + spread)
    return Rate(k, n, max(0.0, centre - half), min(1.0, centre + half))


class Survival(msgspec.Struct, frozen=True):
    """The share of those that still wait, over time."""

    steps: tuple[tuple[float, float], ...]
    """Times in order, each with the share that still waits after it."""
    n: int
    """How many were observed."""
    events: int
    """For how many of them it happened."""

    def quantile(self, q: float) -> float | None:
        """The time by which it has happened for the share `q`; None when that is never reached."""
        for time, waiting in self.steps:
            if waiting <= 1 - q + 1e-12:
                return time
        return None

    def waiting(self, time: float) -> float:
        """The share that still waits after `time`."""
        share = 1.0
        for step, waiting in self.steps:
            if step > time:
                break
            share = waiting
        return share


def kaplan_meier(observations: Iterable[tuple[float, bool]]) -> Survival:
    """Estimate the time until something happens.

    Args:
        observations: how long each was watched, and whether it happened at the end of that. Of two at the same time, what
            happened comes before what was merely no longer watched.
    """
    ordered = sorted(observations)
    at_risk, share, steps, events = len(ordered), 1.0, [], 0
    for time, group in groupby(ordered, key=lambda one: one[0]):
        ends = [happened for _, happened in group]
        happened = sum(ends)
        if happened:
            share *= 1 - happened / at_risk
            steps.append((time, share))
            events += happened
        at_risk -= len(ends)
    return Survival(tuple(steps), len(ordered), events)
