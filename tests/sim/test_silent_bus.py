"""A bus that carries nothing costs seconds and no operation."""

import pytest

from kilonova.simulation.sweep import OPERATIONS, lasted

LATER_MAX_S = 10.0


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation__no_hint_arrives__it_finishes_seconds_later(operation: str) -> None:
    later_s = lasted(operation, silent_bus=True) - lasted(operation)
    assert later_s <= LATER_MAX_S
