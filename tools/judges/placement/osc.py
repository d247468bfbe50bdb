"""`osc.py KILONOVA REPORT [NAME ...]`: run osc-placement's functional tests. Runs in the judges' environment."""

import sys
import unittest
import warnings
from pathlib import Path

import fixtures
from osc_placement.tests import functional
from placement.tests.functional.fixtures import placement
from served import Served, free_port
from tally import Tally, each


def main() -> int:
    """Run them; 0 when all passed."""
    kilonova, report, *wanted = sys.argv[1:]
    warnings.simplefilter("ignore")
    served = Served(kilonova, free_port())

    class PlacementFixture(fixtures.Fixture):
        """Takes the place of the package's: our service, with an empty database for each test."""

        def setUp(self) -> None:
            super().setUp()
            served.start({})
            self.addCleanup(served.stop)
            self.endpoint, self.token = served.url, "admin"

    placement.PlacementFixture = PlacementFixture
    tally = Tally()
    for test in each(unittest.defaultTestLoader.discover(str(Path(functional.__file__).parent), top_level_dir=_top())):
        if not wanted or any(name in test.id() for name in wanted):
            test.run(tally)
    served.stop()
    tally.write(Path(report), {})
    return 1 if tally.failures or tally.errors or tally.unexpectedSuccesses else 0


def _top() -> str:
    return str(Path(functional.__file__).parents[3])


if __name__ == "__main__":
    sys.exit(main())
