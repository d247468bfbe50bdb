"""`kilonova serve`: roles of a cloud as processes of their own."""

import asyncio
import logging
import os
from pathlib import Path

import click

from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.options import config_options, loaded
from kilonova.runtime.real import RealRuntime

ROLES = {
    "api": "Answer over HTTP.",
    "conductor": "Schedule servers, and audit.",
    "cell-conductor": "Carry operations out in the cells.",
    "hosts": "Serve the hosts: their agents and the hypervisor.",
}
"""The roles that share a cloud's databases, and what each does."""
PLACEMENT_STATE = "~/.local/share/kilonova-placement"
PLACEMENT_LISTEN = "127.0.0.1:8778"


@click.group("serve")
def command() -> None:
    """Run roles of a cloud as a process of their own."""


@command.command("placement")
@config_options
@click.option("--listen", metavar="HOST:PORT", help=f"Where to answer; port 0 takes a free one. [{PLACEMENT_LISTEN}]")
@click.option("--tls-cert", metavar="FILE", help="Certificate to serve HTTPS with.")
@click.option("--tls-key", metavar="FILE", help="Its private key.")
@click.option("--insecure", is_flag=True, default=None, help="Allow plain HTTP on addresses that others reach.")
def placement(file: Path | None, **up: object) -> None:
    """Serve the Placement API, with a database of its own and no other part of a cloud.

    Prints `ready URL` once it answers. Ctrl-C or SIGTERM ends it.
    """
    import uvloop  # noqa: PLC0415 - only what this role needs

    from kilonova.app.placement import run  # noqa: PLC0415

    defaults = {"state": PLACEMENT_STATE, "listen": PLACEMENT_LISTEN}
    config = loaded(file, **{key: defaults.get(key) if value is None else value for key, value in up.items()})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(config, RealRuntime(), say=click.echo))


def _role(name: str, does: str) -> None:
    """Add the command of one role, which takes further roles after its name."""

    @command.command(name, help=f"{does} Further roles may follow: one process then has all of them.")
    @click.argument("further", nargs=-1, metavar="[ROLE]...", type=click.Choice(ROLES))
    @config_options
    @click.option("--listen", metavar="HOST:PORT", help="Where the API answers; port 0 takes a free one.")
    @click.option("--driver", type=click.Choice(["auto", "qemu", "fake"]), help="Hypervisor to use.")
    @click.option("--hosts", type=int, metavar="N", help="Hypervisor hosts; QEMU hosts share this machine.")
    @click.option("--cells", type=int, metavar="N", help="Cells beside cell0.")
    @click.option("--tls-cert", metavar="FILE", help="Certificate to serve HTTPS with.")
    @click.option("--tls-key", metavar="FILE", help="Its private key.")
    @click.option("--insecure", is_flag=True, default=None, help="Allow plain HTTP on addresses that others reach.")
    def role(further: tuple[str, ...], file: Path | None, **up: object) -> None:
        import uvloop  # noqa: PLC0415 - only what these roles need

        from kilonova.app.role_process import run  # noqa: PLC0415

        config = loaded(file, **up)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(config, RealRuntime(), frozenset({name, *further}), say=click.echo))


for _name, _does in ROLES.items():
    _role(_name, _does)


@command.command("agent", hidden=True)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def agent(file: Path) -> None:
    """Run the agent of the host that FILE describes, until standard input ends. `kilonova up` starts such processes."""
    from kilonova.app.host_process import host_file_read, run  # noqa: PLC0415 - only what this role needs

    with asyncio.Runner() as runner:
        works = runner.run(run(host_file_read(file), file.parent, RealRuntime()))
        logging.shutdown()
        # What a thread is still at is left half done, as by a crash: the next agent of this host waits for our lock.
        os._exit(ExitCode.OK if works else ExitCode.HYPERVISOR)
