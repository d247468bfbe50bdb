"""`kilonova operation`: see what the cloud is doing, and help where it doesn't get on."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from kilonova.cli.options import config_options, json_option, loaded
from kilonova.cli.running import Admin, Refused, administrator
from kilonova.cli.tables import table
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.objects.operation import OperationState
from kilonova.runtime.real import RealRuntime

WATCH_EVERY_S = 2.0
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_COLUMNS = ("id", "kind", "state", "step", "where", "age", "server")


class NoOperation(NotFound):
    """{message}"""

    code = "no-operation"


class NotDone(Conflict):
    """{message}"""

    code = "not-done"


def _duration(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    """`90`, `90s`, `10m`, `2h` or `1d`, in seconds."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no span of time; write 90s, 10m, 2h or 1d.")
    return int(found[1]) * _UNITS[found[2] or "s"]


@click.group("operation")
def command() -> None:
    """See what the cloud is doing, and help where it doesn't get on."""


@command.command("list")
@config_options
@click.option("--blocked", is_flag=True, help="Only those that wait for an operator.")
@click.option("--older", callback=_duration, metavar="SPAN", help="Only those accepted so long ago, e.g. 10m.")
@click.option("--server", metavar="ID", help="Only those of this server.")
@click.option("--cell", metavar="NAME", help="Only those in this cell; `api` for servers that are in none yet.")
@click.option("--kind", metavar="KIND", help="Only those of this kind, e.g. boot.")
@click.option(
    "--in-state",
    "states",
    type=click.Choice([one.value for one in OperationState]),
    multiple=True,
    help="[the live ones]",
)
@click.option("--watch", is_flag=True, help="Look again every 2 seconds, until interrupted.")
@json_option
def list_(file: Path | None, state: str | None, watch: bool, as_json: bool, **asked: Any) -> None:
    """List operations, the oldest first: those that are live, or those in the states asked for."""
    with administrator(loaded(file, state=state).up.path) as admin:
        if not watch:
            _listed(admin, asked, as_json=as_json)
            return
        try:
            asyncio.run(_watched(lambda: _listed(admin, asked, as_json=as_json), clear=not as_json))
        except KeyboardInterrupt:
            return


@command.command("show")
@config_options
@click.argument("operation")
@json_option
def show(file: Path | None, state: str | None, operation: str, as_json: bool) -> None:
    """Show OPERATION and its log: who did what when, and what came of it."""
    with administrator(loaded(file, state=state).up.path) as admin, _worded():
        found = admin.own(f"/operations/{operation}")
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    for name, value in found["operation"].items():
        click.echo(f"{name:12} {_time(value) if name in _TIMES else value}")
    click.echo()
    rows = [
        {**event, "at": _time(event["at"]), "host": event["host"] or "", "message": event["message"] or ""}
        for event in found["events"]
    ]
    table(("at", "step", "result", "epoch", "host", "message"), rows)


def _intervention(name: str, about: str) -> None:
    """Make the command of one intervention."""

    @command.command(name, help=about)
    @config_options
    @click.argument("operation")
    @click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the operation's log.")
    @json_option
    def intervene(file: Path | None, state: str | None, operation: str, reason: str, as_json: bool) -> None:
        with administrator(loaded(file, state=state).up.path) as admin, _worded():
            after = admin.own_post(f"/operations/{operation}/{name}", {"reason": reason})["operation"]
        told = f"{after['kind']} {after['id']} is {after['state']}"
        click.echo(msgspec.json.encode(after).decode() if as_json else told)


_intervention("retry", "Let OPERATION go on now, if it waits or is blocked; its attempts count anew.")
_intervention(
    "abandon",
    "End OPERATION as if its time were over, undoing what it has done. One that is blocked fails for good: what it has done "
    "stays.",
)
_intervention(
    "supersede",
    "End OPERATION where it stands, undoing nothing, and put its server in ERROR, from where it can be deleted.",
)


@contextmanager
def _worded() -> Iterator[None]:
    """Tell a refusal in the cloud's own sentence."""
    try:
        yield
    except Refused as refused:
        family = {404: NoOperation, 409: NotDone}.get(int(str(refused.details["status"])))
        if family is None:
            raise
        raise family(message=refused.details["message"]) from refused


async def _watched(look: Callable[[], None], *, clear: bool) -> None:
    runtime = RealRuntime()
    while True:
        if clear:
            click.clear()
        look()
        await runtime.sleep(WATCH_EVERY_S)


def _listed(admin: Admin, asked: dict[str, Any], *, as_json: bool) -> None:
    states = [OperationState.BLOCKED] if asked["blocked"] else asked["states"]
    params = [("state", str(one)) for one in states]
    params += [(name, asked[name]) for name in ("server", "cell", "kind") if asked[name] is not None]
    if asked["older"] is not None:
        params.append(("older_s", str(asked["older"])))
    found = admin.own("/operations", params)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        table(_COLUMNS, [_row(one) for one in found["operations"]])
    for cell in found["unanswered"]:
        click.echo(f"note: {cell} does not answer; its operations are not listed.", err=True)


_TIMES = frozenset({"created_at", "updated_at", "not_before", "deadline", "lease_until"})


def _row(operation: dict[str, Any]) -> dict[str, Any]:
    where = operation["cell"] if operation["host"] is None else f"{operation['cell']}/{operation['host']}"
    age = f"{operation['age_s']:.0f}s"
    return {**operation, "where": where, "age": age, "server": operation["server_id"]}


def _time(value: float) -> str:
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S") if value else "-"
