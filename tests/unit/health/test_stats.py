"""Intervals and survival against values known from elsewhere, and against definitions carried out by hand."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilonova.health.stats import kaplan_meier, wilson


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (48, 1213, 0.0299, 0.0521),
        (31, 1172, 0.0187, 0.0373),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson__known_values__as_published(k: int, n: int, low: float, high: float) -> None:
    rate = wilson(k, n)
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=1e-4)


def test_kaplan_meier__textbook__censored_ones_leave_without_an_event() -> None:
    # times in weeks of remission, the treated group of Freireich et al. (1963); a plus there is False here
    weeks = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    survival = kaplan_meier([(w, True) for w in weeks] + [(w, False) for w in censored])
    assert [round(share, 4) for _, share in survival.steps] == [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
    assert survival.quantile(0.5) == 23
    assert survival.quantile(0.9) is None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 20).map(float), st.booleans()), max_size=40))
def test_kaplan_meier__any_observations__as_the_definition_says(observations: list[tuple[float, bool]]) -> None:
    survival = kaplan_meier(observations)
    share = 1.0
    for time in sorted({t for t, _ in observations}):
        at_risk = sum(t >= time for t, _ in observations)
        share *= 1 - sum(t == time and happened for t, happened in observations) / at_risk
        assert survival.waiting(time) == pytest.approx(share)
