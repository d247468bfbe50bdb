"""The state machine: what rises and falls, when, and that no path leads up but by evidence."""

import random
from collections import deque
from statistics import median

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilonova.health.ci.metrics import DAY_S, Metrics, metrics_of
from kilonova.health.ci.voting import (
    RANK,
    Evidence,
    OnlyDown,
    Standing,
    State,
    Thresholds,
    decide,
    failing,
    lowered,
    unfit_for,
)
from kilonova.health.stats import Rate, wilson

LIMITS = Thresholds()
EMPTY = metrics_of([], 1.0, 0.0)
WELL = msgspec.structs.replace(
    EMPTY, attained=wilson(500, 500), availability=wilson(100, 100), flakes=wilson(0, 500), agreement=wilson(300, 300)
)


def evidence(day: float, month: Metrics = WELL, fortnight: Metrics = WELL, **more: object) -> Evidence:
    told = {"results": 100, "readable": 1.0, "last_report_at": day * DAY_S, "named": False, **more}
    return Evidence(day * DAY_S, month, fortnight, **told)


def live(state: State, days: int, begin: int = 1, **more: object) -> tuple[Standing, list[tuple[int, State]]]:
    standing, moves = Standing("acme", state, 0.0), []
    for day in range(begin, begin + days):
        standing, transition = decide(standing, evidence(day, **more), LIMITS)
        if transition is not None:
            moves.append((day, transition.new))
    return standing, moves


def test_decide__good_from_the_beginning__rises_step_by_step() -> None:
    _, moves = live(State.PROPOSED, 40, named=True)
    assert moves == [(1, State.TRIAL), (2, State.NONVOTING), (17, State.VOTING), (18, State.REQUIRED)]


@pytest.mark.parametrize(
    "weak",
    [
        {"agreement": wilson(270, 300)},
        {"agreement": wilson(49, 49)},
        {"attained": wilson(90, 100)},
        {"availability": wilson(94, 100)},
        {"flakes": wilson(6, 100)},
        {"excused": wilson(11, 100)},
        {"unexamined": 1},
    ],
)
def test_decide__one_thing_missing__stays_without_a_vote_and_is_told_why(weak: dict[str, Rate]) -> None:
    month = msgspec.structs.replace(WELL, **weak)
    assert unfit_for(month, LIMITS)
    assert live(State.NONVOTING, 60, month=month)[1] == []


@pytest.mark.parametrize(
    "bad",
    [
        {"agreement": wilson(70, 100)},
        {"attained": wilson(60, 100)},
        {"silent": True, "silence": 5},
        {"fast_failures": 5},
    ],
)
def test_decide__fails__is_degraded_at_once_and_suspended_after_a_fortnight(bad: dict[str, object]) -> None:
    fortnight = msgspec.structs.replace(WELL, **bad)
    assert failing(fortnight, LIMITS)
    assert live(State.REQUIRED, 20, fortnight=fortnight)[1] == [(1, State.DEGRADED), (15, State.SUSPENDED)]


def test_decide__degraded_and_well_again__is_back_after_a_week() -> None:
    assert live(State.DEGRADED, 20)[1] == [(8, State.VOTING)]


def test_decide__few_verdicts__dont_degrade() -> None:
    assert live(State.VOTING, 5, fortnight=msgspec.structs.replace(WELL, agreement=wilson(5, 19)))[1] == []


def test_decide__not_heard_of_for_ninety_days__is_retired() -> None:
    assert live(State.SUSPENDED, 100, last_report_at=0.0)[1] == [(90, State.RETIRED)]


def test_decide__policy_names_it_no_more__is_required_no_more() -> None:
    assert live(State.REQUIRED, 3)[1] == [(1, State.VOTING)]


@pytest.mark.parametrize("old", State)
@pytest.mark.parametrize("new", State)
def test_lowered__by_a_person__only_down_or_to_trial(old: State, new: State) -> None:
    standing = Standing("acme", old, 0.0)
    allowed = RANK[new] < RANK[old] or (new is State.TRIAL and old in {State.RETIRED, State.SUSPENDED, State.PROPOSED})
    if allowed:
        assert lowered(standing, new, 1.0, "someone", "why").new is new
    else:
        with pytest.raises(OnlyDown):
            lowered(standing, new, 1.0, "someone", "why")


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.booleans(), st.booleans()), max_size=80))
def test_decide__any_evidence__a_vote_is_only_had_after_a_fortnight_of_fitness(
    days: list[tuple[int, int, bool, bool]],
) -> None:
    standing, fit = Standing("acme", State.NONVOTING, 0.0), 0
    for day, (wrong, late, silent, named) in enumerate(days, 1):
        month = msgspec.structs.replace(
            WELL, agreement=wilson(300 - wrong, 300), attained=wilson(300 - late, 300), silent=silent
        )
        fit = 0 if unfit_for(month, LIMITS) else fit + 1
        standing, transition = decide(standing, evidence(day, month, month, named=named), LIMITS)
        if transition is not None and transition.new.votes and not transition.old.votes:
            assert fit > (LIMITS.up_days if transition.old is State.NONVOTING else LIMITS.back_days)


def simulated(truth: float, per_day: int, seed: int, days: int = 365) -> tuple[int | None, int]:
    """The day of the first vote and how often the state changed after it."""
    chance, results = random.Random(seed), deque(maxlen=30)
    standing, first, changes = Standing("acme", State.NONVOTING, 0.0), None, 0
    for day in range(1, days + 1):
        results.append(sum(chance.random() < truth for _ in range(per_day)))
        month = msgspec.structs.replace(WELL, agreement=wilson(sum(results), per_day * len(results)))
        last = list(results)[-14:]
        fortnight = msgspec.structs.replace(WELL, agreement=wilson(sum(last), per_day * len(last)))
        standing, transition = decide(standing, evidence(day, month, fortnight), LIMITS)
        if transition is not None:
            first = first or (day if transition.new is State.VOTING else None)
            changes += transition.new is State.DEGRADED
    return first, changes


@pytest.mark.parametrize(
    ("truth", "per_day", "share", "day"),
    [
        (0.98, 20, (1.0, 1.0), (15, 20)),
        (0.95, 20, (0.95, 1.0), (15, 28)),
        (0.89, 20, (0.0, 0.1), None),
        (0.85, 5, (0.0, 0.0), None),
    ],
)
def test_decide__a_year_of_known_truth__votes_as_the_published_simulation(
    truth: float, per_day: int, share: tuple[float, float], day: tuple[int, int] | None
) -> None:
    runs = [simulated(truth, per_day, seed) for seed in range(20)]
    promoted = [first for first, _ in runs if first is not None]
    assert share[0] <= len(promoted) / len(runs) <= share[1]
    assert sum(changes for _, changes in runs) / len(runs) <= 1.0
    if day is not None:
        assert day[0] <= median(promoted) <= day[1]
