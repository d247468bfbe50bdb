"""`compute.py REPORT [NAME ...]`: run Tempest's tests of the Compute API. Runs in the judge's environment."""

import sys
import unittest
from collections.abc import Iterator
from pathlib import Path

import tempest
from tally import Tally


class Progress(Tally):
    """Tells the log what is run."""

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - the name is unittest's
        """Name it, and say how it has gone so far."""
        super().startTest(test)
        print(len(self.passed), "passed,", len(self.failures) + len(self.errors), "failed before", test.id())
        sys.stdout.flush()


def main() -> int:
    """Run those with one of the names in theirs; 0 when all passed."""
    report, *wanted = sys.argv[1:]
    package = Path(tempest.__file__).parent
    found = unittest.defaultTestLoader.discover(str(package / "api" / "compute"), top_level_dir=str(package.parent))
    tests = [test for test in _each(found) if not wanted or any(name in test.id() for name in wanted)]
    tally = Progress()
    unittest.TestSuite(tests).run(tally)
    tally.write(Path(report), {})
    return 1 if tally.failures or tally.errors or tally.unexpectedSuccesses else 0


def _each(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from _each(one)
        else:
            yield one


if __name__ == "__main__":
    sys.exit(main())
