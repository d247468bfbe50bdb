"""`kilonova ci status`: how CI systems do, and where they stand."""

from pathlib import Path

import click

from kilonova.cli.ci.policies import policy_of_file, policy_option
from kilonova.cli.health.opened import at_option, moment_of, told, with_archive
from kilonova.cli.options import config_options, json_option
from kilonova.cli.tables import table
from kilonova.health.ci.desk import Desk, Row, row_document
from kilonova.health.ci.voting import Thresholds
from kilonova.health.moments import length, shown
from kilonova.health.stats import Rate

_COLUMNS = ("system", "state", "since", "answered", "p50", "p90", "missed", "agreement", "flakes", "silence")


@click.command("status")
@config_options
@click.argument("system", required=False)
@policy_option
@at_option
@json_option
def status(
    file: Path | None, state: str | None, system: str | None, policy_file: Path | None, when: str | None, as_json: bool
) -> None:
    """Show how each CI system did in the 30 days before, or everything about SYSTEM.

    Shares are shown as counted, with their interval of 95 %. Times are until the first verdict, by Kaplan and Meier; - is a share
    that never answers.
    """
    at = moment_of(when)
    limits = Thresholds() if policy_file is None else policy_of_file(policy_file)[0].thresholds

    async def work(desk: Desk) -> list[Row]:
        if system is not None:
            (await desk.archive.registry(at)).system(system)
        return await desk.status(at, limits)

    rows = with_archive(file, state, lambda archive: work(Desk(archive)))
    rows = [row for row in rows if system in {None, row.scored.system.name}]
    if as_json:
        told({"at": at, "systems": [row_document(row) for row in rows]})
    elif system is None:
        table(_COLUMNS, [_line(row) for row in rows])
    else:
        _whole(rows[0])


def shown_rate(rate: Rate) -> str:
    """A share with its interval."""
    if rate.value is None:
        return "0/0"
    return f"{rate.k}/{rate.n} {rate.value:.1%} [{rate.low:.1%}, {rate.high:.1%}]"


def _line(row: Row) -> dict[str, object]:
    month = row.scored.month
    return {
        "system": row.scored.system.name,
        "state": row.state,
        "since": shown(row.since),
        "answered": f"{month.answered}/{month.opportunities}",
        "p50": length(month.response.p50),
        "p90": length(month.response.p90),
        "missed": shown_rate(month.missed),
        "agreement": shown_rate(month.agreement),
        "flakes": shown_rate(month.flakes),
        "silence": f"{month.silence}{' !' if month.silent else ''}",
    }


def _whole(row: Row) -> None:
    month, system = row.scored.month, row.scored.system
    lines = {
        "system": f"{system.name}, of {system.owner}, contact {system.contact}",
        "state": f"{row.state}, since {shown(row.since)}",
        "opportunities": f"{month.opportunities}, of which {month.answered} are answered",
        "response": f"p50 {length(month.response.p50)}, p90 {length(month.response.p90)}, p95 {length(month.response.p95)}",
        "in time": f"{shown_rate(month.attained)} within {system.answer_within}",
        "missed": shown_rate(month.missed),
        "availability": shown_rate(month.availability),
        "agreement": shown_rate(month.agreement),
        "false alarms": shown_rate(month.false_alarms),
        "missed breaks": f"{shown_rate(month.missed_breaks)}, {month.unexamined} not examined",
        "excused": shown_rate(month.excused),
        "flips": shown_rate(month.flips),
        "flakes": shown_rate(month.flakes),
        "silence": f"{month.silence} in a row{', an alarm' if month.silent else ''}",
    }
    for name, value in lines.items():
        click.echo(f"{name:14} {value}")
    for one in row.lacks:
        click.echo(f"{'to rise':14} {one}")
