"""`kilonova stop`: end the cloud that runs on a state directory."""

import asyncio
import os
import signal
from pathlib import Path

import click

from kilonova.app.state import is_in_use
from kilonova.cli.options import config_options, loaded
from kilonova.cli.running import running
from kilonova.kernel.errors import KilonovaError
from kilonova.runtime.real import RealRuntime

PATIENCE_S = 60.0
POLL_S = 0.05


class WontStop(KilonovaError):
    """Process {pid} did not end within {seconds:.0f} seconds; look into {log}, or end it with `kill -9 {pid}`.

    Nothing is lost by that: what was under way goes on at the next start.
    """

    code = "wont-stop"


@click.command("stop")
@config_options
def command(file: Path | None, state: str | None) -> None:
    """Stop the cloud; its servers run on and are found again by the next `kilonova up`."""
    path = loaded(file, state=state).up.path
    found = running(path)
    os.kill(found.pid, signal.SIGTERM)
    asyncio.run(_wait_until_free(path, found.pid))
    click.echo("stopped")


async def _wait_until_free(path: Path, pid: int) -> None:
    runtime = RealRuntime()
    deadline = runtime.monotonic() + PATIENCE_S
    while is_in_use(path):
        if runtime.monotonic() > deadline:
            raise WontStop(pid=pid, seconds=PATIENCE_S, log=path / "log" / "kilonova.log")
        await runtime.sleep(POLL_S)
