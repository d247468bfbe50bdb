"""`kilonova placement`: what the cloud has and has given, and whether its books are in order."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import msgspec

from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.options import config_options, json_option, loaded
from kilonova.cli.running import Refused, administrator
from kilonova.cli.tables import table
from kilonova.kernel.errors import NotFound


class NoProvider(NotFound):
    """No provider and no host has the name or UUID {name}."""

    code = "no-provider"


@click.group("placement")
def command() -> None:
    """See what the cloud has and has given, and whether its books are in order."""


@command.command("status")
@config_options
@json_option
def status(file: Path | None, state: str | None, as_json: bool) -> None:
    """Show what is given of each resource class, by zone and by cell, and the fullest hosts."""
    found = _asked(file, state, "/placement/status")
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    columns = ("class", "providers", "capacity", "used", "percent")
    for head, name in (("zone", "zones"), ("cell", "cells")):
        table((head, *columns), [_row(one, head) for one in found[name]])
        click.echo()
    table(("all", *columns), [_row({**one, "name": "all"}, "all") for one in found["classes"]])
    click.echo()
    if found["hottest"]:
        table(("host", "cell", "zone", "class", "capacity", "used", "percent"), [_row(one) for one in found["hottest"]])
    else:
        click.echo("No host has given anything.")
    if found["unanswered"]:
        hosts = len(found["unanswered"])
        click.echo(
            f"note: {hosts} hosts are in cells that don't answer; they count as in no zone and no cell.", err=True
        )


@command.command("audit")
@config_options
@json_option
def audit(file: Path | None, state: str | None, as_json: bool) -> None:
    """Look for what should not be. Ends with code 1 when there is what must never be.

    That is consumers whose server and operations are gone, and inventories that say something else than their allocations
    add up to. Inventories that have given more than their capacity, and providers that are no host's, are told too: operators
    can make both.
    """
    found = _asked(file, state, "/placement/audit")
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        for line in _lines(found):
            click.echo(line)
    if not found["in_order"]:
        raise SystemExit(ExitCode.FAILURE)


@command.command("show")
@config_options
@click.argument("provider")
@json_option
def show(file: Path | None, state: str | None, provider: str, as_json: bool) -> None:
    """Show the tree of PROVIDER, the UUID or name of a provider or a host: what each has, is, and who holds what of it."""
    try:
        found = _asked(file, state, f"/placement/trees/{quote(provider, safe='')}")
    except Refused as refused:
        if refused.details["status"] != 404:
            raise
        raise NoProvider(name=provider) from refused
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    for one in found["tree"]:
        click.echo(f"{one['name']}  {one['uuid']}  generation {one['generation']}")
        click.echo(f"  parent      {one['parent_uuid'] or '-'}")
        click.echo(f"  traits      {' '.join(one['traits']) or '-'}")
        click.echo(f"  aggregates  {' '.join(one['aggregates']) or '-'}")
        _inventories(one["inventories"])
        for consumer in one["consumers"]:
            held = ", ".join(f"{name} {amount}" for name, amount in consumer["resources"].items())
            click.echo(f"  consumer    {consumer['consumer']}: {held}")


def _asked(file: Path | None, state: str | None, path: str) -> Any:
    with administrator(loaded(file, state=state).up.path) as admin:
        return admin.own(path)


def _row(share: dict[str, Any], head: str = "host") -> dict[str, Any]:
    return {**share, head: share.get("name", share.get(head)), "class": share["resource_class"]}


def _inventories(inventories: dict[str, Any]) -> None:
    for name, one in inventories.items():
        terms = f"total {one['total']}, reserved {one['reserved']}, ratio {one['allocation_ratio']:g}"
        click.echo(f"  inventory   {name}: {one['used']} of {one['capacity']} used ({terms})")


def _lines(found: dict[str, Any]) -> list[str]:
    """What an audit has found, a line each."""
    lines = [
        f"wrong: consumer {one['id']}, made for server {one['server_id']}, has no owner"
        for one in found["consumers_without_owner"]
    ]
    lines += [
        f"wrong: {one['resource_class']} of {one['provider']} has given {one['used'] or 0}, its allocations add up to "
        f"{one['allocated']}"
        for one in found["unbalanced"]
    ]
    lines += [
        f"note: {one['resource_class']} of {one['provider']} has given {one['used']} of {one['capacity']}"
        for one in found["beyond_capacity"]
    ]
    lines += [f"note: provider {one['name']} ({one['uuid']}) is no host's" for one in found["providers_without_host"]]
    return lines or ["All is in order."]
