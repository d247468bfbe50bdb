"""`kilonova ci waiver` and `kilonova ci label`: what people add to the evidence."""

from pathlib import Path

import click
import msgspec

from kilonova.cli.ci.state import by_option
from kilonova.cli.health.opened import at_option, moment_of, told, with_archive
from kilonova.cli.options import config_options, json_option
from kilonova.cli.tables import table
from kilonova.health.ci.desk import Desk
from kilonova.health.ci.facts import EVERYTHING, Label, Labelled, Waived
from kilonova.health.moments import duration, shown
from kilonova.runtime.real import RealRuntime


@click.group("waiver")
def waiver() -> None:
    """Let changes pass without a CI, for a while, with a name and a reason."""


@waiver.command("add")
@config_options
@click.argument("system")
@click.option("--for", "lasting", required=True, metavar="DURATION", help="How long it holds, such as 3d; 30d at most.")
@click.option("--reason", required=True, help="Why.")
@click.option("--change", help="For this change only, HOST/NUMBER.")
@by_option
@json_option
def add(
    file: Path | None,
    state: str | None,
    system: str,
    lasting: str,
    reason: str,
    change: str | None,
    by: str,
    as_json: bool,
) -> None:
    """Let changes pass without SYSTEM until the waiver expires."""
    now = moment_of(None)
    waived = Waived(RealRuntime().uuid()[:8], system, reason, by, now + duration(lasting))
    with_archive(file, state, lambda archive: Desk(archive).waive(waived, now, change or EVERYTHING))
    if as_json:
        told(msgspec.to_builtins(waived))
    else:
        click.echo(f"waiver {waived.id}: {system} until {shown(waived.until)}")


@waiver.command("list")
@config_options
@at_option
@json_option
def list_(file: Path | None, state: str | None, when: str | None, as_json: bool) -> None:
    """List the waivers, those that have ended too."""
    at = moment_of(when)
    found = with_archive(file, state, lambda archive: archive.waivers(at))
    if as_json:
        told({"waivers": [{**msgspec.to_builtins(one), "holds": one.holds(at)} for one in found]})
        return
    rows = [
        {
            "id": one.waived.id,
            "system": one.waived.system,
            "change": one.subject,
            "until": shown(one.waived.until),
            "holds": "yes" if one.holds(at) else "no",
            "by": one.waived.by,
            "reason": one.waived.reason,
        }
        for one in found
    ]
    table(("id", "system", "change", "until", "holds", "by", "reason"), rows)


@waiver.command("end")
@config_options
@click.argument("waiver_id", metavar="ID")
@by_option
def end(file: Path | None, state: str | None, waiver_id: str, by: str) -> None:
    """End a waiver before its time."""
    with_archive(file, state, lambda archive: Desk(archive).waiver_end(waiver_id, by, moment_of(None)))
    click.echo(f"waiver {waiver_id} has ended")


@click.command("label")
@config_options
@click.argument("system")
@click.argument("change", metavar="CHANGE,PS")
@click.argument("word", metavar="LABEL", type=click.Choice([str(one) for one in Label]))
@click.option("--note", default="", help="What was seen.")
@by_option
def label(file: Path | None, state: str | None, system: str, change: str, word: str, note: str, by: str) -> None:
    """Say what SYSTEM's last verdict on a patch set was: correct, false_alarm, missed_break, infra or excused."""
    subject, _, number = change.partition(",")
    if not number.isdecimal():
        raise click.BadParameter("name the patch set too: HOST/NUMBER,PS", param_hint="CHANGE,PS")
    said = Labelled(system, int(number), Label(word), by, note)
    with_archive(file, state, lambda archive: Desk(archive).label(subject, said, moment_of(None)))
    click.echo(f"{system} on {change}: {word}")
