"""`kilonova serve`: one role of a cloud as a process of its own. `kilonova up` starts such processes; people don't."""

import asyncio
import logging
import os
from pathlib import Path

import click

from kilonova.cli.exit_codes import ExitCode
from kilonova.runtime.real import RealRuntime


@click.group("serve")
def command() -> None:
    """Run one role of a cloud, as `kilonova up` tells it to."""


@command.command("agent")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def agent(file: Path) -> None:
    """Run the agent of the host that FILE describes, until standard input ends."""
    from kilonova.app.host_process import host_file_read, run  # noqa: PLC0415 - only what this role needs

    with asyncio.Runner() as runner:
        works = runner.run(run(host_file_read(file), file.parent, RealRuntime()))
        logging.shutdown()
        # What a thread is still at is left half done, as by a crash: the next agent of this host waits for our lock.
        os._exit(ExitCode.OK if works else ExitCode.HYPERVISOR)
