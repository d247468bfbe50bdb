"""`kilonova bugs rules`: what is against bugs, and what rules would do about it."""

from pathlib import Path

import click
import msgspec

from kilonova.cli.bugs.desks import with_desk
from kilonova.cli.health.opened import at_option, moment_of, told
from kilonova.cli.options import config_options, json_option
from kilonova.cli.tables import table
from kilonova.health.bugs.rules import Proposal, rules_read, shipped
from kilonova.health.importing import NoFile


@click.command("rules")
@config_options
@click.option(
    "--rules", "path", type=click.Path(path_type=Path), help="Rules in YAML, instead of those that are shipped."
)
@click.option("--only", metavar="NAME", multiple=True, help="Only this rule; may be repeated.")
@click.option("--yes", is_flag=True, help="Do it. Without, nothing is done.")
@at_option
@json_option
def rules(
    file: Path | None,
    state: str | None,
    path: Path | None,
    only: tuple[str, ...],
    yes: bool,
    when: str | None,
    as_json: bool,
) -> None:
    """Show what is against bugs, by rule, and what would be done about it. With --yes it is done.

    A rule acts on no more than 20 bugs a day, once on each until somebody has done something to it, and never on bugs that are
    private, about security, or tagged hands-off.
    """
    if yes and when is not None:
        raise click.UsageError("What is done is done now: --yes and --at don't go together.")
    every = shipped() if path is None else rules_read(_text(path))
    unknown = set(only) - {rule.name for rule in every}
    if unknown:
        raise click.BadParameter(f"there is no rule {min(unknown)}.", param_hint="--only")
    chosen = [rule for rule in every if not only or rule.name in only]
    found = with_desk(file, state, lambda desk: desk.tidy(chosen, moment_of(when), carry_out=yes))
    if as_json:
        told({"done": yes, "proposals": msgspec.to_builtins(found)})
        return
    table(("rule", "bug", "does", "reason"), [_row(one) for one in found])
    acts = sum(_acts(one) for one in found)
    click.echo(f"{len(found)} found, {acts} {'changed' if yes else 'would be changed; --yes does it'}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NoFile(path=path, reason=str(error)) from error


def _acts(one: Proposal) -> bool:
    return bool(one.message or one.status or one.tag) and not one.held


def _row(one: Proposal) -> dict[str, str]:
    does = [f"status {one.status}"] if one.status else []
    does += [f"tag {one.tag}"] if one.tag else []
    does += ["says so"] if one.message else []
    return {**msgspec.structs.asdict(one), "does": "held" if one.held else ", ".join(does) or "points at it"}
