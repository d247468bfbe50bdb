"""`kilonova bugs stats` and `release`: how the project does, and what is fixed where."""

from pathlib import Path

import click
import msgspec

from kilonova.cli.bugs.desks import with_desk
from kilonova.cli.health.opened import at_option, moment_of, told
from kilonova.cli.options import config_options, json_option
from kilonova.cli.tables import table
from kilonova.health.bugs.measures import Measures, Times
from kilonova.health.bugs.releases import Release, markdown, release_page
from kilonova.health.bugs.service import Desk
from kilonova.health.moments import length, shown
from kilonova.health.stats import Rate


@click.command("stats")
@config_options
@click.option("--weeks", type=click.IntRange(1, 520), default=8, show_default=True, help="Weeks of flow to show.")
@at_option
@json_option
def stats(file: Path | None, state: str | None, weeks: int, when: str | None, as_json: bool) -> None:
    """Tell how long answers, triage and fixes take, what comes and goes, how old the backlog is, and what came back.

    Times are Kaplan and Meier's, so bugs that still wait count too; `-` is a share that has not come to it yet. Time in which the
    reporter owes an answer doesn't count. Rates have Wilson's interval of 95 %.
    """
    at = moment_of(when)
    found = with_desk(file, state, lambda desk: desk.measures(at, weeks))
    if as_json:
        told(msgspec.to_builtins(found))
        return
    click.echo(f"{found.bugs} bugs, {found.open} open, as of {shown(at)}")
    table(("time to", "happened", "of", "p25", "p50", "p75", "p90"), _times(found))
    click.echo(f"reopened within 90 days: {_rate(found.reopened)}")
    click.echo(f"duplicates known only after 14 days: {_rate(found.late_duplicates)}")
    rows = [{**msgspec.structs.asdict(week), "week of": shown(week.begins_at)[:10]} for week in found.weeks]
    table(("week of", "opened", "closed", "reopened", "backlog"), rows)


@click.command("release")
@config_options
@click.argument("span", metavar="A..B")
@at_option
@json_option
def release(file: Path | None, state: str | None, span: str, when: str | None, as_json: bool) -> None:
    """Write which bugs are fixed in the releases after A up to B, from the commits that were imported, as Markdown."""
    at = moment_of(when)

    async def work(desk: Desk) -> Release:
        return release_page(span, (await desk.bugs(at)).values())

    found = with_desk(file, state, work)
    if as_json:
        told(msgspec.to_builtins(found))
    else:
        click.echo(markdown(found))


def _times(found: Measures) -> list[dict[str, object]]:
    named = {"first answer": found.first_answer, "triage": found.triage, "fix or end": found.resolve}
    rows = [_time(name, times) for name, times in named.items()]
    ages = {name: length(value) for name, value in found.backlog_age_s.items()}
    return [*rows, {"time to": "age of the open", "happened": found.open, "of": found.open, **ages}]


def _time(name: str, times: Times) -> dict[str, object]:
    spans = {quantile: length(value) for quantile, value in times.quantiles_s.items()}
    return {"time to": name, "happened": times.happened, "of": times.n, **spans}


def _rate(rate: Rate) -> str:
    share = "-" if rate.value is None else f"{rate.value:.1%}"
    return f"{rate.k} of {rate.n}, {share} [{rate.low:.1%}, {rate.high:.1%}]"
