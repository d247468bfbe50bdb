"""`python -m bench.placement [--providers N] [--roots N]`: compare the replies of both services, then measure them in turns."""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.placement import clouds, comparing, puts, sides
from bench.placement.sides import Side

AMOUNTS = "resources=VCPU:1,MEMORY_MB:512,DISK_GB:1"
FLAT = "/allocation_candidates?" + AMOUNTS
CONDITIONS = f"&required={clouds.TRAIT}&member_of=in:{clouds.AGGREGATE}"
NESTED = FLAT + (
    "&resources_A=SRIOV_NET_VF:1&required_A=HW_NIC_SRIOV&resources_B=SRIOV_NET_VF:1&required_B=!HW_NIC_SRIOV"
    "&group_policy=isolate"
)
SMALL = 200
"""Roots of the cloud in which unlimited nested replies are compared."""
ROUNDS = 3


def main() -> int:
    """Compare and measure; 1 when a ratio is missed."""
    options = argparse.ArgumentParser(prog="make bench-placement", description=__doc__)
    options.add_argument("--providers", type=int, default=10_000, help="hosts of the flat cloud")
    options.add_argument("--roots", type=int, default=10_000, help="hosts of the nested cloud, each with four children")
    chosen = options.parse_args()
    table = Table()
    for column in ("work", "openstack-placement", "ours", "ratio", "must", "compared"):
        table.add_column(column, justify="left" if column in {"work", "compared"} else "right")
    missed = False
    with tempfile.TemporaryDirectory(prefix="kilonova-bench-") as scratch:
        for row, met in (*_flat(Path(scratch), chosen.providers), *_nested(Path(scratch), chosen.roots)):
            table.add_row(*row)
            missed = missed or not met
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    print("CPU of each whole process per request, medians of rounds in turns; replies compared field by field first.")
    return int(missed)


Row = tuple[Sequence[str], bool]


def _flat(scratch: Path, providers: int) -> list[Row]:
    with ExitStack() as both:
        theirs, ours = _both(both, scratch, clouds.written(clouds.flat(providers), scratch / "flat.jsonl"))
        whole = ours.get(FLAT)
        _say(f"no limit: {comparing.same(whole, theirs.get(FLAT))}")
        _say(f"trait and aggregate: {comparing.same(ours.get(FLAT + CONDITIONS), theirs.get(FLAT + CONDITIONS))}")
        works = (
            (f"candidates, {providers} providers, limit 1,000", FLAT + "&limit=1000", 200, 100),
            ("the same, limit 1", FLAT + "&limit=1", 2000, 1000),
            ("the same, limit 1,000, trait and member_of", FLAT + CONDITIONS + "&limit=1000", 100, 100),
            ("the same, limit 1,000, forbidden trait", FLAT + f"&required=!{clouds.TRAIT}&limit=1000", 100, 100),
            ("the same, nothing found", FLAT.replace("VCPU:1", "VCPU:64") + "&required=HW_CPU_X86_AVX512F", 100, 500),
        )
        rows = [
            _row(name, theirs, ours, path, must, repeats, comparing.same_part(ours.get(path), theirs.get(path), whole))
            for name, path, must, repeats in works
        ]
        rows += puts.rows(theirs, ours, providers, shown)
        _say(f"memory: openstack-placement {theirs.memory():.0f} MB, ours {ours.memory():.0f} MB")
        return rows


def _nested(scratch: Path, roots: int) -> list[Row]:
    with ExitStack() as both:
        few = _both(both, scratch, clouds.written(clouds.nested(min(roots, SMALL)), scratch / "few.jsonl"))
        compared = comparing.same(few[1].get(NESTED), few[0].get(NESTED))
        _say(f"nested, no limit: {compared}")
    with ExitStack() as both:
        theirs, ours = _both(both, scratch, clouds.written(clouds.nested(roots), scratch / "nested.jsonl"))
        path = NESTED + "&limit=1000"
        compared = comparing.same_part(ours.get(path), theirs.get(path), None)
        name = f"nested, {roots} roots with {clouds.CHILDREN} children, two groups, limit 1,000"
        rows = [_row(name, theirs, ours, path, 50, 30, compared)]
        _say(f"memory: openstack-placement {theirs.memory():.0f} MB, ours {ours.memory():.0f} MB")
        return rows


def _both(stack: ExitStack, scratch: Path, providers: Path) -> tuple[Side, Side]:
    _say(f"loading {providers.stem} ...")
    theirs = stack.enter_context(sides.peer(scratch, providers))
    return theirs, stack.enter_context(sides.kilonova(scratch, providers))


def _row(name: str, theirs: Side, ours: Side, path: str, must: int, repeats: int, compared: str) -> Row:
    """Ask both in turns: theirs once, ours `repeats` times, because the kernel counts CPU in hundredths of a second."""
    _say(f"measuring {name} ...")
    slow, fast = [], []
    for _ in range(ROUNDS):
        slow.append(_cpu(theirs, path, 1))
        fast.append(_cpu(ours, path, repeats))
    return shown(name, statistics.median(slow), statistics.median(fast), must, compared)


def _cpu(side: Side, path: str, times: int) -> float:
    before = side.cpu()
    for _ in range(times):
        side.get(path)
    return (side.cpu() - before) / times


def shown(name: str, slow_s: float, fast_s: float, must: int, compared: str) -> Row:
    """One line of the table, and whether the promise is kept."""
    ratio = slow_s / max(fast_s, 1e-9)
    row = (name, f"{slow_s * 1e3:.1f} ms", f"{fast_s * 1e3:.3f} ms", f"{ratio:,.0f}", f"≥ {must:,}", compared)
    _say(" | ".join(row))
    return row, ratio >= must


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
