"""`kilonova bugs sync` and `hit`: what was done here goes to the tracker, and what CI has met comes to the bug."""

from pathlib import Path

import click
import httpx
import msgspec

from kilonova.cli.bugs.desks import with_desk
from kilonova.cli.bugs.importing import credentials
from kilonova.cli.bugs.reports import by_option
from kilonova.cli.health.opened import TIMEOUT_S, moment_of, told
from kilonova.cli.options import config_options, json_option
from kilonova.cli.tables import table
from kilonova.health.bugs.model import Bug
from kilonova.health.bugs.service import Desk
from kilonova.health.bugs.sync import Outgoing, Request, github_request, launchpad_request
from kilonova.kernel.errors import Unavailable

APIS = {"launchpad": "https://api.launchpad.net/1.0", "github": "https://api.github.com"}


@click.command("sync")
@config_options
@click.argument("tracker", type=click.Choice(list(APIS)))
@click.option("--project", metavar="NAME", help="Of Launchpad: the project whose part of each bug is changed.")
@click.option("--api", metavar="URL", help="Where the tracker's API is, if not at its usual place.")
@click.option("--yes", is_flag=True, help="Send it. Without, nothing is sent.")
@by_option
@json_option
def sync(
    file: Path | None,
    state: str | None,
    tracker: str,
    project: str | None,
    api: str | None,
    yes: bool,
    by: str,
    as_json: bool,
) -> None:
    """Show what was done here to TRACKER's bugs and is not known there; with --yes it is sent.

    Import first. What the tracker has changed later than it was changed here is a conflict: it holds, and nothing is sent.
    """
    if tracker == "launchpad" and project is None:
        raise click.UsageError("Launchpad's bugs have a part for each project: give --project.")
    base = (api or APIS[tracker]).rstrip("/")

    async def work(desk: Desk) -> list[Outgoing]:
        found = await desk.outgoing(tracker, moment_of(None))
        if yes:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, headers=credentials(tracker)) as client:
                for one in found:
                    asked = _request(one, tracker, base, project or "")
                    if not one.conflict and asked is not None:
                        await _send(client, asked)
                        await desk.carried(one, by)
        return found

    found = with_desk(file, state, work)
    if as_json:
        told({"sent": yes, "outgoing": msgspec.to_builtins(found)})
        return
    table(("bug", "what", "here", "there", "then"), [_row(one, sent=yes) for one in found])


@click.command("hit")
@config_options
@click.argument("bug")
@click.option("--job", required=True, metavar="NAME", help="The job of CI that has failed for it.")
@click.option("--hours", type=click.FloatRange(0), required=True, help="Of CI that were lost.")
@click.option("--run", "identity", required=True, metavar="ID", help="Of the run; to tell of it again changes nothing.")
@click.option("--when", metavar="MOMENT", help="When it failed.  [now]")
@json_option
def hit(
    file: Path | None,
    state: str | None,
    bug: str,
    job: str,
    hours: float,
    identity: str,
    when: str | None,
    as_json: bool,
) -> None:
    """Note that CI has failed for BUG. What it costs brings it forward in the queue, and after its fix opens it again."""
    at = moment_of(when)

    async def work(desk: Desk) -> Bug:
        return await desk.hit(await desk.key_of(bug), job, hours, at, identity)

    after = with_desk(file, state, work)
    if as_json:
        told({"bug": msgspec.to_builtins(after)})
    else:
        why = f": {after.reopened_because}" if after.reopened_because and after.open else ""
        click.echo(f"{after.key} is {after.status} and has cost {after.hours:.1f} hours of CI{why}")


def _request(one: Outgoing, tracker: str, api: str, project: str) -> Request | None:
    return launchpad_request(one, api, project) if tracker == "launchpad" else github_request(one, api)


async def _send(client: httpx.AsyncClient, asked: Request) -> None:
    form = "ws.op" in asked.body
    try:
        answer = await client.request(
            asked.method, asked.url, data=asked.body if form else None, json=None if form else asked.body
        )
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable(service=asked.url, reason=str(error) or type(error).__name__) from error


def _row(one: Outgoing, *, sent: bool) -> dict[str, str]:
    then = "the tracker's holds" if one.conflict else ("sent" if sent else "would be sent; --yes does it")
    return {"bug": one.bug, "what": one.what, "here": one.value[:40], "there": one.theirs[:40] or "-", "then": then}
