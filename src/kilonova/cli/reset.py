"""`kilonova reset`: remove a state directory."""

import asyncio
import shutil
from pathlib import Path

import click

from kilonova.app.hypervisor import end_guests
from kilonova.app.state import is_state, open_state
from kilonova.app.state_errors import StateUnusable
from kilonova.cli.options import config_options, loaded
from kilonova.runtime.real import RealRuntime


@click.command("reset")
@config_options
@click.option("--yes", is_flag=True, help="Don't ask.")
def command(file: Path | None, state: str | None, yes: bool) -> None:
    """Remove a state directory and all that is in it: servers, disks, images, accounts."""
    path = loaded(file, state=state).up.path
    if not is_state(path):
        raise StateUnusable(path=path, reason="there is none, so nothing is to be removed")
    runtime = RealRuntime()
    state_dir = open_state(path, runtime)
    try:
        if not yes:
            click.confirm(f"Remove {path} with every server, disk and image in it?", abort=True)
        asyncio.run(end_guests(state_dir, runtime))
        shutil.rmtree(path)
    finally:
        state_dir.close()
    click.echo(f"removed {path}")
