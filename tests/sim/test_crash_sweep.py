"""One boot and one delete, with one process killed before each of its steps: everything finishes, nothing leaks."""

import pytest

from kilonova.simulation.sweep import ROLES, sweep


@pytest.mark.parametrize("role", ROLES)
def test_boot_and_delete__process_killed_before_any_step__everything_finishes(role: str):
    results = list(sweep(role))
    assert len(results) > 10, "there are steps to be killed before"
    assert {result.scenario: result.violations for result in results if result.violations} == {}
