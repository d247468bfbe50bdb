"""Boot and delete survive kill, freeze and loss at every step, for 300 seeds; the other scenarios for some."""

from collections import Counter

import pytest

from kilonova.simulation.run import run_seed
from kilonova.simulation.sometimes import REACHED

SEEDS = 300
CHUNK = 10
"""Seeds of one test: small enough to share the work among processes, large enough to say little."""
OTHERS = 20
BRANCHING = (
    ("crowded", 30),
    ("moves", 20),
    ("evacuations", 16),
    ("devices", 10),
    ("storm", 24),
    ("host-lost", 10),
    ("takeovers", 10),
    ("boot-delete", 8),
)
"""Scenarios, and how many seeds of each reach every branch; the rarest first."""


def _chunks(count: int) -> list[range]:
    return [range(first, first + CHUNK) for first in range(0, count, CHUNK)]


def _violations(scenario: str, seeds: range) -> dict[str, tuple[str, ...]]:
    """By the command that replays it."""
    return {
        f"kilonova sim replay {seed} --scenario {scenario}": violations
        for seed in seeds
        if (violations := run_seed(seed, scenario).violations)
    }


@pytest.mark.parametrize("seeds", _chunks(SEEDS), ids=lambda seeds: f"{seeds.start}..{seeds.stop - 1}")
def test_boot_and_delete__kills_freezes_and_losses__nothing_stuck_and_nothing_leaked(seeds: range):
    assert _violations("boot-delete", seeds) == {}


@pytest.mark.parametrize("seeds", _chunks(OTHERS), ids=lambda seeds: f"{seeds.start}..{seeds.stop - 1}")
@pytest.mark.parametrize(
    "scenario",
    ["storm", "cells", "silent-bus", "freezes", "slow-services", "power", "host-lost", "crowded", "takeovers"],
)
def test_scenario__everything_goes_wrong__nothing_stuck_and_nothing_leaked(scenario: str, seeds: range):
    assert _violations(scenario, seeds) == {}


def test_quiet__nothing_goes_wrong__nothing_is_violated_and_no_fault_strikes():
    results = [run_seed(seed, "quiet") for seed in range(3)]
    assert [result.violations for result in results] == [()] * 3
    assert [result.faults for result in results] == [0] * 3


def test_rare_branches__some_seeds__all_are_reached():
    reached: Counter[str] = Counter()
    for scenario, seed in ((name, 1000 + number) for name, count in BRANCHING for number in range(count)):
        reached.update(run_seed(seed, scenario).sometimes)
        if set(REACHED) <= set(+reached):
            break
    assert sorted(set(REACHED) - set(+reached)) == []


def test_a_seed__has_faults_enough__to_mean_something():
    results = [run_seed(seed, "boot-delete") for seed in range(5)]
    assert sum(result.faults for result in results) > 5 * 50
    assert all(result.events > 1000 for result in results)
