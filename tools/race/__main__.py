"""`python -m tools.race [CONTEST...] [--on sqlite|postgresql] [--processes N]`: let processes race, and judge.

Exit code 0 when everything held, 1 when not.
"""

import argparse
import sys

from rich.console import Console
from rich.table import Table

from tools.postgres_server import PROGRAMS
from tools.race.contests import CONTESTS
from tools.race.place import KINDS, places
from tools.race.run import run

PROCESSES = 8


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tools.race", description=sys.modules[__package__].__doc__)
    parser.add_argument("contests", nargs="*", choices=[*CONTESTS, []], help="all of them when none is named")
    parser.add_argument("--on", choices=KINDS, help="one kind of database only")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="how many race")
    told = parser.parse_args()
    table, wrong = Table(), 0
    for column in ("contest", "database", "must hold", "granted", "refused", "run again", "seconds", "verdict"):
        table.add_column(
            column, justify="right" if column in {"granted", "refused", "run again", "seconds"} else "left"
        )
    for kind in [told.on] if told.on else KINDS:
        if kind == "postgresql" and not PROGRAMS:
            print("PostgreSQL is left out: it is not installed (tools/install-packages database)", file=sys.stderr)
            continue
        with places(kind) as new:
            for name in told.contests or CONTESTS:
                verdict = run(name, next(new), told.processes)
                wrong += bool(verdict.wrong)
                numbers = [str(one) for one in (verdict.granted, verdict.refused, verdict.repeated)]
                held = "; ".join(verdict.wrong) or "held"
                table.add_row(name, kind, CONTESTS[name].says, *numbers, f"{verdict.seconds:.1f}", held)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
