"""`kilonova report`: what a bug report needs, in one file, without secrets."""

import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import msgspec

import kilonova
from kilonova.app.config_text import masked
from kilonova.cli.options import config_options, json_option, loaded
from kilonova.cli.running import Admin, Refused, administrator
from kilonova.health.bugs.bundles import cleaned, packed
from kilonova.kernel.errors import KilonovaError
from kilonova.objects.operation import OperationState

OPERATIONS_MAX = 20
"""Most operations of which the whole log is kept."""
_LIBRARIES = ("msgspec", "sqlalchemy", "starlette", "uvicorn", "qemu.qmp")


@click.command("report")
@config_options
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("kilonova-report.tar.gz"), show_default=True
)
@click.option("--server", metavar="ID", help="Only operations of this server.")
@click.option(
    "--flavor", metavar="NAME", help="Ask the scheduler where a server of this flavor would go, and why not elsewhere."
)
@click.option("--seed", type=int, help="The simulation's seed that shows it.")
@click.option("--show", is_flag=True, help="Print what would leave, and write nothing.")
@json_option
def command(
    file: Path | None,
    state: str | None,
    out: Path,
    server: str | None,
    flavor: str | None,
    seed: int | None,
    show: bool,
    as_json: bool,
) -> None:
    """Collect what a bug report needs: versions, configuration, hosts, operations that failed or wait, and their reasons.

    Passwords, tokens and keys are left out. Without a cloud that runs, only what can be had without one is in it.
    `kilonova bugs open --bundle FILE` opens a bug from it.
    """
    config = loaded(file, state=state)
    parts: dict[str, Any] = {"versions": _versions(), "configuration": masked(config)}
    if seed is not None:
        parts["simulation"] = {"seed": seed}
    try:
        with administrator(config.up.path) as admin:
            parts |= _of_cloud(admin, server, flavor)
    except KilonovaError as error:
        parts["cloud"] = {"not asked": error.message}
    if show:
        click.echo(msgspec.json.format(msgspec.json.encode(cleaned(parts))).decode())
        return
    data = packed(parts)
    out.write_bytes(data)
    if as_json:
        click.echo(msgspec.json.encode({"file": str(out), "bytes": len(data), "parts": sorted(parts)}).decode())
    else:
        click.echo(f"{out}: {len(data)} bytes, with {', '.join(sorted(parts))}")


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in _LIBRARIES}
    return {
        "kilonova": kilonova.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        **libraries,
    }


def _of_cloud(admin: Admin, server: str | None, flavor: str | None) -> dict[str, Any]:
    """What only the cloud knows; where it refuses, why."""
    parts: dict[str, Any] = {
        "services": _or_why(lambda: admin.compute("/os-services")),
        "operations": _or_why(lambda: _operations(admin, server)),
        "scheduler": _or_why(lambda: admin.own("/scheduler/fleet")),
    }
    if flavor is not None:
        parts["decision"] = _or_why(lambda: admin.own_post("/scheduler/explain", {"flavor": flavor, "hints": {}}))
    return parts


def _operations(admin: Admin, server: str | None) -> dict[str, Any]:
    """The operations that failed or are live, the newest last, and the logs of the last of them."""
    states = [one for one in OperationState if one.live or one is OperationState.FAILED]
    params = [("state", str(one)) for one in states] + ([("server", server)] if server else [])
    found = admin.own("/operations", params)["operations"]
    logs = {one["id"]: admin.own(f"/operations/{one['id']}")["events"] for one in found[-OPERATIONS_MAX:]}
    return {"found": found, "logs": logs}


def _or_why(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Refused as refused:
        return {"not asked": refused.message}
