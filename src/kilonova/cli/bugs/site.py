"""`kilonova bugs pages`: what the desk knows as pages to look at."""

from pathlib import Path

import click

from kilonova.cli.bugs.desks import with_desk
from kilonova.cli.health.opened import at_option, moment_of, told
from kilonova.cli.options import config_options, json_option
from kilonova.health.bugs.clocks import clocks
from kilonova.health.bugs.model import fold
from kilonova.health.bugs.pages import fixes_page, site
from kilonova.health.bugs.releases import release_page
from kilonova.health.bugs.rules import shipped
from kilonova.health.bugs.service import Desk
from kilonova.health.web.page import BASE, style

WEEKS = 26


@click.command("pages")
@config_options
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--release", "span", metavar="A..B", help="With a page on what is fixed in these releases.")
@at_option
@json_option
def pages(
    file: Path | None, state: str | None, directory: Path, span: str | None, when: str | None, as_json: bool
) -> None:
    """Write the pages into DIRECTORY, which any web server can show at /health. Private bugs are on none of them.

    The pages need no JavaScript. Duty is at bugs/, each bug at bugs/KEY, and bugs/flow and bugs/rules are what they say.
    """
    at = moment_of(when)

    async def work(desk: Desk) -> dict[str, bytes]:
        deeds = await desk.deeds(at)
        bugs = {
            key: (bug, clocks(key, done, at)) for key, done in deeds.items() if (bug := fold(key, done, at)) is not None
        }
        queue, proposals = await desk.queue(at, rules=shipped()), await desk.tidy(shipped(), at, carry_out=False)
        found = site(queue, bugs, await desk.measures(at, WEEKS), shipped(), proposals, at)
        if span is not None:
            visible = [bug for bug, _ in bugs.values() if not bug.private]
            reply = fixes_page(span, release_page(span, visible), at)
            found[f"{BASE}/bugs/release"] = bytes(reply.body)
        return found

    found = with_desk(file, state, work)
    for path, body in found.items():
        _write(directory / path.removeprefix(f"{BASE}/") / "index.html", body)
    _write(directory / "style.css", bytes(style().body))
    if as_json:
        told({"directory": str(directory), "pages": sorted(found)})
    else:
        click.echo(f"{len(found)} pages in {directory}")


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
