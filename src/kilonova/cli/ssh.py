"""`kilonova ssh`: log in to a server by the port that its hypervisor opened on this machine."""

import os
from pathlib import Path

import click

from kilonova.cli.options import config_options, loaded
from kilonova.cli.running import Admin, Refused, running
from kilonova.kernel.errors import Conflict, KilonovaError, NotFound


class NoServer(NotFound):
    """There is no server '{server}'."""

    code = "no-server"


class ManyServers(Conflict):
    """{count} servers are named '{server}'; give the id of one."""

    code = "no-server"


class NoSsh(Conflict):
    """{reason}"""

    code = "no-ssh"


class NoClient(KilonovaError):
    """There is no `ssh` on this machine; install openssh-client."""

    code = "no-client"


@click.command("ssh", context_settings={"ignore_unknown_options": True})
@config_options
@click.option("-l", "--user", default="root", help="User to log in as. [root]")
@click.argument("server")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def command(file: Path | None, state: str | None, user: str, server: str, words: tuple[str, ...]) -> None:
    """Log in to SERVER, given by name or id; further words are handed on to ssh."""
    path = loaded(file, state=state).up.path
    admin = Admin(path, running(path))
    try:
        port = admin.own(f"/ssh/{_found(admin, server)}")["ssh"]["port"]
    except Refused as error:
        raise NoSsh(reason=error.details["message"]) from error
    finally:
        admin.close()
    # Every guest answers at this machine's loopback, so its host key is remembered under the server's own name.
    told = ["-p", str(port), "-o", f"HostKeyAlias=kilonova-{server}", "-o", "StrictHostKeyChecking=accept-new"]
    try:
        os.execvp("ssh", ["ssh", *told, f"{user}@127.0.0.1", *words])  # noqa: S606, S607 - the person's own ssh
    except FileNotFoundError as error:
        raise NoClient from error


def _found(admin: Admin, server: str) -> str:
    """The id of the server with this id, or else of the only one with this name."""
    servers = admin.compute("/servers/detail", all_tenants="1")["servers"]
    found = [each for each in servers if each["id"] == server] or [each for each in servers if each["name"] == server]
    if not found:
        raise NoServer(server=server)
    if len(found) > 1:
        raise ManyServers(server=server, count=len(found))
    return str(found[0]["id"])
