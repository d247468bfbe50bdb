"""`kilonova health`: the pages of project health."""

import asyncio
from pathlib import Path

import click

from kilonova.cli.options import config_options, loaded
from kilonova.runtime.real import RealRuntime

LISTEN = "127.0.0.1:8790"


@click.group("health")
def command() -> None:
    """Show the health of a project: its third-party CI and its bugs."""


@command.command("serve")
@config_options
@click.option(
    "--listen", metavar="HOST:PORT", help=f"Where to answer, on this machine only; port 0 takes a free one. [{LISTEN}]"
)
def serve(file: Path | None, state: str | None, listen: str | None) -> None:
    """Serve the pages of project health below /health, to be read on this machine.

    Prints `ready URL` once it answers. Ctrl-C or SIGTERM ends it. A cloud may run on the same state directory.
    """
    from kilonova.app.health import health_serve  # noqa: PLC0415 - only what this command needs

    config = loaded(file, state=state, listen=listen or LISTEN)
    asyncio.run(health_serve(config, RealRuntime(), say=click.echo))
