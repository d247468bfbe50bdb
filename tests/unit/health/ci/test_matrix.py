"""The support matrix: a driver is supported while its CI lives, and only then."""

import msgspec
import pytest

from kilonova.health.ci.desk import Row
from kilonova.health.ci.evaluation import Scored
from kilonova.health.ci.matrix import Level, Matrix, matrix_of
from kilonova.health.ci.metrics import DAY_S, metrics_of
from kilonova.health.ci.voting import State
from kilonova.health.stats import Rate, wilson
from unit.health.ci.changes import registry
from unit.health.ci.documents import T0


def matrix(state: State, passes: Rate, days_ago: float | None) -> Matrix:
    month = msgspec.structs.replace(metrics_of([], 1.0, T0), passes=passes)
    last_at = None if days_ago is None else T0 - days_ago * DAY_S
    return matrix_of([Row(Scored(registry().system("acme"), month, month, 0, last_at), state, 0.0, ())], T0)


@pytest.mark.parametrize(
    ("state", "passes", "days_ago", "level", "supported", "remove"),
    [
        (State.VOTING, wilson(99, 100), 1, Level.PROVEN, True, False),
        (State.TRIAL, wilson(9, 10), 1, Level.UNSURE, True, False),
        (State.VOTING, wilson(50, 100), 1, Level.FAILING, True, False),
        (State.SUSPENDED, wilson(99, 100), 1, Level.FAILING, False, False),
        (State.VOTING, wilson(99, 100), 8, Level.STALE, False, False),
        (State.RETIRED, wilson(0, 0), 400, Level.STALE, False, True),
        (State.PROPOSED, wilson(0, 0), None, Level.UNTESTED, False, False),
    ],
)
def test_matrix__by_what_its_ci_has_shown(
    state: State, passes: Rate, days_ago: float | None, level: Level, supported: bool, remove: bool
) -> None:
    found = matrix(state, passes, days_ago)
    ((cell,), (driver,)) = found.cells, found.drivers
    assert (cell.feature, cell.driver, cell.level) == ("virt.acme", "acme", level)
    assert (driver.supported, driver.remove) == (supported, remove)
    assert driver.reason
