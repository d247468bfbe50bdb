"""Starts a judge in its own environment, and prints how many of its tests ran, passed, failed and were skipped, and why."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

INSIDE = Path(__file__).parent / "inside"
SHOWN = 6
"""Lines that are shown of each failure."""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """One judge."""

    title: str
    """As people are told, e.g. `functional tests of osc-placement`."""
    script: Path
    """What runs in its environment; its last arguments are the report to write and names of tests."""
    cannot: Mapping[str, str] = field(default_factory=dict)
    """Tests that can't apply, by a part of their name, each with the reason."""


def judged(
    judge: Judge, python: str, cache: Path, arguments: list[str], names: list[str], environ: Mapping[str, str]
) -> int:
    """Run a judge with `python`, the one of its environment, and tell what it found; 1 for failures.

    Its log and its report are kept in `cache`.
    """
    report = cache / f"{judge.script.stem}.json"
    report.unlink(missing_ok=True)
    path = {
        "PATH": f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{INSIDE}{os.pathsep}{judge.script.parent}",
    }
    with (cache / f"{judge.script.stem}.log").open("wb") as log:
        line = [python, str(judge.script), *arguments, str(report), *names]
        subprocess.call(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **environ, **path})
    if not report.exists():
        print(f"{judge.title}: the run broke off, see {log.name}", file=sys.stderr)
        return 1
    return _told(judge, json.loads(report.read_text()))


def _told(judge: Judge, told: dict) -> int:
    failed = {name: said for name, said in told["failed"].items() if not any(one in name for one in judge.cannot)}
    count = len(told["passed"]) + len(failed) + len(told["skipped"]) + len(told["expected"])
    print(f"{judge.title}: {count} run, {len(told['passed'])} passed, {len(failed)} failed, ", end="")
    print(f"{len(told['skipped'])} skipped, {len(told['expected'])} fail as they are expected to")
    for name, said in failed.items():
        print(f"  FAILED {name}", *said.strip().splitlines()[-SHOWN:], sep="\n      ")
    for why, times in sorted(Counter(told["skipped"].values()).items()):
        print(f"  skipped, {times} tests: {why}")
    for one, reason in judge.cannot.items():
        there = [name for name in told["failed"] if one in name]
        if there:
            print(f"  cannot apply, {one}, {len(there)} tests: {reason}")
    for name, reason in told["beside"].items():
        print(f"  cannot apply, {name}, {reason}")
    return 1 if failed else 0
