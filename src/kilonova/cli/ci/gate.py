"""`kilonova ci gate` and `kilonova ci backtest`: what may merge, and what another policy would have let merge."""

import os
from collections.abc import Mapping
from pathlib import Path

import click
import httpx
import msgspec

from kilonova.cli.ci.policies import policy_of_branch, policy_of_file, policy_option, repository_option
from kilonova.cli.health.opened import TIMEOUT_S, at_option, moment_of, told, with_archive
from kilonova.cli.options import config_options, json_option
from kilonova.cli.tables import table
from kilonova.health.ci.archive import Archive
from kilonova.health.ci.backtest import Backtest, backtest, compared
from kilonova.health.ci.desk import Desk, NoChange
from kilonova.health.ci.evaluation import LOOK_BACK_S
from kilonova.health.ci.gate import EXIT, Decision, Outcome, Reason
from kilonova.health.ci.policy import Policy
from kilonova.health.ci.posting import post
from kilonova.health.moments import duration, stamp


@click.command("gate")
@config_options
@click.argument("change", metavar="CHANGE[,PS]")
@policy_option
@repository_option
@at_option
@click.option("--post", "posting", is_flag=True, help="Tell Gerrit or GitHub, by the credentials in the environment.")
@json_option
def gate(
    file: Path | None,
    state: str | None,
    change: str,
    policy_file: Path | None,
    repository: Path,
    when: str | None,
    posting: bool,
    as_json: bool,
) -> None:
    """Tell whether a change may merge: CHANGE is HOST/NUMBER, or github.com/OWNER/REPOSITORY/NUMBER.

    Ends with code 0 to pass, 1 to fail, 2 for a command line that can't be understood, 3 to wait, 4 when something must be done
    first, 5 when too little is known. The policy is read from the branch that the change is for, never from the change.
    """
    subject, comma, number = change.partition(",")
    if comma and not number.isdecimal():
        raise click.BadParameter("a patch set is a number", param_hint="CHANGE[,PS]")
    at = moment_of(when)

    async def work(archive: Archive) -> tuple[Decision, str | None]:
        desk = Desk(archive)
        try:
            known = await desk.change(subject, at)
        except NoChange as error:
            reasons = (Reason(Outcome.UNKNOWN, error.message),)
            return Decision(subject, int(number or 0), "", stamp(at), Outcome.UNKNOWN, reasons, ""), None
        policy, text = (
            policy_of_branch(repository, known.branch) if policy_file is None else policy_of_file(policy_file)
        )
        decision = await desk.gate(subject, int(number) if comma else None, policy, text, at)
        return decision, await _posted(decision, os.environ) if posting else None

    decision, posted = with_archive(file, state, work)
    if as_json:
        told({**msgspec.to_builtins(decision), "exit_code": EXIT[decision.outcome], "posted": posted})
    else:
        click.echo(decision.line)
        for reason in decision.reasons:
            click.echo(f"  {reason.outcome:8} {reason.text}{f'  {reason.url}' if reason.url else ''}")
        if posted is not None:
            click.echo(f"posted {posted}")
    raise SystemExit(EXIT[decision.outcome])


async def _posted(decision: Decision, environment: Mapping[str, str]) -> str:
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        return await post(client, decision, environment)


@click.command("backtest")
@config_options
@click.argument("policies", metavar="POLICY [OTHER]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--over", default="180d", metavar="DURATION", help="How much of the past to go over. [180d]")
@click.option("--all", "every", is_flag=True, help="List every merge that would have been stopped.")
@at_option
@json_option
def backtest_(
    file: Path | None,
    state: str | None,
    policies: tuple[Path, ...],
    over: str,
    every: bool,
    when: str | None,
    as_json: bool,
) -> None:
    """Show what a policy would have done to the merges of the past, or two of them beside each other. Nothing is written."""
    if not 1 <= len(policies) <= 2:
        raise click.UsageError("name one policy, or two to compare")
    at = moment_of(when)
    since = at - duration(over)
    read = [policy_of_file(path)[0] for path in policies]

    async def work(archive: Archive) -> list[Backtest]:
        registry, waivers = await archive.registry(at), await archive.waivers(at)
        changes = await archive.changes(since - LOOK_BACK_S, at)
        return [backtest(policy, changes, registry, waivers, since, at) for policy in read]

    done = with_archive(file, state, work)
    if as_json:
        told({str(path): msgspec.to_builtins(one) for path, one in zip(policies, done, strict=True)})
        return
    for path, policy, one in zip(policies, read, done, strict=True):
        _show(path, policy, one, every=every)
    if len(done) == 2:
        names = (str(policies[0]), str(policies[1]))
        rows = [{"": what, **dict(zip(names, pair, strict=True))} for what, pair in compared(*done).items()]
        table(("", *names), rows)


def _show(path: Path, policy: Policy, one: Backtest, *, every: bool) -> None:
    click.echo(
        f"{path}: {one.changes} changes, of which {one.needing} need CI and {one.several} that of several features"
    )
    table(("feature", "changes"), [{"feature": name, "changes": one.features.get(name, 0)} for name in policy.features])
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in one.outcomes.items()) or "none"
    click.echo(f"merges: {one.merges}: {outcomes}")
    click.echo(f"taken back later: {one.reverted}, of which {one.reverted_stopped} would have been stopped")
    for stopped in one.stopped if every else ():
        click.echo(f"  {stopped.merged_at} {stopped.subject} {stopped.outcome}: {stopped.why}")
    for transition in one.transitions:
        click.echo(f"  {stamp(transition.at)} {transition.system} {transition.new}: {transition.reason}")
    click.echo()
