"""Every operation, with one process killed before each of its steps: everything finishes, nothing leaks."""

import pytest

from kilonova.simulation.sweep import OPERATIONS, ROLES, sweep

STRIDE = 11
"""Every step is met by `kilonova sim sweep`; here a few of each role."""


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation__process_killed_before_its_steps__everything_finishes(operation: str):
    results = [result for role in ROLES for result in sweep(operation, role, stride=STRIDE)]
    assert len(results) > len(ROLES), "there are steps to be killed before"
    assert {result.scenario: result.violations for result in results if result.violations} == {}
