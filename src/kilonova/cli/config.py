"""`kilonova config`: the configuration in force."""

from pathlib import Path

import click
import msgspec

from kilonova.app.config_text import masked, toml
from kilonova.cli.options import config_options, json_option, loaded


@click.group("config")
def command() -> None:
    """Show the configuration in force."""


@command.command("show")
@config_options
@json_option
def show(file: Path | None, state: str | None, as_json: bool) -> None:
    """Print every setting as it is after file, environment and flags; secrets are masked."""
    config = loaded(file, state=state)
    click.echo(msgspec.json.encode(masked(config)).decode() if as_json else toml(config), nl=as_json)
