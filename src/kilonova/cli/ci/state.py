"""`kilonova ci state`: decide what systems may do, lower one, read the journal."""

import getpass
from pathlib import Path

import click
import msgspec

from kilonova.cli.ci.policies import policy_of_file, policy_option
from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.health.opened import at_option, moment_of, told, with_archive
from kilonova.cli.options import config_options, json_option
from kilonova.cli.tables import table
from kilonova.health.ci.archive import Archive
from kilonova.health.ci.desk import Desk
from kilonova.health.ci.journal import Broken, Entry, broken_txn, entries_txn, last_hash_txn
from kilonova.health.ci.voting import State, Thresholds, Transition
from kilonova.health.moments import shown

_COLUMNS = ("at", "system", "from", "to", "rule", "by", "reason")
by_option = click.option("--by", default=getpass.getuser, help="Who says so. [you]")


@click.group("state")
def state_group() -> None:
    """Decide by evidence what CI systems may do, lower one by hand, and read the journal of it."""


@state_group.command("decide")
@config_options
@policy_option
@at_option
@json_option
def decide(file: Path | None, state: str | None, policy_file: Path | None, when: str | None, as_json: bool) -> None:
    """Decide on every system for each day since it was decided last. To be run once a day; more often changes nothing."""
    policy = None if policy_file is None else policy_of_file(policy_file)[0]
    limits = Thresholds() if policy is None else policy.thresholds
    named = frozenset() if policy is None else policy.named()
    made = with_archive(file, state, lambda archive: Desk(archive).decide(moment_of(when), limits, named))
    if as_json:
        told({"transitions": msgspec.to_builtins(made)})
        return
    table(_COLUMNS, [_line(one) for one in made])


@state_group.command("set")
@config_options
@click.argument("system")
@click.argument("new", metavar="STATE", type=click.Choice([str(one) for one in State]))
@click.option("--reason", required=True, help="Why.")
@by_option
@json_option
def set_(file: Path | None, state: str | None, system: str, new: str, reason: str, by: str, as_json: bool) -> None:
    """Lower SYSTEM at once, or set it to trial where it is below that. Everything higher is for evidence to decide."""
    made = with_archive(
        file, state, lambda archive: Desk(archive).lower(system, State(new), moment_of(None), by, reason)
    )
    if as_json:
        told(msgspec.to_builtins(made))
    else:
        click.echo(f"{made.system} is {made.new}; it was {made.old}")


@state_group.command("log")
@config_options
@click.argument("system", required=False)
@json_option
def log(file: Path | None, state: str | None, system: str | None, as_json: bool) -> None:
    """Show every transition and check the chain of their hashes. Ends with code 1 when it is broken."""

    async def work(archive: Archive) -> tuple[list[Entry], Broken | None, str]:
        read = archive.database.read
        return await read(entries_txn, system), await read(broken_txn), await read(last_hash_txn)

    entries, broken, last = with_archive(file, state, work)
    if as_json:
        document = {"entries": msgspec.to_builtins(entries), "broken": msgspec.to_builtins(broken), "last_hash": last}
        told(document)
    else:
        table(_COLUMNS, [_line(one.transition) for one in entries])
        click.echo(f"last hash {last}")
    if broken is not None:
        click.echo(f"broken at {broken.seq}: {broken.reason}", err=True)
        raise SystemExit(ExitCode.FAILURE)


def _line(one: Transition) -> dict[str, object]:
    return {
        "at": shown(one.at),
        "system": one.system,
        "from": one.old,
        "to": one.new,
        "rule": one.rule,
        "by": one.actor,
        "reason": one.reason,
    }
