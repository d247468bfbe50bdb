"""`kilonova api`: the Compute API's microversions as documents, without a cloud."""

import click
import msgspec

from kilonova.api.changes import Kind, Told, between
from kilonova.api.openapi import Documents
from kilonova.api.service import described
from kilonova.cli.options import json_option

_HEADS = {
    Kind.SHAPE: "What bodies and queries hold",
    Kind.ROUTE: "Which routes there are",
    Kind.BEHAVIOUR: "What happens",
}


@click.group("api")
def command() -> None:
    """Tell what the Compute API is at a microversion, and what changes between two."""


@command.command("openapi")
@click.option("--version", "label", metavar="2.N", help="The microversion; the newest if not given.")
def openapi(label: str | None) -> None:
    """Print the OpenAPI 3.1 document of a microversion."""
    documents = Documents(described())
    click.echo(documents.encoded(label or documents.line.labels[-1])[0])


@command.command("changes")
@click.option("--from", "start", required=True, metavar="2.N", help="The microversion that a client has.")
@click.option("--to", "end", metavar="2.N", help="The one that it goes to; the newest if not given.")
@json_option
def changes(start: str, end: str | None, as_json: bool) -> None:
    """Say what a client must know that goes from one microversion to a newer one."""
    documents = Documents(described())
    told = between(documents, start, end or documents.line.labels[-1])
    if as_json:
        click.echo(msgspec.json.encode(told))
        return
    for kind, head in _HEADS.items():
        _group(head, [one for one in told if one.kind is kind])


def _group(head: str, told: list[Told]) -> None:
    if told:
        click.echo(f"{head}:")
        for one in told:
            click.echo(f"  {one.version:<6} {one.text}")
        click.echo()
