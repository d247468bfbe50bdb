"""`kilonova ci`: third-party CI watched, scored and enforced. One module for each group of commands."""

import click

from kilonova.cli.ci.importing import import_
from kilonova.cli.ci.registry import registry


@click.group("ci")
def command() -> None:
    """Watch, score and enforce third-party CI."""


for one in (import_, registry):
    command.add_command(one)
