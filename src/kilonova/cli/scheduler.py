"""`kilonova scheduler`: why a server finds no host, and how a day of requests would fill a fleet."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from kilonova.app.paths import PATHS
from kilonova.cli.day_plot import day_svg
from kilonova.cli.options import config_options, json_option, loaded
from kilonova.cli.running import Admin, Refused, running
from kilonova.kernel.errors import Invalid, NotFound
from kilonova.kernel.ids import is_uuid
from kilonova.scheduler.replay import FleetHost, Outcome, Request, imagined, replay

GOLDEN = 0.6180339887498949
"""Multiples of it fall evenly into [0, 1): equal hosts are taken in turn, and a replay is the same each time."""
SHOWN = 20
"""Most hosts that are printed."""


class NotThere(NotFound):
    """{message}"""

    code = "not-there"


class BadDay(Invalid):
    """{file}:{line}: {reason}"""

    code = "bad-day"


@click.group("scheduler")
def command() -> None:
    """Ask why a server finds no host, and replay a day of requests."""


@command.command("explain")
@config_options
@click.option("--flavor", required=True, metavar="NAME", help="Name or id of the flavor.")
@click.option("--image", metavar="NAME", help="Name or id of the image; without, as one that boots from a volume.")
@click.option("--group", metavar="ID", help="Id of a server group.")
@click.option("--zone", metavar="NAME", help="Availability zone.")
@click.option("--host", metavar="NAME", help="The one host asked for.")
@click.option("--project", metavar="ID", help="Whose the server would be; the administrator's if not given.")
@click.option("--hint", "hints", metavar="KEY=VALUE", multiple=True, help="A scheduler hint; may be repeated.")
@json_option
def explain(file: Path | None, state: str | None, as_json: bool, hints: tuple[str, ...], **wish: str | None) -> None:
    """Say which hosts may have a server that nobody asked for yet, and what removed the others. Nothing is claimed."""
    path = loaded(file, state=state).up.path
    admin = Admin(path, running(path))
    try:
        if wish["image"] is not None and not is_uuid(wish["image"]):
            wish["image"] = _image_id(admin, wish["image"])
        asked = {name: value for name, value in wish.items() if value is not None}
        found = admin.own_post("/scheduler/explain", {**asked, "hints": _hints(hints)})["explanation"]
    except Refused as refused:
        if refused.details["status"] != 404:
            raise
        raise NotThere(message=refused.details["message"]) from refused
    finally:
        admin.close()
    click.echo(msgspec.json.encode(found).decode() if as_json else _explained(found))


@command.command("simulate")
@config_options
@click.argument("day", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE")
@click.option("--hosts", type=click.IntRange(1, 100_000), help="Imagine so many equal hosts; else those there are.")
@click.option(
    "--size", metavar="VCPUS,MB,GB", default="64,262144,4000", show_default=True, help="What each of them can give."
)
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw fill and failures as SVG into this."
)
@json_option
def simulate(
    file: Path | None, state: str | None, day: Path, hosts: int | None, size: str, plot: Path | None, as_json: bool
) -> None:
    """Replay the requests of FILE over a fleet with the decisions that a cloud would make.

    Each line of FILE is a request as JSON: at (seconds), vcpus, memory_mb, and as wanted disk_gb, lifetime_s, zone, group (any
    name), policy. Without --hosts the fleet is that of the cloud that runs, as full as it is now.
    """
    requests = _requests(day)
    fleet = _imagined(hosts, size) if hosts is not None else _there(loaded(file, state=state).up.path)
    hidden = not sys.stderr.isatty()
    with click.progressbar(_turns(), length=len(requests), label="Replaying", file=sys.stderr, hidden=hidden) as turns:
        outcome = replay(requests, fleet, iter(turns).__next__)
    if plot is not None:
        plot.write_text(day_svg(outcome), encoding="utf-8")
    click.echo(msgspec.json.encode(outcome).decode() if as_json else _told(outcome))


def _turns() -> Iterator[float]:
    """The chance of each decision."""
    return (number * GOLDEN % 1.0 for number in itertools.count())


def _hints(texts: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"{text!r} is no KEY=VALUE.", param_hint="--hint")
        found.setdefault(key, []).append(value)
    return found


def _image_id(admin: Admin, name: str) -> str:
    found = admin.get(f"{PATHS['image']}/images", name=name)["images"]
    if len(found) != 1:
        why = "no image has this name" if not found else f"{len(found)} images have this name; give the id"
        raise NotThere(message=f"Image {name}: {why}.")
    return str(found[0]["id"])


def _explained(found: dict[str, Any]) -> str:
    lines = [f"{found['total']} {_hosts(found['total'])}"]
    width = max((len(one["constraint"]) for one in found["removed"]), default=0)
    lines += [
        f"  {one['constraint']:{width}}  removed {one['removed']} (e.g. {one['example']})" for one in found["removed"]
    ]
    fitting, names = found["fitting"], [host["name"] for host in found["hosts"][:SHOWN]]
    more = f" and {fitting - len(names)} more" if fitting > len(names) else ""
    best = f", the best first: {', '.join(names)}{more}" if names else ""
    return "\n".join([*lines, f"{fitting or 'no'} {_hosts(fitting or 2)} left{best}"])


def _hosts(count: int) -> str:
    return "host" if count == 1 else "hosts"


def _requests(day: Path) -> list[Request]:
    """The lines of the file; empty ones don't count. Raises `BadDay`."""
    found: list[Request] = []
    decode = msgspec.json.Decoder(Request).decode
    for number, line in enumerate(day.read_bytes().splitlines(), 1):
        try:
            found += [decode(line)] if line.strip() else []
        except msgspec.DecodeError as error:
            raise BadDay(file=day, line=number, reason=str(error)) from error
    return found


def _imagined(count: int, size: str) -> list[FleetHost]:
    parts = size.split(",")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{size!r} is not VCPUS,MB,GB.", param_hint="--size")
    vcpus, memory_mb, disk_gb = map(int, parts)
    return imagined(count, vcpus, memory_mb, disk_gb)


def _there(path: Path) -> list[FleetHost]:
    """The fleet of the cloud that runs. Raises `NotRunning`."""
    admin = Admin(path, running(path))
    try:
        return msgspec.convert(admin.own("/scheduler/fleet")["hosts"], list[FleetHost])
    finally:
        admin.close()


def _told(outcome: Outcome) -> str:
    fleet = f"{outcome.hosts} {_hosts(outcome.hosts)}"
    peak = ", ".join(f"{name} {part:.0%}" for name, part in outcome.peak.items())
    lines = [
        f"{outcome.requests} requests over {fleet}: {outcome.placed} placed, {outcome.refused} refused",
        f"fullest: {peak}",
    ]
    lines += [f"  {count} refused after {constraint}" for constraint, count in outcome.because.items()]
    first = outcome.first_refusal
    if first is not None:
        told = "; ".join(map(str, first.reasons)) or "there are no hosts"
        lines.append(f"first refusal: request {first.line}, at {first.at:g} s: {told}")
    return "\n".join(lines)
