"""`python -m bench [NAME...]`: measure and print."""

import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import boots, ci_import, claims_postgresql, cold_start, idle, many_hosts, reads

BENCHES = {
    "cold-start": cold_start,
    "idle": idle,
    "boots": boots,
    "reads": reads,
    "many-hosts": many_hosts,
    "ci-import": ci_import,
    "claims-postgresql": claims_postgresql,
}


def main() -> int:
    """Measure what was asked for."""
    names = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no bench is called {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    table = Table()
    for column in ("figure", "measured", "promised", "floor", "what the floor is"):
        table.add_column(column, justify="right" if column in {"measured", "floor"} else "left")
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="kilonova-bench-") as scratch:
            for figure in BENCHES[name].measure(Path(scratch)):
                table.add_row(figure.name, figure.shown, figure.promised, figure.floor, figure.floor_is)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
