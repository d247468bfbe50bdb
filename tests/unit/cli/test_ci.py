"""`kilonova ci` from a file of events to the gate's exit code, as a person types it; and the examples that ship with it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from kilonova.cli.main import main
from unit.health.ci.documents import HOST, HOUR, REGISTRY, T0, change_info, ci_comment

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples" / "ci-gate"
POLICY = (EXAMPLES / "ci-policy.yaml").read_text()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "registry.yaml").write_text(REGISTRY)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "changes.json").write_text(json.dumps([change_info(1)]))
    (tmp_path / "events.jsonl").write_bytes(ci_comment(1, "SUCCESS", T0 + HOUR))
    return tmp_path


def ci(state: Path, *words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["ci", *words, "--state", str(state / "state")], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def furnished(state: Path) -> None:
    ci(state, "registry", "import", str(state / "registry.yaml"), "--at", str(T0 - 1))
    ci(state, "import", "gerrit", str(state / "changes.json"), "--host", HOST)
    ci(state, "import", "gerrit-events", str(state / "events.jsonl"))


def gate(state: Path, *words: str, at: float, code: int) -> dict[str, object]:
    policy = () if "--repository" in words else ("--policy", str(state / "policy.yaml"))
    return json.loads(ci(state, "gate", f"{HOST}/1", *policy, *words, "--at", str(at), "--json", code=code).stdout)


def test_gate__ci_without_a_vote__is_blocked_until_a_waiver(state: Path) -> None:
    furnished(state)
    told = gate(state, at=T0 + HOUR, code=4)
    assert any("acme is proposed" in one["text"] for one in told["reasons"])
    ci(state, "gate", f"{HOST}/9", "--policy", str(state / "policy.yaml"), code=5)
    ci(state, "gate", f"{HOST}/1", "--policy", str(state / "policy.yaml"), code=5)
    ci(state, "gate", f"{HOST}/1,x", code=2)


def test_gate__policy_of_the_target_branch__not_of_what_lies_in_the_clone(state: Path) -> None:
    furnished(state)
    clone = state / "clone"
    clone.mkdir()
    git = ["git", "-C", str(clone), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "init", "-q", "-b", "master"], check=True)
    (clone / "ci-policy.yaml").write_text(POLICY)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "Policy"], check=True)
    (clone / "ci-policy.yaml").write_text("version: 1\n")
    assert gate(state, "--repository", str(clone), at=T0 + HOUR, code=4)["outcome"] == "blocked"


def test_status__as_table_and_json__same_numbers(state: Path) -> None:
    furnished(state)
    at = str(T0 + 2 * HOUR)
    (acme, _) = json.loads(ci(state, "status", "--at", at, "--json").stdout)["systems"]
    assert (acme["name"], acme["month"]["answered"], acme["state"]) == ("acme", 1, "proposed")
    assert "1/1 100.0%" in ci(state, "status", "acme", "--at", at).stdout
    assert "acme" in ci(state, "status", "--at", at).stdout
    ci(state, "status", "nobody", code=13)


def test_state__decided_lowered_and_read(state: Path) -> None:
    furnished(state)
    ci(state, "state", "decide", "--at", str(T0 + 2 * 86400))
    ci(state, "state", "set", "acme", "voting", "--reason", "please", code=14)
    ci(state, "state", "set", "acme", "suspended", "--reason", "it lies", "--by", "lead")
    told = json.loads(ci(state, "state", "log", "acme", "--json").stdout)
    assert [one["transition"]["new"] for one in told["entries"]] == ["trial", "suspended"]
    assert told["broken"] is None


def test_waiver__added_listed_and_ended(state: Path) -> None:
    furnished(state)
    ci(state, "waiver", "add", "acme", "--for", "3d", "--reason", "lab moved", "--by", "lead")
    (one,) = json.loads(ci(state, "waiver", "list", "--json").stdout)["waivers"]
    assert one["holds"] is True
    ci(state, "waiver", "end", one["waived"]["id"])
    assert "no     " in ci(state, "waiver", "list").stdout
    ci(state, "waiver", "add", "acme", "--for", "90d", "--reason", "x", code=2)
    ci(state, "waiver", "end", "nothing", code=13)


def test_label__of_a_verdict__is_kept(state: Path) -> None:
    furnished(state)
    ci(state, "label", "acme", f"{HOST}/1,1", "false_alarm", "--note", "their lab")
    ci(state, "label", "acme", f"{HOST}/1", "false_alarm", code=2)
    ci(state, "label", "acme", f"{HOST}/2,1", "false_alarm", code=13)


def test_backtest__two_policies__side_by_side(state: Path) -> None:
    furnished(state)
    (state / "none.yaml").write_text("version: 1\n")
    paths = (str(state / "policy.yaml"), str(state / "none.yaml"))
    told = ci(state, "backtest", *paths, "--at", str(T0 + 86400), "--over", "7d").stdout
    assert "changes that need CI" in told


def test_import__what_cant_be_read__ends_with_1_and_keeps_the_rest(state: Path) -> None:
    (state / "bad.jsonl").write_bytes(b"nonsense\n" + ci_comment(2, "SUCCESS", T0))
    told = json.loads(ci(state, "import", "gerrit-events", str(state / "bad.jsonl"), "--json", code=1).stdout)
    assert (told["new"], told["refused"]) == (1, 1)
    ci(state, "import", "gerrit-events", str(state / "missing.jsonl"), code=2)
    ci(state, "import", "gerrit", str(state / "changes.json"), code=2)


def test_import__from_a_pipe__like_from_a_file(state: Path) -> None:
    words = ["ci", "import", "gerrit-events", "-", "--state", str(state / "state")]
    environment = {**os.environ, "HOME": str(state)}
    done = subprocess.run(
        [sys.executable, "-m", "kilonova.cli", *words],
        input=ci_comment(3, "SUCCESS", T0),
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.stdout.startswith(b"1 new"), done.stderr


def test_examples__registry_and_policy__can_be_used(state: Path) -> None:
    ci(state, "registry", "show")
    done = CliRunner().invoke(main, ["ci", "registry", "check", str(EXAMPLES / "ci-registry.yaml")])
    assert done.exit_code == 0
    for name in ("github-action.yaml", "zuul-job.yaml", "gate.yaml"):
        assert yaml.safe_load((EXAMPLES / name).read_text())


def test_signatures__run_whose_log_speaks_of_a_fixed_bug__opens_it_again_and_counts_once(state: Path) -> None:
    words = ["--state", str(state / "state")]

    def bugs(*asked: str) -> Result:
        return CliRunner().invoke(main, ["bugs", *asked, *words], catch_exceptions=False)

    bugs("open", "Boot fails now and then", "--by", "rosa")
    bugs("set", "own/1", "--status", "Fix Released", "--by", "core")
    folder = state / "queries"
    folder.mkdir()
    (folder / "1.yaml").write_text("query: 'message:\"boot timed out\"'")
    (folder / "9.yaml").write_text("query: 'message:\"boot timed out\"'")
    (state / "console.txt").write_text("fine\nboot timed out\n")
    ci(state, "signatures", "import", str(folder))
    for _ in range(2):
        noted = ci(
            state, "signatures", "match", str(state / "console.txt"), "--run", "r1", "--hours", "3", "--json"
        ).stdout
        assert json.loads(noted)["noted"] == ["own/1"]
    shown = json.loads(bugs("show", "own/1", "--json").stdout)
    assert sum(hours for _, hours in shown["bug"]["hits"]) == 3.0
    assert shown["bug"]["reopened_because"]
