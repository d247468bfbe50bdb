"""The checkers see: variants of the cloud that are broken on purpose are caught. `kilonova sim mutants` hunts them all."""

import pytest

from kilonova.simulation.mutants.hunt import hunt
from kilonova.simulation.mutants.table import MUTANTS
from kilonova.simulation.run import run_seed
from kilonova.simulation.scenarios import SCENARIOS

AT_ONCE = (
    "save-without-epoch",
    "take-without-epoch",
    "lease-for-ever",
    "nothing-released",
    "overcommit",
    "accepted-before-commit",
    "delete-leaves-others-live",
    "cancel-buries-nothing",
    "secrets-kept",
    "ports-kept",
    "guest-not-destroyed",
    "host-epoch-not-checked",
)
"""Caught by one of their first seeds."""


@pytest.mark.parametrize("name", AT_ONCE)
def test_mutant__that_breaks_much__is_caught_within_a_few_seeds(name: str):
    assert hunt(name, 5).killed


def test_mutants__put_in_and_taken_out__leave_no_trace():
    before = run_seed(1, "short").trace_hash
    for mutant in MUTANTS.values():
        with mutant.at_large():
            assert mutant.breaks
            assert set(mutant.scenarios) <= set(SCENARIOS)
    assert run_seed(1, "short").trace_hash == before


def test_table__at_least_thirty__each_with_its_own_name():
    assert len(MUTANTS) >= 30
