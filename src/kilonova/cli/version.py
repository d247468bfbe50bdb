"""`kilonova version`."""

import click

import kilonova


@click.command("version")
def command() -> None:
    """Print the version."""
    click.echo(kilonova.__version__)
