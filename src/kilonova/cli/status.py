"""`kilonova status`: whether a cloud runs, where, and what it holds."""

from collections import Counter
from pathlib import Path
from typing import Any

import click
import msgspec

from kilonova.app.state import Running
from kilonova.cli.options import config_options, json_option, loaded
from kilonova.cli.running import Admin, running
from kilonova.kernel.errors import KilonovaError


@click.command("status")
@config_options
@json_option
def command(file: Path | None, state: str | None, as_json: bool) -> None:
    """Tell whether a cloud runs, where, and what it holds. Ends with code 12 when none does."""
    path = loaded(file, state=state).up.path
    found = running(path)
    report = {"url": found.url, "pid": found.pid, "state": str(path), "driver": found.driver} | _contents(path, found)
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
        return
    for name, value in report.items():
        shown = ", ".join(f"{count} {what}" for what, count in value.items()) if isinstance(value, dict) else value
        click.echo(f"{name:8} {shown or 'none'}")


def _contents(path: Path, found: Running) -> dict[str, Any]:
    """Hosts and servers by state; why not, where they can't be asked for."""
    try:
        admin = Admin(path, found)
        try:
            services = admin.compute("/os-services", binary="nova-compute")["services"]
            servers = admin.compute("/servers/detail", all_tenants="1")["servers"]
        finally:
            admin.close()
    except KilonovaError as error:
        return {"hosts": error.message, "servers": error.message}
    return {
        "hosts": dict(Counter(service["state"] for service in services)),
        "servers": dict(Counter(server["status"] for server in servers)),
    }
