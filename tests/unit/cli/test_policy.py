"""`kilonova policy`: rules shown, callers judged, a file to begin with."""

import json

import pytest
from click.testing import CliRunner

from kilonova.api.policies import RULES
from kilonova.app.policy import policy_of
from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.main import main

CREATE = "os_compute_api:servers:create"


def policy(*words: object):
    return CliRunner().invoke(main, ["policy", *map(str, words)])


def test_show__one_and_all(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text(f'"{CREATE}": "role:builder"\n')
    told = json.loads(policy("show", CREATE, "--file", file, "--json").stdout)
    assert told == {
        "rule": CREATE,
        "check": "role:builder",
        "default": "rule:project_member_or_admin",
        "origin": "policy file",
        "operations": ["POST /servers"],
        "scopes": ["project"],
    }
    assert len(policy("show").stdout.splitlines()) == len(RULES) + 1
    assert "POST /servers" in policy("show", CREATE).stdout


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["--role", "member"], True),
        (["--role", "manager"], True),
        (["--role", "manager", "--exact"], False),
        (["--role", "reader"], False),
        (["--role", "member", "--target", "project_id=other"], False),
        (["--role", "admin", "--target", "project_id=other"], True),
    ],
)
def test_check__says_whether_and_ends_so(words, allowed):
    done = policy("check", CREATE, *words)
    assert (done.exit_code, done.stdout.split(":")[0]) == ((0, "allowed") if allowed else (1, "refused"))
    assert json.loads(policy("check", CREATE, *words, "--json").stdout)["allowed"] == allowed


def test_check__refused__the_smallest_part_that_fails_is_last():
    assert "role:member is not among the caller's roles: reader" in policy("check", CREATE, "--role", "reader").stdout


def test_rule__unknown__the_nearest_is_named():
    done = policy("check", "os_compute_api:servers:creat")
    assert done.exit_code == ExitCode.NOT_THERE
    assert f"did you mean '{CREATE}'?" in done.stderr


def test_sample__without_its_marks__is_the_defaults(tmp_path):
    file = tmp_path / "policy.yaml"
    lines = policy("sample").stdout.splitlines()
    file.write_text("\n".join(line.removeprefix("#") if line.startswith('#"') else line for line in lines))
    sampled = policy_of(str(file))
    assert all(sampled.text(rule.name) == rule.check for rule in RULES)
