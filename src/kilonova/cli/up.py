"""`kilonova up`: a whole cloud in the foreground."""

import asyncio
from pathlib import Path

import click
import uvloop

from kilonova.app.run import run
from kilonova.cli.options import config_options, loaded
from kilonova.runtime.real import RealRuntime


@click.command("up")
@config_options
@click.option("--listen", metavar="HOST:PORT", help="Where to answer; port 0 takes a free one. [127.0.0.1:8774]")
@click.option("--driver", type=click.Choice(["auto", "qemu", "fake"]), help="Hypervisor to use.")
@click.option("--hosts", type=int, metavar="N", help="Hypervisor hosts; QEMU hosts share this machine.")
@click.option("--cells", type=int, metavar="N", help="Cells beside cell0.")
@click.option("--tls-cert", metavar="FILE", help="Certificate to serve HTTPS with.")
@click.option("--tls-key", metavar="FILE", help="Its private key.")
@click.option("--insecure", is_flag=True, default=None, help="Allow plain HTTP on addresses that others reach.")
def command(file: Path | None, **up: object) -> None:
    """Start a cloud and stay in the foreground.

    Prints `ready URL` once it answers. Ctrl-C or SIGTERM ends it; its servers run on and are found again.
    """
    config = loaded(file, **up)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(config, RealRuntime(), say=_say, note=_note))


def _say(line: str) -> None:
    click.echo(line)


def _note(sentence: str) -> None:
    click.echo(f"note: {sentence}", err=True)
