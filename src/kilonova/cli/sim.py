"""`kilonova sim`: the whole cloud in one seeded loop, run under faults and judged."""

import difflib
import hashlib
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeVar

import click
import msgspec

from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.options import json_option
from kilonova.simulation.cases.case import SEEDS as CASE_SEEDS
from kilonova.simulation.cases.case import Case
from kilonova.simulation.cases.table import CASES
from kilonova.simulation.difference import Parting, nearest_passing, parting
from kilonova.simulation.mutants.hunt import SEEDS_MAX, Hunted, hunt_all
from kilonova.simulation.mutants.table import MUTANTS
from kilonova.simulation.run import Result
from kilonova.simulation.scenarios import SCENARIOS, Scenario, in_turn
from kilonova.simulation.shrink import RUNS_MAX, Replay, run_replay, shrink
from kilonova.simulation.sweep import OPERATIONS, ROLES, sweep

ALL = "all"
"""Every storm in turn: the seed says which."""
SEEDS = range(100)

F = TypeVar("F", bound=Callable[..., Any])


class Violated(msgspec.Struct, frozen=True, kw_only=True):
    """One run in which something did not hold."""

    seed: int
    scenario: str
    violations: tuple[str, ...]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What came of many seeds."""

    scenario: str
    seeds: int
    events: int
    faults: int
    violations: int
    violated: tuple[Violated, ...]
    trace_hash: str
    """Of the one seed; of the hashes of all when there are more."""
    trace_hashes: dict[int, str]
    sometimes: dict[str, int]
    fault_counts: dict[str, int]
    cpu_s: float


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a sweep."""

    operation: str
    runs: dict[str, int]
    """By role: how many steps it was killed before."""
    violations: int
    violated: tuple[Violated, ...]
    cpu_s: float


def _seeds(_ctx: click.Context, _param: click.Parameter, value: str | None) -> range | None:
    """`A..B`: the seeds from A to B, both included; or a single one."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a range of seeds; write 0..99, or one number.")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise click.BadParameter(f"{value!r} ends before it begins.")
    return range(first, last + 1)


def _name(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """The name of a storm or a case, or `all`."""
    known = (ALL, *SCENARIOS, *CASES)
    if value is None or value in known:
        return value
    written = {name.upper(): name for name in known}
    near = [written[one] for one in difflib.get_close_matches(value.upper(), written, cutoff=0.4)]
    told = f"the nearest are {', '.join(near)}" if near else "`kilonova sim scenarios` lists them"
    raise click.BadParameter(f"there is no scenario {value!r}; {told}.")


def scenario_option(command: F) -> F:
    """Give a command `--scenario` and `--mutant`."""
    mutant = click.option(
        "--mutant", type=click.Choice(list(MUTANTS)), metavar="NAME", help="Break the design like this first."
    )
    return click.option(
        "--scenario",
        callback=_name,
        metavar="NAME",
        help="What happens: a storm, or a case such as C4; `sim scenarios` lists them. All storms in turn if not given.",
    )(mutant(command))


def seed_argument(command: F) -> F:
    """Give a command `[SCENARIO] SEED`, as an argument called `words`: see `_chosen`."""
    return click.argument("words", nargs=-1, required=True, metavar="[SCENARIO] SEED")(command)


def _chosen(ctx: click.Context, words: tuple[str, ...], scenario: str | None) -> tuple[str, int]:
    """Scenario and seed. Raises `UsageError`."""
    *names, seed = words
    if not seed.isdecimal() or len(names) > 1 or (names and scenario is not None):
        raise click.UsageError("write a seed, or the name of a scenario and a seed", ctx)
    name = _name(ctx, click.Argument(["words"]), names[0]) if names else scenario
    return _played(name, int(seed)), int(seed)


def _played(name: str | None, seed: int) -> str:
    """The scenario that is played: the one that was asked for, or the storm whose turn it is."""
    return in_turn(seed) if name in {None, ALL} else str(name)


@click.group("sim")
def command() -> None:
    """Run the whole cloud in one seeded, replayable simulation."""


@command.command("run")
@click.option(
    "--seeds",
    callback=_seeds,
    metavar="A..B",
    help=f"First and last seed; {SEEDS.start}..{SEEDS.stop - 1} if not given, {SEEDS.start}..{CASE_SEEDS - 1} for a case.",
)
@scenario_option
@json_option
@click.pass_context
def run(ctx: click.Context, seeds: range | None, scenario: str | None, mutant: str | None, as_json: bool) -> None:
    """Run many seeds. Ends with code 1 when anything was violated, and names the seeds."""
    results = []
    scenario = scenario or ALL
    seeds = seeds or (range(CASE_SEEDS) if scenario in CASES else SEEDS)
    with _broken(mutant), _bar(seeds, scenario) as bar:
        for seed in bar:
            results.append(run_replay(Replay(seed=seed, scenario=_played(scenario, seed))))
            if not as_json:
                _tell(results[-1])
    summary = _summed(scenario, results)
    click.echo(_json(summary) if as_json else _sentence(summary))
    never = scenario in CASES and len(seeds) >= CASE_SEEDS and scenario not in summary.sometimes
    if never:
        click.echo(f"{scenario} was never met: what it is about did not happen in any of {len(seeds)} seeds", err=True)
    ctx.exit(ExitCode.FAILURE if summary.violations or never else ExitCode.OK)


@command.command("replay")
@seed_argument
@scenario_option
@click.option("--clients", type=click.IntRange(min=1), help="Fewer clients than the scenario has.")
@click.option("--requests", type=click.IntRange(min=0), help="Fewer creates by each client.")
@click.option("--storm-s", type=click.FloatRange(min=0), help="A shorter storm, in seconds.")
@click.option("--without", multiple=True, metavar="FAULT", help="Leave out a kind (kill) or one fault (kill#3).")
@json_option
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    words: tuple[str, ...],
    scenario: str | None,
    mutant: str | None,
    as_json: bool,
    **less: Any,
) -> None:
    """Run one seed again, print what happened when, and where the nearest seed that passes goes another way."""
    scenario, seed = _chosen(ctx, words, scenario)
    with _broken(mutant):
        result = run_replay(Replay(seed=seed, scenario=scenario, **less), timeline=True)
        near = nearest_passing(result) if result.violations and not as_json else None
    if as_json:
        click.echo(_json(result))
    else:
        for line in result.timeline:
            click.echo(line)
        if near is not None:
            _tell_parting(f"seed {near[0].seed}, which passes", near[1])
        _tell(result)
        click.echo(f"trace {result.trace_hash}")
    ctx.exit(ExitCode.FAILURE if result.violations else ExitCode.OK)


@command.command("shrink")
@seed_argument
@scenario_option
@click.option("--runs", type=click.IntRange(min=1), default=RUNS_MAX, show_default=True, help="Most runs to try.")
@json_option
@click.pass_context
def shrink_(
    ctx: click.Context, words: tuple[str, ...], scenario: str | None, mutant: str | None, runs: int, as_json: bool
) -> None:
    """Find the least that has to happen in a seed for it to be violated."""
    scenario, seed = _chosen(ctx, words, scenario)
    with _broken(mutant):
        found = shrink(Replay(seed=seed, scenario=scenario), runs)
    if as_json:
        click.echo(_json(found))
    elif found is None:
        click.echo(f"seed {seed} of {scenario}: nothing is violated, so there is nothing to shrink")
    else:
        for line in found.result.timeline:
            click.echo(line)
        if found.passing is not None:
            _tell_parting(f"the same without {found.last_fault}, which passes", _parted(found.result, found.passing))
        _tell(found.result)
        click.echo(f"{found.runs} runs; left are {found.result.faults} faults: {', '.join(found.result.struck)}")
        broken = "" if mutant is None else f" --mutant {mutant}"
        click.echo(f"kilonova sim replay {found.replay.options}{broken}")
    ctx.exit(ExitCode.OK if found is None else ExitCode.FAILURE)


@command.command("sweep")
@click.argument("operation", type=click.Choice(OPERATIONS))
@click.option("--role", type=click.Choice(ROLES), help="Kill only this one; each in turn if not given.")
@click.option("--stride", type=click.IntRange(min=1), default=1, show_default=True, help="Only every so many steps.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The order of things.")
@json_option
@click.pass_context
def sweep_(ctx: click.Context, operation: str, role: str | None, stride: int, seed: int, as_json: bool) -> None:
    """Carry one operation out again and again, a process killed before its first step, its second, and so on."""
    results: list[Result] = []
    runs: dict[str, int] = {}
    for victim in ROLES if role is None else (role,):
        for result in sweep(operation, victim, seed, stride=stride):
            runs[victim] = runs.get(victim, 0) + 1
            results.append(result)
            if not as_json:
                _tell(result)
    violated = _violated(results)
    swept = Swept(
        operation=operation,
        runs=runs,
        violations=sum(len(one.violations) for one in violated),
        violated=violated,
        cpu_s=round(sum(result.cpu_s for result in results), 3),
    )
    if as_json:
        click.echo(_json(swept))
    else:
        told = ", ".join(f"{victim} {count}" for victim, count in runs.items())
        click.echo(f"{operation}: {len(results)} runs ({told}), {len(violated)} violated")
    ctx.exit(ExitCode.FAILURE if violated else ExitCode.OK)


@command.command("mutants")
@click.argument("names", nargs=-1, type=click.Choice(list(MUTANTS)), metavar="[NAME]...")
@click.option(
    "--seeds", "most", type=click.IntRange(min=1), default=SEEDS_MAX, show_default=True, help="Most for each."
)
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="Processes; one a core if not given."
)
@json_option
@click.pass_context
def mutants(ctx: click.Context, names: tuple[str, ...], most: int, jobs: int, as_json: bool) -> None:
    """Break the design in each of many ways, and count the seeds until that is seen. Ends with 1 if any survives."""
    hunted: list[Hunted] = []
    chosen = names or tuple(MUTANTS)
    with _bar(range(len(chosen)), "mutants") as bar:
        for _, one in zip(bar, hunt_all(chosen, most, jobs), strict=True):
            hunted.append(one)
            if not as_json:
                seeds = f"{one.seeds_to_kill:4}" if one.killed else "none"
                click.echo(f"{seeds}  {one.name:32} {one.breaks}")
    killed = sum(one.killed for one in hunted)
    if as_json:
        click.echo(_json({"mutants": hunted, "killed": killed, "seeds_max": most}))
    else:
        click.echo(f"{killed} of {len(hunted)} killed within {most} seeds")
    ctx.exit(ExitCode.OK if killed == len(hunted) else ExitCode.FAILURE)


@command.command("scenarios")
@json_option
def scenarios(as_json: bool) -> None:
    """List the scenarios: storms, and cases with the bugs of Nova that they come from."""
    if as_json:
        listed: list[Scenario | Case] = [*SCENARIOS.values(), *CASES.values()]
        click.echo(_json({one.name: _listed(one) for one in listed}))
        return
    click.echo(f"{ALL:12} every storm below in turn, but the short and the quiet one")
    for scenario in SCENARIOS.values():
        click.echo(f"{scenario.name:12} {scenario.about}")
    for case in CASES.values():
        bugs = ", ".join(map(str, case.bugs))
        click.echo(f"{case.name:12} {case.title}{f' ({bugs})' if bugs else ''}")


def _listed(one: Scenario | Case) -> dict[str, object]:
    if isinstance(one, Case):
        return {"about": one.title, "bugs": one.bugs, "given": one.given, "when": one.when, "then": one.then}
    return {"about": one.about, "bugs": ()}


def _broken(mutant: str | None) -> Any:
    return nullcontext() if mutant is None else MUTANTS[mutant].at_large()


def _bar(items: range, label: str) -> Any:
    return click.progressbar(items, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def _summed(scenario: str, results: list[Result]) -> Summary:
    reached: Counter[str] = Counter()
    struck: Counter[str] = Counter()
    for result in results:
        reached.update(result.sometimes)
        struck.update(result.fault_counts)
    hashes = {result.seed: result.trace_hash for result in results}
    violated = _violated(results)
    return Summary(
        scenario=scenario,
        seeds=len(results),
        events=sum(result.events for result in results),
        faults=sum(result.faults for result in results),
        violations=sum(len(one.violations) for one in violated),
        violated=violated,
        trace_hash=results[0].trace_hash if len(results) == 1 else _hash_of(hashes),
        trace_hashes=hashes,
        sometimes=dict(sorted(reached.items())),
        fault_counts=dict(sorted(struck.items())),
        cpu_s=round(sum(result.cpu_s for result in results), 3),
    )


def _violated(results: list[Result]) -> tuple[Violated, ...]:
    return tuple(
        Violated(seed=result.seed, scenario=result.scenario, violations=result.violations)
        for result in results
        if result.violations
    )


def _hash_of(hashes: dict[int, str]) -> str:
    return hashlib.blake2b(" ".join(hashes.values()).encode(), digest_size=16).hexdigest()


def _sentence(summary: Summary) -> str:
    seeds = ", ".join(str(one.seed) for one in summary.violated)
    bad = f"violated by {len(summary.violated)}: {seeds}"
    return (
        f"{summary.seeds} seeds, {summary.events:,} events, {summary.faults:,} faults, {summary.cpu_s:.1f} s of CPU; "
        f"{bad if summary.violations else 'nothing was violated'}"
    )


def _tell(result: Result) -> None:
    for violation in result.violations:
        click.echo(f"seed {result.seed}, {result.scenario}: {violation}")


def _parted(here: Result, there: Result) -> Parting:
    return parting(here.timeline, there.timeline)


def _tell_parting(other: str, found: Parting) -> None:
    click.echo(f"\nAfter {found.common} steps of the same shape this run and {other}, go different ways:")
    for mark, lines in ((" ", found.before), ("<", found.here), (">", found.there)):
        for line in lines:
            click.echo(f"{mark} {line}")
    click.echo("")


def _json(what: object) -> str:
    return msgspec.json.encode(what).decode()
