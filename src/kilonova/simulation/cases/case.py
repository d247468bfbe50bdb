"""What a case is."""

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.faults import QUIET, Rates
from kilonova.simulation.world import Shape

SMALL = Shape(global_conductors=1, cell_conductors=1)
"""Two hosts with an agent each, and nobody who does the work of a process that was killed."""
SEEDS = 20
"""Enough for the usual number of moments at which a case can strike."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One story: what there is, what happens to it, and what must come of it whatever the seed."""

    id: str
    """Its family's letter, and a number."""
    title: str
    bugs: tuple[int, ...]
    """Where it has been met: numbers of bugs of Nova on Launchpad."""
    given: str
    when: str
    then: str
    play: Callable[[Stage], Coroutine[Any, Any, None]]
    """Plays the story: says `Stage.met` as soon as its When has happened, and expects its Then."""
    shape: Shape = SMALL
    rates: Rates = QUIET
    """What goes wrong by chance besides."""

    @property
    def name(self) -> str:
        """What `kilonova sim run --scenario` calls it."""
        return self.id

    @property
    def about(self) -> str:
        """One line for a list."""
        return self.title
