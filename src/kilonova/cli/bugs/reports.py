"""`kilonova bugs open`, `set`, `duplicates`: reports, and what is already known of them."""

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from kilonova.cli.bugs.desks import with_desk
from kilonova.cli.health.opened import at_option, moment_of, told
from kilonova.cli.options import config_options, json_option
from kilonova.cli.tables import table
from kilonova.health.bugs.bundles import summary, unpacked
from kilonova.health.bugs.duplicates.index import Match
from kilonova.health.bugs.model import Bug, Deed, Importance, Status, What
from kilonova.health.bugs.service import Desk
from kilonova.health.importing import NoFile
from kilonova.runtime.real import RealRuntime

F = TypeVar("F", bound=Callable[..., Any])

LIKE = 0.25
"""From this likeness on, a known bug is shown before another like it is opened."""
SHARED_MIN = 2
"""Two reports that share a single word are not alike."""


def by_option(command: F) -> F:
    """Give a command `--by`."""
    return click.option("--by", metavar="NAME", default=getpass.getuser, help="Who does it.  [your login]")(command)


@click.command("duplicates")
@config_options
@click.argument("text", required=False)
@click.option("--bug", metavar="BUG", help="Instead of TEXT: what may a known bug be a duplicate of?")
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="Most bugs to list.")
@at_option
@json_option
def duplicates(
    file: Path | None, state: str | None, text: str | None, bug: str | None, limit: int, when: str | None, as_json: bool
) -> None:
    """Find known bugs that are like TEXT, whose first line is the title, and the words they share. `-` reads standard input."""
    if (text is None) == (bug is None):
        raise click.UsageError("Give either a TEXT or --bug.")
    at = moment_of(when)
    if text == "-":
        text = sys.stdin.read()

    async def work(desk: Desk) -> tuple[list[Match], dict[str, Bug]]:
        bugs = await desk.bugs(at)
        if text is not None:
            title, _, rest = text.partition("\n")
            return await desk.duplicates(title, rest, at, limit=limit), bugs
        key = await desk.key_of(str(bug))
        about, _ = await desk.bug(key, at)
        return await desk.duplicates(about.title, about.text, at, but=key, limit=limit), bugs

    found, bugs = with_desk(file, state, work)
    rows = [_row(match, bugs[match.key]) for match in found]
    if as_json:
        told({"at": at, "bugs": rows})
        return
    table(
        ("likeness", "bug", "status", "title", "shared"),
        [{**row, "shared": ", ".join(match.reasons)} for row, match in zip(rows, found, strict=True)],
    )


@click.command("open")
@config_options
@click.argument("title", required=False)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    help="What `kilonova report` has made; the title is taken from it if none is given.",
)
@click.option("--text", default="", help="What happened, what was expected, how to see it; `-` reads standard input.")
@click.option("--security", is_flag=True, help="It is about security: nobody but triagers sees it.")
@click.option("--known", is_flag=True, help="Open it though bugs like it are known.")
@by_option
@json_option
def open_(
    file: Path | None,
    state: str | None,
    title: str | None,
    bundle: Path | None,
    text: str,
    security: bool,
    known: bool,
    by: str,
    as_json: bool,
) -> None:
    """Open a bug here. Known bugs that are like it are shown first, and then --known opens it nevertheless."""
    if title is None and bundle is None:
        raise click.UsageError("Give a TITLE, or --bundle.")
    if text == "-":
        text = sys.stdin.read()
    if bundle is not None:
        its_title, told_by_it = summary(unpacked(_bytes(bundle), str(bundle)))
        title = title or its_title
        text = f"{text}\n\n{told_by_it}".strip()
    headed = str(title)

    async def work(desk: Desk) -> tuple[str | None, list[Match]]:
        at = RealRuntime().now()
        like = [] if known or security else await desk.duplicates(headed, text, at, limit=3)
        close = [match for match in like if match.likeness >= LIKE and len(match.reasons) >= SHARED_MIN]
        return (None if close else await desk.open(headed, text, by, security=security)), close

    key, close = with_desk(file, state, work)
    if as_json:
        told({"bug": key, "like": msgspec.to_builtins(close)})
    elif key is not None:
        click.echo(f"opened {key}")
    for match in close:
        click.echo(f"known: {match.key}, which shares: {', '.join(match.reasons)}", err=True)
    if key is None:
        click.echo("Nothing was opened. Look at these first; --known opens it nevertheless.", err=True)
        raise SystemExit(1)


@click.command("set")
@config_options
@click.argument("bug")
@click.option("--status", type=click.Choice([str(one) for one in Status]), help="Where it stands.")
@click.option("--importance", type=click.Choice([str(one) for one in Importance]), help="How much it matters.")
@click.option("--assignee", metavar="NAME", help="Who works on it; empty for nobody.")
@click.option("--team", metavar="NAME", help="Whose it is from now on; its clocks begin anew.")
@click.option("--duplicate-of", "duplicate", metavar="KEY", help="The bug that it is a duplicate of; empty for none.")
@click.option("--tags", metavar="'TAG TAG'", help="All its tags.")
@click.option("--say", "said", metavar="TEXT", help="What to answer.")
@by_option
@json_option
def set_(file: Path | None, state: str | None, bug: str, by: str, as_json: bool, **wanted: str | None) -> None:
    """Change BUG here, in the name of the project. `bugs sync` carries it to the tracker that the bug is from."""
    at = RealRuntime().now()
    deeds = [
        Deed(at, What(name), value, by, member=True, ours=True) for name, value in wanted.items() if value is not None
    ]
    if not deeds:
        raise click.UsageError("Say what to change.")

    async def work(desk: Desk) -> Bug:
        return await desk.act(await desk.key_of(bug), deeds)

    after = with_desk(file, state, work)
    if as_json:
        told({"bug": msgspec.to_builtins(after)})
    else:
        click.echo(f"{after.key} is {after.status}, {after.importance}")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NoFile(path=path, reason=error.strerror or str(error)) from error


def _row(match: Match, bug: Bug) -> dict[str, object]:
    return {
        "likeness": match.likeness,
        "bug": match.key,
        "status": str(bug.status),
        "title": bug.title,
        "shared": list(match.reasons),
    }
