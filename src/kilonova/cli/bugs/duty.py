"""`kilonova bugs queue`, `show`, `note`: what is to be done next, one bug, and what to hand over."""

from pathlib import Path

import click
import msgspec

from kilonova.cli.bugs.desks import with_desk
from kilonova.cli.health.opened import at_option, moment_of, told
from kilonova.cli.options import config_options, json_option
from kilonova.cli.tables import table
from kilonova.health.bugs.clocks import Clock
from kilonova.health.bugs.model import Bug, Deed, What
from kilonova.health.bugs.queue import Entry, handed_over
from kilonova.health.bugs.rules import shipped
from kilonova.health.bugs.service import Desk
from kilonova.health.moments import duration, length, shown

DEEDS_SHOWN = 20
"""Most of what was done to a bug that `show` prints."""
TITLE_SHOWN = 60
"""Most letters of a title in a table."""


@click.command("queue")
@config_options
@click.option("--of", "triagers", metavar="NAME,NAME", help="Share the queue: each bug is in the part of one of these.")
@click.option("--me", metavar="NAME", help="Only the part of this one.")
@click.option("--limit", type=click.IntRange(1), default=25, show_default=True, help="Most bugs to list.")
@at_option
@json_option
def queue(
    file: Path | None,
    state: str | None,
    triagers: str | None,
    me: str | None,
    limit: int,
    when: str | None,
    as_json: bool,
) -> None:
    """List what needs somebody, what breaks a promise next first. Where nothing is owed, what the rules point at."""
    at = moment_of(when)
    names = [name for name in (triagers or "").split(",") if name]
    if me is not None and me not in names:
        raise click.BadParameter(f"{me} is none of those in --of.", param_hint="--me")
    found = with_desk(file, state, lambda desk: desk.queue(at, names, shipped()))
    mine = [entry for entry in found if me is None or entry.triager == me]
    if as_json:
        told({"at": at, "total": len(mine), "bugs": msgspec.to_builtins(mine[:limit])})
        return
    columns = ("bug", "due", "importance", "status", "reason", "title", *(("triager",) if names else ()))
    table(columns, [_row(entry) for entry in mine[:limit]])
    broken = sum(entry.broken for entry in mine)
    click.echo(f"{len(mine)} bugs wait, {broken} promises are broken")


@click.command("show")
@config_options
@click.argument("bug")
@at_option
@json_option
def show(file: Path | None, state: str | None, bug: str, when: str | None, as_json: bool) -> None:
    """Show BUG: how it stands, what is owed for it, and what was done to it. BUG is a key, or a number that is one's alone."""
    at = moment_of(when)

    async def work(desk: Desk) -> tuple[Bug, list[Clock]]:
        return await desk.bug(await desk.key_of(bug), at)

    found, clocks = with_desk(file, state, work)
    if as_json:
        told({"at": at, "bug": msgspec.to_builtins(found), "clocks": msgspec.to_builtins(clocks)})
        return
    click.echo(f"{found.key}  {found.title or '(known only from commits)'}")
    for name, value in _facts(found).items():
        click.echo(f"  {name:12} {value}")
    if clocks:
        click.echo()
        table(("promise", "state", "due", "spent", "allowed", "owner"), [_clock_row(clock) for clock in clocks])
    click.echo()
    table(("at", "by", "what", "value"), [_deed_row(deed) for deed in found.deeds[-DEEDS_SHOWN:]])


@click.command("note")
@config_options
@click.option("--since", default="24h", show_default=True, metavar="SPAN", help="How long the duty was.")
@at_option
@json_option
def note(file: Path | None, state: str | None, since: str, when: str | None, as_json: bool) -> None:
    """Write the note for whoever has the duty next: what was dealt with, what is broken, what breaks within a day."""
    at = moment_of(when)
    begun = at - duration(since)

    async def work(desk: Desk) -> tuple[list[Entry], list[Entry]]:
        return await desk.queue(begun), await desk.queue(at)

    text = handed_over(*with_desk(file, state, work), at)
    if as_json:
        told({"at": at, "since": begun, "note": text})
    else:
        click.echo(text)


def _row(entry: Entry) -> dict[str, object]:
    title = entry.title if len(entry.title) <= TITLE_SHOWN else f"{entry.title[: TITLE_SHOWN - 3]}..."
    return {**msgspec.structs.asdict(entry), "title": title, "due": shown(entry.due_at)}


def _facts(bug: Bug) -> dict[str, str]:
    told = {
        "status": f"{bug.status}, since {shown(bug.status_at)}",
        "importance": str(bug.importance),
        "reporter": bug.reporter,
        "opened": shown(bug.opened_at),
        "assignee": bug.assignee,
        "team": bug.team,
        "tags": " ".join(sorted(bug.tags)),
        "duplicate of": bug.duplicate_of,
        "reopened": bug.reopened_because if bug.open else "",
        "cost": f"{bug.hours:.1f} hours of CI" if bug.hours else "",
        "fixed in": " ".join(sorted({one.release for one in bug.commits if one.release})),
    }
    return {name: value for name, value in told.items() if value}


def _clock_row(clock: Clock) -> dict[str, str]:
    return {
        "promise": clock.promise,
        "state": clock.state,
        "due": shown(clock.due_at),
        "spent": length(clock.spent_s),
        "allowed": length(clock.allowance_s),
        "owner": clock.owner or "-",
    }


def _deed_row(deed: Deed) -> dict[str, str]:
    value = deed.value.partition("\n")[0][:TITLE_SHOWN]
    if deed.what is What.COMMIT:
        value = f"{deed.link} {value[:12]} {deed.value.partition(' ')[2][:TITLE_SHOWN]}"
    return {"at": shown(deed.at), "by": deed.by or "-", "what": deed.what, "value": value}
