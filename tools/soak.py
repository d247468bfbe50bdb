"""`python -m tools.soak`: seeds of every scenario, on every core, until a million faults have struck.

The sum is over all runs of one commit and stands in `.cache/soak.json`. A run may be stopped at any moment and goes on where it
was; a commit that changes the program begins anew, one that changes only docs or tests doesn't.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from rich.progress import Progress

from kilonova.simulation.run import run_seed
from kilonova.simulation.scenarios import in_turn
from kilonova.simulation.sometimes import REACHED

ROOT = Path(__file__).resolve().parents[1]
SIMULATED = "src/kilonova"
STATE = ROOT / ".cache" / "soak.json"
FAULTS = 1_000_000
CHUNK = 20
"""Seeds between two writes of the sum; each goes through the storm whose turn it is."""
FIRST_SEED = 100_000
"""The tests have those below."""


class Sum(msgspec.Struct, kw_only=True):
    """What has been run of one commit."""

    commit: str
    chunks: list[int] = []
    """Which chunks of seeds are done."""
    seeds: int = 0
    events: int = 0
    faults: int = 0
    cpu_s: float = 0.0
    violated: dict[str, list[str]] = {}
    """By the command that replays it."""
    sometimes: dict[str, int] = {}


def commit() -> str:
    """The last commit that changed what is simulated, and a digest of what differs from it."""
    head = _git("log", "-1", "--format=%H", "--", SIMULATED).strip()
    changes = _git("diff", "HEAD", "--", SIMULATED)
    return head if not changes else f"{head}+{hashlib.blake2b(changes.encode(), digest_size=4).hexdigest()}"


def loaded() -> Sum:
    """The sum so far of this commit."""
    now = commit()
    if STATE.exists():
        found = msgspec.json.decode(STATE.read_bytes(), type=Sum)
        if found.commit == now:
            return found
    return Sum(commit=now)


def kept(total: Sum) -> None:
    """Write the sum, all of it or nothing."""
    STATE.parent.mkdir(exist_ok=True)
    fresh = STATE.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(total))
    fresh.replace(STATE)


def chunk(number: int) -> dict[str, Any]:
    """Run one chunk of seeds."""
    reached: Counter[str] = Counter()
    found: dict[str, Any] = {"chunk": number, "seeds": 0, "events": 0, "faults": 0, "cpu_s": 0.0, "violated": {}}
    for seed in range(FIRST_SEED + number * CHUNK, FIRST_SEED + (number + 1) * CHUNK):
        result = run_seed(seed, in_turn(seed))
        found["seeds"] += 1
        found["events"] += result.events
        found["faults"] += result.faults
        found["cpu_s"] += result.cpu_s
        reached.update(result.sometimes)
        if result.violations:
            found["violated"][f"kilonova sim replay {seed}"] = list(result.violations)
    return {**found, "sometimes": dict(reached)}


def soak(total: Sum, faults: int, jobs: int) -> None:
    """Run chunks that are not done until `faults` have struck in all."""
    todo = (number for number in count() if number not in set(total.chunks))
    with ProcessPoolExecutor(jobs) as pool, Progress(disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("faults", total=faults, completed=total.faults)
        running: set[Future[dict[str, Any]]] = {pool.submit(chunk, next(todo)) for _ in range(jobs)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                add(total, one.result())
                kept(total)
            bar.update(task, completed=total.faults)
            running |= _more(pool, todo, len(done)) if total.faults < faults else set()


def add(total: Sum, found: dict[str, Any]) -> None:
    """Add a chunk to the sum."""
    total.chunks.append(found["chunk"])
    for name in ("seeds", "events", "faults", "cpu_s"):
        setattr(total, name, getattr(total, name) + found[name])
    total.violated.update(found["violated"])
    total.sometimes = dict(Counter(total.sometimes) + Counter(found["sometimes"]))


def main() -> int:
    """Soak; 1 when anything was violated."""
    parser = argparse.ArgumentParser(description="Run the simulation until so many faults have struck.")
    parser.add_argument("--faults", type=int, default=FAULTS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    total = loaded()
    if total.faults < asked.faults:
        soak(total, asked.faults, asked.jobs)
    for command, violations in sorted(total.violated.items()):
        print(command, *violations, sep="\n    ")
    missed = sorted(set(REACHED) - set(total.sometimes))
    figures = {name: getattr(total, name) for name in ("commit", "seeds", "events", "faults")}
    print(json.dumps({**figures, "cpu_s": round(total.cpu_s), "violated": len(total.violated), "not_reached": missed}))
    return 1 if total.violated else 0


def _more(pool: ProcessPoolExecutor, todo: Iterator[int], many: int) -> set[Future[dict[str, Any]]]:
    return {pool.submit(chunk, next(todo)) for _ in range(many)}


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
