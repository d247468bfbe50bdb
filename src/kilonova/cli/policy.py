"""`kilonova policy`: who may do what, and why not. It reads the rules and the policy file; no cloud need run."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from kilonova.api.policies import RULES
from kilonova.app.policy import policy_of
from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.options import config_options, json_option, loaded
from kilonova.cli.tables import table
from kilonova.kernel.errors import NotFound
from kilonova.kernel.ids import ProjectId, UserId
from kilonova.objects.caller import Caller
from kilonova.web.policy import Policy, Rule
from kilonova.web.policy_reasons import Reasons

IMPLIED = {"admin": "manager", "manager": "member", "member": "reader"}
"""The role that each role brings along in the built-in identity service, as in Keystone."""
SCOPES = ("project",)
"""The scope that a token must have for every rule of the Compute API."""


class NoRule(NotFound):
    """There is no policy rule '{name}'{near}"""

    code = "no-policy-rule"


@click.group("policy")
def command() -> None:
    """See who may do what in the Compute API, and why not."""


policy_option = click.option(
    "--file", "policy_file", metavar="FILE", help="A policy file, in place of the one that is configured."
)


@command.command("show")
@config_options
@policy_option
@click.argument("rule", required=False)
@json_option
def show(file: Path | None, state: str | None, policy_file: str | None, rule: str | None, as_json: bool) -> None:
    """Show what RULE says, or what all rules say: as the policy file has it, where it has."""
    policy = _policy(file, state, policy_file)
    names = list(policy.rules) if rule is None else [_known(policy, rule)]
    told = [_told(policy, name) for name in names]
    if as_json:
        click.echo(msgspec.json.encode(told if rule is None else told[0]).decode())
    elif rule is None:
        table(("rule", "check", "origin"), told)
    else:
        for key, value in told[0].items():
            click.echo(f"{key:12}{', '.join(value) if isinstance(value, list) else value}".rstrip())


@command.command("check")
@config_options
@policy_option
@click.argument("rule")
@click.option("--role", "roles", multiple=True, metavar="NAME", help="A role of the caller; may be repeated.")
@click.option("--project", metavar="ID", help="Project of the caller's token.", default="own", show_default=True)
@click.option("--user", metavar="ID", help="The caller.", default="caller", show_default=True)
@click.option("--target", "targets", multiple=True, metavar="KEY=VALUE", help="What is acted on; may be repeated.")
@click.option("--exact", is_flag=True, help="Only the roles that are named: none is implied by another.")
@json_option
def check(
    file: Path | None,
    state: str | None,
    policy_file: str | None,
    rule: str,
    roles: tuple[str, ...],
    project: str,
    user: str,
    targets: tuple[str, ...],
    exact: bool,
    as_json: bool,
) -> None:
    """Say whether a caller may do what RULE guards, and if not, which parts of it fail. Ends with code 1 when not.

    Without --target it is something of the caller's own project and user.
    """
    policy = _policy(file, state, policy_file)
    caller = Caller(
        user_id=UserId(user),
        user_name=user,
        project_id=ProjectId(project),
        roles=roles if exact else tuple(_with_implied(roles)),
    )
    target: dict[str, object] = {"project_id": project, "user_id": user, **dict(map(_pair, targets))}
    reasons = Reasons(policy, caller, target).lines(_known(policy, rule))
    if as_json:
        told = {"rule": rule, "allowed": not reasons, "roles": caller.roles, "target": target, "reasons": reasons}
        click.echo(msgspec.json.encode(told).decode())
    else:
        click.echo(f"{'refused' if reasons else 'allowed'}: {rule} is {policy.text(rule) or '@'}")
        for line in reasons:
            click.echo(f"  {line}")
    if reasons:
        raise SystemExit(ExitCode.FAILURE)


@command.command("sample")
def sample() -> None:
    """Print a policy file with every rule and its default, all of them behind `#`."""
    for line in _sample():
        click.echo(line)


def _sample() -> Iterator[str]:
    yield "# Rules of the Compute API and their defaults. Take the # away from a rule to change it: [compute] policy_file."
    for rule in RULES:
        yield ""
        if rule.description:
            yield f"# {rule.description}"
        yield f'#"{rule.name}": "{rule.check}"'


def _policy(file: Path | None, state: str | None, policy_file: str | None) -> Policy:
    return policy_of(policy_file or loaded(file, state=state).compute.policy_file)


def _known(policy: Policy, name: str) -> str:
    """`name`, a rule. Raises `NoRule`."""
    try:
        policy.text(name)
    except KeyError:
        near = difflib.get_close_matches(name, policy.rules, n=1, cutoff=0.5)
        raise NoRule(name=name, near=f"; did you mean '{near[0]}'?" if near else ".") from None
    return name


def _told(policy: Policy, name: str) -> dict[str, Any]:
    rule: Rule = policy.rules[name] if name in policy.rules else Rule(name, "", "a rule of the policy file's own")
    now = policy.text(name)
    return {
        "rule": name,
        "check": now or "@",
        "default": rule.check,
        "origin": "default" if now == rule.check else "policy file",
        "operations": rule.description.split(", ") if rule.description else [],
        "scopes": list(SCOPES),
    }


def _with_implied(roles: tuple[str, ...]) -> Iterator[str]:
    for role in roles:
        at: str | None = role
        while at is not None:
            yield at
            at = IMPLIED.get(at)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"'{text}' is not KEY=VALUE", param_hint="--target")
    return key, value
