"""`python -m tools.chaos [kills|silent-bus] [--kills N] [--seed S] [--driver fake|qemu] [--json]`: strike a real cloud.

Exit code 0 when every promise was kept, 1 when not. The seed decides what is struck and what clients ask for; when things
happen is the operating system's, so a seed is a plan here and no replay.
"""

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tools.chaos.actions import ACTIONS
from tools.chaos.client import Pace
from tools.chaos.judge import Wrong
from tools.chaos.plan import strikes
from tools.chaos.run import SETTLED_S, Verdict, run
from tools.chaos.silent_bus import LATER_MAX_S, compared
from tools.chaos.victim import victim_cloud

KILLS = 200
PACES = {"fake": Pace(pause_max_s=0.15), "qemu": Pace(pause_max_s=0.5, most=3, actions=tuple(ACTIONS))}
"""Guests of QEMU have nobody who would let a card go, so they are not asked to."""
CLIENTS = {"fake": 6, "qemu": 2}
HOSTS = {"fake": 3, "qemu": 2}


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tools.chaos", description=sys.modules[__package__].__doc__)
    parser.add_argument("what", choices=("kills", "silent-bus"), nargs="?", default="kills")
    parser.add_argument("--kills", type=int, default=KILLS, help="how many times processes are killed")
    parser.add_argument("--seed", type=int, default=None, help="of the plan; a new one if not given")
    parser.add_argument("--driver", choices=("fake", "qemu"), default="fake")
    parser.add_argument("--hosts", type=int, default=None, help="1: the agent is in the program; more: a process each")
    parser.add_argument("--json", action="store_true", help="print one object")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kilonova-chaos-") as folder:
        scratch = Path(folder)
        scratch.chmod(0o711)  # for QEMU's user
        if asked.what == "silent-bus":
            return _silent_bus(scratch, as_json=asked.json)
        seed = random.randrange(1 << 32) if asked.seed is None else asked.seed
        print(f"seed {seed}", file=sys.stderr)
        verdict = strike(scratch / "state", asked.driver, asked.hosts or HOSTS[asked.driver], seed, asked.kills)
        if not verdict.well:
            kept = Path(tempfile.mkdtemp(prefix="kilonova-chaos-log-"))
            shutil.copytree(scratch / "state" / "log", kept, dirs_exist_ok=True)
            print(f"the logs are in {kept}", file=sys.stderr)
    if asked.json:
        print(json.dumps(figures(seed, verdict)))
    else:
        _table(seed, verdict)
    return 0 if verdict.well else 1


def _silent_bus(scratch: Path, *, as_json: bool) -> int:
    rounds = compared(scratch)
    if as_json:
        told = {one.name: [round(one.with_hints_s, 2), round(one.silent_s, 2)] for one in rounds}
        print(json.dumps({"rounds": told, "later_most_s": round(max(one.later_s for one in rounds), 2)}))
    else:
        table = Table(title="the same load with hints and without")
        for column in ("round", "with, s", "without, s", "later, s", "promised"):
            table.add_column(column, justify="left" if column == "round" else "right")
        for one in rounds:
            numbers = (f"{number:.2f}" for number in (one.with_hints_s, one.silent_s, one.later_s))
            table.add_row(one.name, *numbers, f"{LATER_MAX_S:g}")
        Console().print(table)
    return 0 if all(one.later_s <= LATER_MAX_S for one in rounds) else 1


def strike(state: Path, driver: str, hosts: int, seed: int, kills: int) -> Verdict:
    """Run a plan of so many kills on a fresh state directory."""
    apart = hosts > 1
    planned = list(strikes(seed, kills, agents=apart))
    with Progress(disable=not sys.stderr.isatty(), console=Console(stderr=True)) as bar:
        work = run(
            victim_cloud(state, driver, hosts),
            driver,
            agents=apart,
            seed=seed,
            strikes=bar.track(planned, description="strikes"),
            clients=CLIENTS[driver],
            pace=PACES[driver],
        )
        return asyncio.run(work)


def figures(seed: int, verdict: Verdict) -> dict[str, object]:
    """What is to be known of a run."""
    record = verdict.record
    return {
        "seed": seed,
        "struck": dict(sorted(verdict.struck.items())),
        "connections_cut": verdict.cuts,
        "failed_starts": verdict.failed_starts,
        "storm_s": round(verdict.storm_s, 1),
        "requests": record.asked,
        "accepted": len(record.accepted),
        "refused": record.refused,
        "unanswered": record.unanswered,
        "servers": len(record.history.promises),
        "left": dict(sorted(verdict.servers.items())),
        "final_after_s": None if verdict.final_s is None else round(verdict.final_s, 1),
        "clean_after_s": None if verdict.clean_s is None else round(verdict.clean_s, 1),
        "lingered": verdict.lingered,
        "lease_takeovers": verdict.measures.get("kilonova_lease_takeovers_total"),
        "epochs_rejected": verdict.measures.get("kilonova_epochs_rejected_total"),
        "undos": verdict.measures.get("kilonova_undos_total"),
        "wrong": {str(kind): verdict.wrong.get(kind, []) for kind in Wrong},
    }


def _table(seed: int, verdict: Verdict) -> None:
    table = Table(title=f"chaos, seed {seed}")
    table.add_column("figure")
    table.add_column("seen", justify="right")
    table.add_column("promised", justify="right")
    told = figures(seed, verdict)
    wrong = told.pop("wrong")
    table.caption = "\n".join(f"lingered: {sentence}" for sentence in verdict.lingered)
    told["lingered"] = len(verdict.lingered)
    for name, value in told.items():
        if isinstance(value, dict):
            for kind, count in value.items():
                table.add_row(f"{name}: {kind}", str(count))
        else:
            table.add_row(name, str(value), f"{SETTLED_S:g}" if name == "final_after_s" else "")
    assert isinstance(wrong, dict)
    for kind, what in wrong.items():
        table.add_row(kind, str(len(what)), "0")
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    for kind, what in wrong.items():
        for sentence in what[:20]:
            print(f"{kind}: {sentence}")


if __name__ == "__main__":
    sys.exit(main())
