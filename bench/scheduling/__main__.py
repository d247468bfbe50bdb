"""`python -m bench.scheduling [--plot FILE]`: measure choosing hosts, and placements until they are on the disk."""

import argparse
import asyncio
import functools
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.figures import Figure
from bench.scheduling import plot
from bench.scheduling.decisions import quick_us, scan_us
from bench.scheduling.durable import Measured
from bench.scheduling.racing import SCHEDULERS, Raced, raced, sqlite
from kilonova.placement import tables
from kilonova.runtime.real import RealRuntime

HOSTS = (1_000, 10_000, 100_000, 200_000)
MANY = 100_000
RACED = 10_000
"""Hosts that eight schedulers fill."""


def main() -> int:
    """Measure and print; 1 when a promise is not kept."""
    options = argparse.ArgumentParser(prog="make bench-scheduling", description=__doc__)
    options.add_argument(
        "--plot", type=Path, help="draw cost against hosts into this SVG file, and measure nothing else"
    )
    chosen = options.parse_args()
    quick = {count: _said(f"decisions, {count:,} hosts", quick_us(count)) for count in HOSTS}
    scans = {count: _said(f"looking at every host, {count:,} hosts", scan_us(count)) for count in HOSTS}
    if chosen.plot is not None:
        lines = (
            ("every host looked at", "#b33", list(scans.items())),
            ("kinds and boxes", "#27b", list(quick.items())),
        )
        plot.write(lines, chosen.plot)
        return 0
    figures = [*_decisions(quick, scans), *_durable(), *_raced()]
    table = Table()
    for column in ("figure", "measured", "promised", "floor", "what the floor is"):
        table.add_column(column, justify="right" if column in {"measured", "floor"} else "left")
    for figure, _ in figures:
        table.add_row(figure.name, figure.shown, figure.promised, figure.floor, figure.floor_is)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return int(not all(kept for _, kept in figures))


Judged = tuple[Figure, bool]


def _decisions(quick: dict[int, float], scans: dict[int, float]) -> list[Judged]:
    floor = "a decision that looks at every host"
    rows = [
        (Figure(f"one decision, {count:,} hosts", f"{us:.0f} µs", "", f"{scans[count]:,.0f} µs", floor), True)
        for count, us in quick.items()
    ]
    growth = quick[MANY] / quick[10_000]
    grown = f"{scans[MANY] / scans[10_000]:.1f}"
    return [*rows, (Figure("growth from 10,000 to 100,000 hosts", f"{growth:.2f}", "≤ 2", grown, floor), growth <= 2)]


def _durable() -> list[Judged]:
    with tempfile.TemporaryDirectory(prefix="kilonova-bench-") as scratch:
        line = [sys.executable, "-m", "bench.scheduling.durable"]
        subprocess.run([*line, "register", str(MANY), scratch], check=True)
        done = subprocess.run([*line, "measure", str(MANY), scratch], check=True, capture_output=True)
    found = msgspec.json.decode(done.stdout, type=Measured)
    floor, floor_is = (
        f"{1e6 / found.floor_us:,.0f}",
        "an update and an insert of SQLite a placement, in the same batches",
    )
    rows: list[Judged] = []
    best = max(found.per_cpu_s)
    for size, rate in found.per_cpu_s.items():
        must = "≥ 10,000" if size == best else ""
        shown = f"{rate:,.0f}, {found.wall_per_s[size]:,.0f}/s"
        name = f"durable placements a CPU-second, {MANY:,} hosts, {size} at once"
        rows.append(
            (Figure(name, shown, must, floor if must else "", floor_is if must else ""), not must or rate >= 10_000)
        )
    mapped = f"{found.resident_mb:.0f} MB with the pages of the database that it maps"
    memory = Figure(f"memory with {MANY:,} hosts", f"{found.memory_mb:.0f} MB", "≤ 200 MB", "", mapped)
    return [*rows, (memory, found.memory_mb <= 200)]


def _raced() -> list[Judged]:
    with tempfile.TemporaryDirectory(prefix="kilonova-bench-") as scratch:
        path = Path(scratch) / "placement.sqlite"
        asyncio.run(_made(path))
        return _judged("SQLite", raced(functools.partial(sqlite, path), RACED))


def _judged(kind: str, found: Raced) -> list[Judged]:
    name = f"{SCHEDULERS} schedulers on {RACED:,} nearly full hosts, {kind}"
    part = found.repeated / max(found.placed, 1)
    shown = f"{found.placed:,} placed, {found.refused:,} refused"
    return [
        (Figure(f"{name}: overcommitted", str(found.overcommitted), "0", "", shown), found.overcommitted == 0),
        (Figure(f"{name}: decided again", f"{part:.2%}", "≤ 2 %", "", ""), part <= 0.02),
    ]


async def _made(path: Path) -> None:
    database = sqlite(path, RealRuntime())
    await database.create(tables.metadata)
    await database.close()


def _said(what: str, us: float) -> float:
    print(f"{what}: {us:,.0f} µs", file=sys.stderr, flush=True)
    return us


if __name__ == "__main__":
    sys.exit(main())
