"""Simulated clouds of one test: made on demand under its seed, judged when it has passed."""

from typing import Any

from kilonova.simulation.faults import QUIET, Rates
from kilonova.simulation.world import Shape
from kilonova.testing.world import SimulatedCloud


class Worlds:
    """Makes simulated clouds."""

    def __init__(self, seed: int) -> None:
        """Give all of them `seed`."""
        self._seed = seed
        self.made: list[SimulatedCloud] = []
        self.failed = False
        """Whether the test has failed: then the clouds aren't judged any more."""

    def __call__(self, *, rates: Rates | None = None, **shape: Any) -> SimulatedCloud:
        """Start a simulated cloud.

        Args:
            rates: what goes wrong by chance; nothing when None.
            shape: how large it is: fields of `simulation.world.Shape` that differ from the defaults.

        Raises:
            TypeError: there is no such field.
        """
        made = SimulatedCloud(self._seed, shape=Shape(**shape), rates=rates or QUIET)
        self.made.append(made)
        return made

    def end(self) -> None:
        """Judge what the test leaves behind, and drop it. Raises `Violated`."""
        try:
            for world in self.made:
                if not self.failed:
                    world.finish()
        finally:
            for world in self.made:
                world.close()
