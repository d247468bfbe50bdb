"""Every case, for some seeds: what it expects holds, and what it is about does happen."""

import pytest

from kilonova.simulation.cases.table import CASES, FAMILIES
from kilonova.simulation.mutants.table import MUTANTS
from kilonova.simulation.run import run_seed

SEEDS = range(6)
"""`kilonova sim run --scenario NAME` plays more."""
BROKEN = (
    ("cancel-keeps-claim", "A2"),
    ("no-polling", "A3"),
    ("boot-undo-keeps-everything", "A5"),
    ("undo-skipped", "A6"),
    ("quota-not-in-transaction", "A8"),
    ("log-not-written", "A9"),
    ("group-rule-not-claimed", "A10"),
    ("guest-not-destroyed", "B1"),
    ("delete-keeps-claim", "B2"),
    ("delete-leaves-others-live", "B6"),
    ("nothing-ordered-away", "B8"),
    ("nobody-watches-hosts", "C1"),
    ("two-operations-at-once", "C6"),
    ("lease-for-ever", "C9"),
    ("no-polling", "I6"),
)
"""Mutants, each with a case that is about what it breaks."""


@pytest.mark.parametrize("name", CASES)
def test_case__some_seeds__holds_and_its_when_happens(name: str):
    results = [run_seed(seed, name) for seed in SEEDS]
    violated = {f"kilonova sim replay {name} {one.seed}": one.violations for one in results if one.violations}
    assert violated == {}
    assert sum(one.sometimes.get(name, 0) for one in results) > 0, "what the case is about never happened"


@pytest.mark.parametrize("name", CASES)
def test_case__in_words__one_sentence_for_each_part(name: str):
    case = CASES[name]
    for part in (case.title, case.given, case.when, case.then):
        assert part.strip() == part != ""
        assert not part.endswith(".")
        assert part[0].islower()


def test_cases__their_names__are_those_of_their_family():
    for title, cases in FAMILIES.items():
        assert [case.id[0] for case in cases] == [title[0]] * len(cases)
        assert [int(case.id[1:]) for case in cases] == sorted({int(case.id[1:]) for case in cases})


@pytest.mark.parametrize(("mutant", "name"), BROKEN)
def test_case__the_design_is_broken_where_it_looks__fails(mutant: str, name: str):
    with MUTANTS[mutant].at_large():
        assert any(run_seed(seed, name).violations for seed in SEEDS)
