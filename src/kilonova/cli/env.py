"""`kilonova env`: what a shell needs to use the cloud."""

import shlex
from pathlib import Path

import click
import msgspec

from kilonova.app.clouds_yaml import ACCOUNTS, FILE
from kilonova.app.config import Config
from kilonova.app.state import is_state
from kilonova.app.state_errors import StateUnusable
from kilonova.cli.options import config_options, json_option, loaded


@click.command("env")
@config_options
@click.option("--cloud", type=click.Choice(list(ACCOUNTS)), default="kilonova", help="Which cloud. [kilonova]")
@json_option
def command(file: Path | None, state: str | None, cloud: str, as_json: bool) -> None:
    """Print what a shell needs to use the cloud.

    Use it as `eval "$(kilonova env)"`.
    """
    variables = _variables(loaded(file, state=state), cloud)
    if as_json:
        click.echo(msgspec.json.encode(variables).decode())
        return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")


def _variables(config: Config, cloud: str) -> dict[str, str]:
    path = config.up.path
    if not is_state(path):
        raise StateUnusable(path=path, reason="there is none; `kilonova up` makes it")
    return {"OS_CLIENT_CONFIG_FILE": str(path / FILE), "OS_CLOUD": cloud}
