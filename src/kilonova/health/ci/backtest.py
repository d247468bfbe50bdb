"""What another policy would have done: every merge of the past is held before its gate. Pure.

Where a system would have stood is decided day by day under the policy's own thresholds, so no merge is judged by what came later.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from kilonova.health.ci.evaluation import Scoring, days_between, states_over_time, walked
from kilonova.health.ci.gate import Known, Outcome, judge
from kilonova.health.ci.history import Change
from kilonova.health.ci.opportunities import reverted_at
from kilonova.health.ci.policy import Policy
from kilonova.health.ci.registry import Registry
from kilonova.health.ci.voting import Standing, State, Transition
from kilonova.health.ci.waivers import Waiver
from kilonova.health.moments import stamp


class Stopped(msgspec.Struct, frozen=True):
    """A merge that the policy would not have let through as it was."""

    subject: str
    merged_at: str
    outcome: Outcome
    why: str
    reverted: bool


class Backtest(msgspec.Struct, frozen=True):
    """What a policy would have done to the merges of some time."""

    changes: int
    needing: int
    """Changes whose newest patch set touches a feature that requires CI."""
    features: dict[str, int]
    """Changes that touch each feature."""
    several: int
    """Changes that touch two of them or more."""
    merges: int
    outcomes: dict[str, int]
    """Merges by what the gate would have said."""
    reverted: int
    """Merges that were taken back later."""
    reverted_stopped: int
    """Those of them that the gate would have stopped."""
    stopped: tuple[Stopped, ...]
    transitions: tuple[Transition, ...]


def backtest(
    policy: Policy, changes: Sequence[Change], registry: Registry, waivers: Sequence[Waiver], since: float, at: float
) -> Backtest:
    """Hold every merge from `since` to `at` before the policy."""
    named = policy.named()
    transitions = _transitions(policy, changes, registry, since, at)
    standings = states_over_time(transitions)
    reverted = reverted_at(changes)
    features: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    needing = several = merges = 0
    stopped = []
    for change in changes:
        files = (change.current and change.current.files) or ()
        touched = [name for name in policy.touched(files) if policy.requirements_of(name)]
        features.update(touched)
        needing += bool(touched)
        several += len(touched) > 1
        if change.merged is None or not since <= change.merged[0] <= at:
            continue
        merges += 1
        moment, number = change.merged
        states = {name: _state(standings.get(name, []), moment) for name in named}
        known = Known(policy, "", registry, states, waivers, moment, moment)
        decision = judge(change, number, known)
        outcomes[decision.outcome] += 1
        if decision.outcome is not Outcome.PASS:
            taken_back = change.subject in reverted
            stopped.append(
                Stopped(change.subject, stamp(moment), decision.outcome, decision.line.partition(": ")[2], taken_back)
            )
    return Backtest(
        changes=len(changes),
        needing=needing,
        features=dict(sorted(features.items())),
        several=several,
        merges=merges,
        outcomes=dict(sorted(outcomes.items())),
        reverted=sum(change.subject in reverted for change in changes),
        reverted_stopped=sum(one.reverted for one in stopped),
        stopped=tuple(stopped),
        transitions=tuple(transitions),
    )


def _transitions(
    policy: Policy, changes: Sequence[Change], registry: Registry, since: float, at: float
) -> list[Transition]:
    found = []
    named = policy.named()
    for system in registry.systems:
        scoring = Scoring(system, changes, registry)
        begin = Standing(system.name, State.PROPOSED, since)
        steps = walked(scoring, begin, policy.thresholds, days_between(since, at), named=system.name in named)
        found += [transition for _, transition in steps if transition is not None]
    return sorted(found, key=lambda one: one.at)


def _state(steps: Sequence[tuple[float, str]], at: float) -> State:
    place = bisect_right(steps, at, key=lambda step: step[0])
    return State(steps[place - 1][1]) if place else State.PROPOSED


def compared(one: Backtest, other: Backtest) -> Mapping[str, tuple[int, int]]:
    """Two policies beside each other."""
    return {
        "merges stopped": (len(one.stopped), len(other.stopped)),
        "reverted later, and stopped": (one.reverted_stopped, other.reverted_stopped),
        "changes of state": (len(one.transitions), len(other.transitions)),
        "changes that need CI": (one.needing, other.needing),
    }
