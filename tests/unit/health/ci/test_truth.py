"""CI systems of known kinds over a seeded timeline: the state machine finds out which is which."""

import random

import msgspec
import pytest

from kilonova.health.ci.evaluation import Scoring, days_between, walked
from kilonova.health.ci.facts import Said
from kilonova.health.ci.history import Change
from kilonova.health.ci.metrics import DAY_S
from kilonova.health.ci.registry import Registry
from kilonova.health.ci.voting import Standing, State, Thresholds
from unit.health.ci.changes import change, comment, merged, registry
from unit.health.ci.documents import HOUR, T0

DAYS = 60
PER_DAY = 6


def said(kind: str, day: float, chance: random.Random) -> list[tuple[float, Said]]:
    """What a system of this kind says of a change that is good."""
    right, late, silent, flaky = {
        "good": (0.99, 0.01, 0.01, 0.0),
        "slow": (0.99, 0.6, 0.0, 0.0),
        "lying": (0.6, 0.0, 0.0, 0.0),
        "flaky": (0.99, 0.0, 0.0, 0.2),
        "dead": (0.99, 0.0, 1.0 if day > 40 else 0.0, 0.0),
        "recovering": (0.5 if day < 15 else 0.995, 0.0, 0.0, 0.0),
    }[kind]
    if chance.random() < silent:
        return []
    after = 6 * HOUR if chance.random() < late else chance.uniform(0.2, 3) * HOUR
    verdict = "SUCCESS" if chance.random() < right else "FAILURE"
    first = [(after, comment("FAILURE"))] if chance.random() < flaky else []
    return [*first, (after + 60, comment(verdict))]


def lived(kind: str) -> list[tuple[int, State]]:
    chance, changes = random.Random(11), list[Change]()
    for number in range(1, DAYS * PER_DAY + 1):
        at = T0 + number * DAY_S / PER_DAY
        told = said(kind, number / PER_DAY, chance)
        changes.append(change(*told, (10 * HOUR, merged()), number=number, at=at))
    alone = Registry((msgspec.structs.replace(registry().system("acme"), reference=False),))
    scoring = Scoring(alone.systems[0], changes, alone)
    standing = Standing("acme", State.PROPOSED, float(T0))
    steps = walked(scoring, standing, Thresholds(), days_between(T0, T0 + DAYS * DAY_S), named=False)
    return [(round((move.at - T0) / DAY_S), move.new) for _, move in steps if move is not None]


@pytest.mark.parametrize("kind", ["slow", "lying", "flaky"])
def test_decide__system_that_doesnt_keep_its_word__never_votes(kind: str) -> None:
    assert State.VOTING not in [new for _, new in lived(kind)]


def test_decide__good_system__votes_within_a_month_and_stays() -> None:
    moves = lived("good")
    assert moves[-1][1] is State.VOTING
    assert moves[-1][0] <= 32


def test_decide__system_that_dies__loses_its_vote_within_days_and_is_suspended() -> None:
    moves = lived("dead")
    degraded = next(day for day, new in moves if new is State.DEGRADED)
    assert 40 <= degraded <= 43
    assert moves[-1] == (degraded + 14, State.SUSPENDED)


def test_decide__system_that_recovers__votes_once_a_month_was_well() -> None:
    moves = lived("recovering")
    assert moves[-1][1] is State.VOTING
    assert moves[-1][0] >= 15 + 14
