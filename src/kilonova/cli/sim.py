"""`kilonova sim`: the whole cloud in one seeded loop, run under faults and judged."""

import re
import sys
from collections import Counter

import click
import msgspec

from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.options import json_option
from kilonova.simulation.run import Result, run_seed
from kilonova.simulation.scenarios import SCENARIOS

DEFAULT = "storm"


def _seeds(_ctx: click.Context, _param: click.Parameter, value: str) -> range:
    """`A..B`: the seeds from A to B, both included; or a single one."""
    found = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a range of seeds; write 0..99, or one number.")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise click.BadParameter(f"{value!r} ends before it begins.")
    return range(first, last + 1)


scenario_option = click.option(
    "--scenario", type=click.Choice(list(SCENARIOS)), default=DEFAULT, show_default=True, help="What happens."
)


@click.group("sim")
def command() -> None:
    """Run the whole cloud in one seeded, replayable simulation."""


@command.command("run")
@click.option(
    "--seeds", callback=_seeds, metavar="A..B", default="0..99", show_default=True, help="First and last seed."
)
@scenario_option
@json_option
@click.pass_context
def run(ctx: click.Context, seeds: range, scenario: str, as_json: bool) -> None:
    """Run many seeds. Ends with code 1 when anything was violated, and names the seeds."""
    results = []
    with click.progressbar(seeds, label=scenario, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        for seed in bar:
            results.append(run_seed(seed, scenario))
            if results[-1].violations and not as_json:
                _tell(results[-1])
    summary = _summed(results)
    click.echo(msgspec.json.encode(summary).decode() if as_json else _sentence(summary))
    ctx.exit(ExitCode.FAILURE if summary.violations else ExitCode.OK)


@command.command("replay")
@click.argument("seed", type=click.IntRange(min=0))
@scenario_option
@json_option
@click.pass_context
def replay(ctx: click.Context, seed: int, scenario: str, as_json: bool) -> None:
    """Run one seed again and print what happened when."""
    result = run_seed(seed, scenario, timeline=True)
    if as_json:
        click.echo(msgspec.json.encode(result).decode())
    else:
        for line in result.timeline:
            click.echo(line)
        _tell(result)
        click.echo(f"trace {result.trace_hash}")
    ctx.exit(ExitCode.FAILURE if result.violations else ExitCode.OK)


@command.command("scenarios")
@json_option
def scenarios(as_json: bool) -> None:
    """List the scenarios."""
    about = {name: scenario.about for name, scenario in SCENARIOS.items()}
    if as_json:
        click.echo(msgspec.json.encode(about).decode())
        return
    for name, text in about.items():
        click.echo(f"{name:12} {text}")


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What came of many seeds."""

    scenario: str
    seeds: int
    events: int
    faults: int
    violations: dict[int, tuple[str, ...]]
    """By seed; seeds without any are left out."""
    trace_hash: dict[int, str]
    sometimes: dict[str, int]
    cpu_s: float


def _summed(results: list[Result]) -> Summary:
    reached: Counter[str] = Counter()
    for result in results:
        reached.update(result.sometimes)
    return Summary(
        scenario=results[0].scenario,
        seeds=len(results),
        events=sum(result.events for result in results),
        faults=sum(result.faults for result in results),
        violations={result.seed: result.violations for result in results if result.violations},
        trace_hash={result.seed: result.trace_hash for result in results},
        sometimes=dict(sorted(reached.items())),
        cpu_s=round(sum(result.cpu_s for result in results), 3),
    )


def _sentence(summary: Summary) -> str:
    bad = f"violated by {len(summary.violations)}: {', '.join(map(str, summary.violations))}"
    return (
        f"{summary.seeds} seeds, {summary.events:,} events, {summary.faults:,} faults, {summary.cpu_s:.1f} s of CPU; "
        f"{bad if summary.violations else 'nothing was violated'}"
    )


def _tell(result: Result) -> None:
    for violation in result.violations:
        click.echo(f"seed {result.seed}: {violation}")
