"""`kilonova bugs` at the keyboard."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result

from kilonova.cli.exit_codes import ExitCode
from kilonova.cli.main import main
from unit.health.bugs.documents import commit, lines, lp_bug, lp_message, lp_task
from unit.health.bugs.made import day

AT = "2026-01-12"
NEW = {"status": "New", "importance": "Undecided", "assignee_link": None, "date_triaged": None, "date_assigned": None}


def run(state: Path, *words: str, code: int = 0, typed: str | None = None) -> Result:
    done = CliRunner().invoke(main, ["bugs", words[0], "--state", str(state), *words[1:]], input=typed)
    assert done.exit_code == code, done.output
    return done


def read(state: Path, *words: str, code: int = 0) -> Any:
    return json.loads(run(state, *words, "--json", code=code).stdout)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Two bugs of Launchpad, one of them answered, and the commit that fixes the other."""
    state = tmp_path / "state"
    tracker, commits = tmp_path / "launchpad.jsonl", tmp_path / "commits.jsonl"
    other = lp_bug(1000002, title="Console is black after a reboot", description="noVNC draws nothing.")
    answer = lp_message(1, "core", "2026-01-06T00:00:00+00:00", 1000002)
    tracker.write_bytes(lines(lp_bug(), lp_task(**NEW), other, lp_task(1000002, **NEW), answer))
    commits.write_bytes(lines(commit("c0ffee", "Free it\n\nCloses-Bug: #1000001", day(9), "12.0.0")))
    assert read(state, "import", "launchpad", str(tracker), "--project", "nova")["new"] == 5
    assert read(state, "import", "commits", str(commits))["new"] == 1
    return state


def test_import__again__nothing_is_new(state: Path, tmp_path: Path) -> None:
    assert "0 new" in run(state, "import", "launchpad", str(tmp_path / "launchpad.jsonl")).output


def test_import__no_document__is_told_and_ends_with_code_1(state: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_bytes(b"<html>\n")
    assert "refused" in run(state, "import", "launchpad", str(tmp_path / "bad.jsonl"), code=1).output


def test_queue__a_moment__what_breaks_next_comes_first(state: Path) -> None:
    found = read(state, "queue", "--at", AT)
    assert [(one["bug"], one["broken"]) for one in found["bugs"]] == [
        ("launchpad/1000001", True),
        ("launchpad/1000002", False),
    ]
    assert "2 bugs wait, 1 promises are broken" in run(state, "queue", "--at", AT).output


def test_queue__shared__each_has_an_own_part(state: Path) -> None:
    parts = [read(state, "queue", "--at", AT, "--of", "ann,ben", "--me", name)["total"] for name in ("ann", "ben")]
    assert sum(parts) == 2


def test_show__by_number__status_clocks_and_deeds(state: Path) -> None:
    told = run(state, "show", "1000001", "--at", AT).output
    assert "launchpad/1000001  Resize leaves an allocation behind" in told
    assert "first answer  broken" in told
    assert read(state, "show", "1000001")["bug"]["status"] == "Fix Committed"


def test_show__nobody_knows_it__code_13(state: Path) -> None:
    assert "There is no bug 77" in run(state, "show", "77", code=ExitCode.NOT_THERE).output


def test_set__status_and_answer__done_once(state: Path) -> None:
    words = ("set", "1000002", "--status", "Incomplete", "--by", "core")
    assert "is Incomplete" in run(state, *words, "--say", "Which version?").output
    run(state, *words, code=ExitCode.REFUSED)


def test_open__one_like_it_is_known__is_shown_first(state: Path) -> None:
    words = ("open", "Resize leaves allocation behind", "--text", "In placement.", "--by", "rosa")
    assert "known: launchpad/1000001" in run(state, *words, code=1).output
    assert "opened own/1" in run(state, *words, "--known").output
    assert "opened own/2" in run(state, "open", "Quota is off by one", "--by", "rosa").output


def test_duplicates__of_a_bug__not_itself(state: Path) -> None:
    run(state, "open", "Console stays black after reboot", "--by", "rosa", "--known")
    found = read(state, "duplicates", "--bug", "own/1")["bugs"]
    assert found[0]["bug"] == "launchpad/1000002"
    assert {"console", "black"} <= set(found[0]["shared"])


def test_duplicates__a_private_bug__is_never_shown(state: Path) -> None:
    run(state, "open", "Token leaks into the log", "--by", "rosa", "--security")
    assert "own/1" not in {one["bug"] for one in read(state, "duplicates", "Token leaks into a log")["bugs"]}


def test_rules__dry_run_first__then_the_same_is_done_and_no_more(state: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("- {name: old, query: status=New age>7d, reason: it is old, message: Hello., tag: old}\n")
    words = ("rules", "--rules", str(rules))
    assert "launchpad/1000002" in run(state, *words).output
    planned = read(state, *words)["proposals"]
    done = read(state, *words, "--yes")["proposals"]
    assert planned == done != []
    assert read(state, *words, "--yes")["proposals"] == []
    assert sorted(read(state, "show", "1000002")["bug"]["tags"]) == ["old", "placement", "resize"]


def test_rules__one_that_makes_no_sense__code_2(state: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("- {name: a, query: colour=red, reason: b}\n")
    assert "colour=red" in run(state, "rules", "--rules", str(tmp_path / "bad.yaml"), code=2).output


def test_note__after_a_duty__says_what_was_dealt_with(state: Path) -> None:
    told = run(state, "note", "--since", "3d", "--at", "2026-01-15").output
    assert "dealt with: launchpad/1000001" in told


def test_stats__then_and_now__differ(state: Path) -> None:
    assert (read(state, "stats", "--at", AT)["open"], read(state, "stats")["open"]) == (2, 1)
    assert "TIME TO" in run(state, "stats", "--weeks", "2").output


def test_release__a_range__what_is_fixed_in_it(state: Path) -> None:
    assert "- launchpad/1000001: Resize leaves an allocation behind" in run(state, "release", "11.0.0..12.0.0").output
    assert "no range" in run(state, "release", "12.0.0", code=2).output


def test_hit__after_the_fix__the_bug_is_open_again(state: Path) -> None:
    words = ("hit", "1000001", "--job", "tempest", "--hours", "3", "--run", "r1")
    assert "is Triaged and has cost 3.0 hours of CI: CI failed for it after the fix" in run(state, *words).output
    assert read(state, *words)["bug"]["hits"] == read(state, "show", "1000001")["bug"]["hits"]
    assert len(read(state, "show", "1000001")["bug"]["hits"]) == 1


def test_sync__without_yes__is_told_and_not_sent(state: Path) -> None:
    run(state, "set", "1000002", "--status", "Triaged", "--say", "Seen.")
    found = read(state, "sync", "launchpad", "--project", "nova")
    assert [(one["what"], one["value"]) for one in found["outgoing"]] == [("status", "Triaged"), ("said", "Seen.")]
    assert "would be sent" in run(state, "sync", "launchpad", "--project", "nova").output
    run(state, "sync", "launchpad", code=2)


class Tracker(BaseHTTPRequestHandler):
    """Takes what it is sent."""

    taken: ClassVar[list[tuple[str, str]]] = []

    def do_PATCH(self) -> None:
        self.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.send_response(209)
        self.end_headers()

    def do_POST(self) -> None:
        self.do_PATCH()

    def log_message(self, *_: object) -> None:
        pass


def test_sync__with_yes__is_sent_once(state: Path) -> None:
    run(state, "set", "1000002", "--status", "Triaged", "--say", "Seen.")
    with HTTPServer(("127.0.0.1", 0), Tracker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        words = ("sync", "launchpad", "--project", "nova", "--yes", "--api", f"http://127.0.0.1:{server.server_port}")
        assert len(read(state, *words)["outgoing"]) == 2
        assert read(state, *words)["outgoing"] == []
        server.shutdown()
    assert Tracker.taken == [
        ("/nova/+bug/1000002", '{"status":"Triaged"}'),
        ("/bugs/1000002", "ws.op=newMessage&content=Seen."),
    ]


def test_report__no_cloud_runs__a_bug_is_opened_from_what_there_is(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.tar.gz"
    made = CliRunner().invoke(main, ["report", "--state", str(state), "--out", str(out), "--seed", "7"])
    assert made.exit_code == 0, made.output
    key = read(state, "open", "Boot fails", "--bundle", str(out), "--by", "rosa")["bug"]
    assert "kilonova sim run --seeds 7..7" in read(state, "show", key)["bug"]["text"]
    (tmp_path / "other").write_bytes(b"no bundle")
    assert "no support bundle" in run(state, "open", "--bundle", str(tmp_path / "other"), code=2).output


def test_pages__into_a_directory__each_bug_has_one(state: Path, tmp_path: Path) -> None:
    made = read(state, "pages", str(tmp_path / "site"), "--release", "..12.0.0")["pages"]
    assert {"/health/bugs", "/health/bugs/flow", "/health/bugs/launchpad/1000001", "/health/bugs/release"} <= set(made)
    assert "Resize leaves" in (tmp_path / "site" / "bugs" / "launchpad" / "1000001" / "index.html").read_text()
    assert (tmp_path / "site" / "style.css").exists()


def test_import__a_git_repository__commits_with_the_release_that_has_them(tmp_path: Path) -> None:
    repository, state = tmp_path / "repository", tmp_path / "state"
    who = (
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@example.org",
        "-c",
        "commit.gpgsign=false",
        "-c",
        "tag.gpgsign=false",
    )
    message = "Free it\n\nCloses-Bug: #1000001"
    for words in (("init", "-q", "."), ("commit", "-q", "--allow-empty", "-m", message), ("tag", "1.0.0")):
        repository.mkdir(exist_ok=True)
        subprocess.run(["git", *who, *words], cwd=repository, check=True)
    assert read(state, "import", "commits", str(repository))["new"] == 1
    assert read(state, "release", "..1.0.0")["fixed"][0]["bug"] == "launchpad/1000001"
