"""Hunting mutants: seeds are run one after the other until one is violated; how many that took."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import msgspec

from kilonova.simulation.loop import Stuck
from kilonova.simulation.mutants.mutant import Mutant
from kilonova.simulation.mutants.table import MUTANTS
from kilonova.simulation.run import run_seed

SEEDS_MAX = 500
SCENARIOS = ("boot-delete", "storm", "freezes", "cells")
"""Where a mutant is looked for that names no other places: seed 0 in the first, 1 in the second, and around again."""


class Hunted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one mutant."""

    name: str
    breaks: str
    killed: bool
    seeds_to_kill: int | None
    """How many seeds it took, the last included; None when it survived them all."""
    scenario: str | None
    """Where it was caught, and with which seed."""
    seed: int | None
    violation: str | None
    cpu_s: float


def hunt(name: str, seeds_max: int = SEEDS_MAX) -> Hunted:
    """Run the mutant `name` until it is caught. Raises KeyError for one that there isn't."""
    mutant = MUTANTS[name]
    cpu_s = 0.0
    scenarios = mutant.scenarios or SCENARIOS
    for seed in range(seeds_max):
        scenario = scenarios[seed % len(scenarios)]
        violation, used_s = _violation(mutant, seed, scenario)
        cpu_s += used_s
        if violation is not None:
            return Hunted(
                name=name,
                breaks=mutant.breaks,
                killed=True,
                seeds_to_kill=seed + 1,
                scenario=scenario,
                seed=seed,
                violation=violation,
                cpu_s=round(cpu_s, 3),
            )
    return Hunted(
        name=name,
        breaks=mutant.breaks,
        killed=False,
        seeds_to_kill=None,
        scenario=None,
        seed=None,
        violation=None,
        cpu_s=round(cpu_s, 3),
    )


def hunt_all(names: Sequence[str], seeds_max: int, jobs: int) -> Iterator[Hunted]:
    """Hunt many, `jobs` at a time in processes of their own; in the order of `names`."""
    if jobs == 1:
        yield from (hunt(name, seeds_max) for name in names)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(hunt, names, [seeds_max] * len(names))


def _violation(mutant: Mutant, seed: int, scenario: str) -> tuple[str | None, float]:
    """The first violation, if any, and the CPU seconds used. A cloud that hangs or leaves the simulation is one too."""
    try:
        with mutant.at_large():
            result = run_seed(seed, scenario)
    except (Exception, Stuck) as error:  # noqa: BLE001 - whatever it is, it is not the design's doing
        return f"{type(error).__name__}: {error}", 0.0
    return (result.violations[0] if result.violations else None), result.cpu_s
