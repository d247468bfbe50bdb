"""`python -m tools.judge_placement [--cache DIR] [gabbits|osc] [NAME ...]`: one run of the judges."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from tools.interop.environment import environment
from tools.interop.process import RigError

PROJECT = Path(__file__).parents[2]
HERE = Path(__file__).parent
KILONOVA = Path(sys.executable).with_name("kilonova")
JUDGES = {"gabbits": "gabbits of openstack-placement", "osc": "functional tests of osc-placement"}
CANNOT = {
    "basic-http_bad_content_length_not_int": "no HTTP client sends such a header; the test is for calls without a socket",
}
"""Tests that can't be had over HTTP, each with the reason."""
SHOWN = 6
"""Lines that are shown of each failure."""


def main() -> int:
    """Run the judges; 0 when every test passed that can apply."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.judge_placement", description=sys.modules[__package__].__doc__
    )
    parser.add_argument(
        "--cache", type=Path, default=PROJECT / ".cache" / "judge-placement", help="keeps the environment"
    )
    parser.add_argument("judge", nargs="?", choices=JUDGES, help="only this one")
    parser.add_argument("name", nargs="*", help="only these files, or tests with this in their name")
    options = parser.parse_args()
    try:
        env = environment(options.cache.absolute(), HERE / "requirements.txt")
    except RigError as error:
        print(error, file=sys.stderr)
        return 1
    chosen = [options.judge] if options.judge else list(JUDGES)
    return max(_judged(judge, env.bin("python"), options.cache.absolute(), options.name) for judge in chosen)


def _judged(judge: str, python: str, cache: Path, names: list[str]) -> int:
    """Run one judge and tell what it found; 1 for failures."""
    report = cache / f"{judge}.json"
    report.unlink(missing_ok=True)
    with (cache / f"{judge}.log").open("wb") as log:
        line = [python, str(HERE / f"{judge}.py"), str(KILONOVA), str(report), *names]
        path = f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"
        subprocess.call(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "PATH": path})
    if not report.exists():
        print(f"{JUDGES[judge]}: the run broke off, see {log.name}", file=sys.stderr)
        return 1
    told = json.loads(report.read_text())
    failed = {name: said for name, said in told["failed"].items() if not any(one in name for one in CANNOT)}
    excused = [reason for one, reason in CANNOT.items() if any(one in name for name in told["failed"])]
    count = len(told["passed"]) + len(failed) + len(told["skipped"]) + len(told["expected"])
    print(f"{JUDGES[judge]}: {count} run, {len(told['passed'])} passed, {len(failed)} failed, ", end="")
    print(f"{len(told['skipped'])} skipped, {len(told['expected'])} fail as they are expected to")
    for name, said in failed.items():
        print(f"  FAILED {name}", *said.strip().splitlines()[-SHOWN:], sep="\n      ")
    for name, why in told["skipped"].items():
        print(f"  skipped {name}: {why}")
    for reason in excused:
        print(f"  cannot apply, 1 test: {reason}")
    for name, reason in told["beside"].items():
        print(f"  cannot apply, {name}, {reason}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
