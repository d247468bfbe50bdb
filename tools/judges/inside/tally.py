"""What became of tests, written for the other environment to read."""

import json
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path


class Tally(unittest.TestResult):
    """Counts, and keeps the end of what each failure said."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.passed: list[str] = []

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802 - the name is unittest's
        """Keep its name."""
        self.passed.append(_name(test))

    def stop(self) -> None:
        """Go on with the next file although a fixture failed."""

    def write(self, file: Path, beside: dict[str, str]) -> None:
        """Write all of it as JSON; `beside` are the files that were not run, each with the reason."""
        told = {
            "passed": self.passed,
            "failed": {_name(test): said for test, said in (*self.failures, *self.errors)},
            "skipped": {_name(test): why for test, why in self.skipped},
            "expected": [_name(test) for test, _ in self.expectedFailures],
            "beside": beside,
        }
        told["failed"] |= {_name(test): "passes, and was expected to fail" for test in self.unexpectedSuccesses}
        file.write_text(json.dumps(told, indent=1))


class Progress(Tally):
    """Tells the log what is run."""

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - the name is unittest's
        """Name it, and say how it has gone so far."""
        super().startTest(test)
        print(len(self.passed), "passed,", len(self.failures) + len(self.errors), "failed before", test.id())
        sys.stdout.flush()


def each(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    """The tests in a suite and in the suites within it."""
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from each(one)
        else:
            yield one


def _name(test: unittest.TestCase) -> str:
    return str(test.id())
