"""`kilonova ci registry`: which CI systems there are, and what they have promised."""

from pathlib import Path

import click
import msgspec

from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.health.opened import at_option, moment_of, told, with_archive
from kilonova.cli.options import config_options, json_option
from kilonova.cli.tables import table
from kilonova.health.ci.driverlog import systems_of
from kilonova.health.ci.registry import Problem, Registry, registry_read, registry_write
from kilonova.health.importing import NoFile


@click.group("registry")
def registry() -> None:
    """Which CI systems there are, whom they belong to, what they cover and how they are read."""


form_option = click.option(
    "--form", type=click.Choice(["kilonova", "driverlog"]), default="kilonova", help="What the file is written in."
)


@registry.command("check")
@click.argument("path", type=click.Path(path_type=Path))
@form_option
@json_option
def check(path: Path, form: str, as_json: bool) -> None:
    """Check that every entry of a registry can be read and reads its own examples. Ends with code 1 when one doesn't."""
    found, problems = registry_read(_text(path, form))
    _show(found, problems, as_json=as_json)
    if problems:
        raise SystemExit(ExitCode.FAILURE)


@registry.command("import")
@config_options
@click.argument("path", type=click.Path(path_type=Path))
@form_option
@click.option("--skip-refused", is_flag=True, help="Take the sound entries where others are refused.")
@at_option
@json_option
def take(
    file: Path | None, state: str | None, path: Path, form: str, skip_refused: bool, when: str | None, as_json: bool
) -> None:
    """Put a registry in force, in place of the one that is. Nothing is taken when an entry is refused.

    The one before stays known: commands with --at go by the one of that moment.
    """
    text = _text(path, form)
    found, problems = registry_read(text)
    _show(found, problems, as_json=as_json)
    if problems and not skip_refused:
        raise SystemExit(ExitCode.FAILURE)
    kept = registry_write(found.systems) if problems else text
    with_archive(file, state, lambda archive: archive.registry_set(kept, moment_of(when)))


@registry.command("show")
@config_options
@at_option
@json_option
def show(file: Path | None, state: str | None, when: str | None, as_json: bool) -> None:
    """Show the registry in force."""
    found = with_archive(file, state, lambda archive: archive.registry(moment_of(when)))
    _show(found, (), as_json=as_json)


def _text(path: Path, form: str) -> str:
    try:
        content = path.read_bytes()
        return registry_write(systems_of(content)) if form == "driverlog" else content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise NoFile(path=path, reason=getattr(error, "strerror", None) or str(error)) from error


def _show(found: Registry, problems: tuple[Problem, ...], *, as_json: bool) -> None:
    if as_json:
        told({"systems": msgspec.to_builtins(found.systems), "refused": msgspec.to_builtins(problems)})
        return
    rows = [
        {
            "name": one.name,
            "owner": one.owner,
            "accounts": " ".join(one.accounts),
            "projects": " ".join(sorted({cover.project for cover in one.covers})),
            "answers within": one.answer_within,
        }
        for one in found.systems
    ]
    table(("name", "owner", "accounts", "projects", "answers within"), rows)
    for problem in problems:
        click.echo(f"refused: {problem.entry}: {problem.reason}", err=True)
