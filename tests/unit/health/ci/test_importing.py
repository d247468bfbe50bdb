"""Imports: nothing is lost or doubled, whoever is killed and however often they are repeated."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from kilonova.health.ci.archive import Archive
from kilonova.health.ci.history import reports_of
from kilonova.health.ci.importing import reader
from kilonova.health.ci.registry import registry_read
from kilonova.health.ci.sources.github import BadSignature, check_signature
from kilonova.health.importing import Importer
from unit.health.ci.archives import with_archive
from unit.health.ci.documents import HOST, HOUR, REGISTRY, T0, change_info, ci_comment, stream

LINES = [
    *(stream("patchset-created", number) for number in range(30)),
    *(ci_comment(number, "SUCCESS" if number % 3 else "FAILURE", T0 + HOUR) for number in range(1, 30)),
    *(stream("change-merged", number, at=T0 + 2 * HOUR) for number in range(1, 20)),
][1:]


def imported(archive: Archive, path: Path, source: str = "gerrit-events", host: str | None = None):
    return Importer(archive.store, reader(source, host)).file(path)


def facts(path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(path / "health.sqlite") as database:
        return database.execute("SELECT key, kind, subject, at, body FROM facts ORDER BY key").fetchall()


def test_import__any_order_and_doubled__same_facts(tmp_path: Path) -> None:
    mixed = LINES * 2
    random.Random(3).shuffle(mixed)
    found = []
    for name, lines in (("plain", LINES), ("mixed", mixed)):
        (tmp_path / name).mkdir()
        file = tmp_path / f"{name}.jsonl"
        file.write_bytes(b"".join(lines))
        with_archive(tmp_path / name, lambda archive, file=file: imported(archive, file))
        found.append(facts(tmp_path / name))
    assert found[0] == found[1]
    assert len(found[0]) > len(LINES)


def test_import__file_grows__only_what_is_new_is_read_and_half_a_line_waits(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(LINES[:10]) + LINES[10][:50])
    first = with_archive(tmp_path, lambda archive: imported(archive, file))
    file.write_bytes(b"".join(LINES[:20]))
    second = with_archive(tmp_path, lambda archive: imported(archive, file))
    assert (first.new, first.refused) == (10, 0)
    assert (second.new, second.known) == (10, 0)


def test_import__lines_that_make_no_sense__are_told_and_the_rest_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"nonsense\n" + LINES[0] + b'{"type": "comment-added", "change": {"number": "x"}}\n[1]\n')
    done = with_archive(tmp_path, lambda archive: imported(archive, file))
    assert (done.new, done.refused) == (1, 3)
    assert "events.jsonl" in done.reasons[0]


def test_import__stream_and_rest_tell_the_same_comment__it_is_one_report(tmp_path: Path) -> None:
    message = {
        "date": "2023-11-14 23:13:20.123000000",
        "author": {"_account_id": 9, "username": "acme-ci"},
        "_revision_number": 1,
        "message": json.loads(ci_comment(1, "SUCCESS", T0))["comment"],
    }
    (tmp_path / "rest.json").write_text(")]}'\n" + json.dumps([change_info(messages=[message])]))
    (tmp_path / "stream.jsonl").write_bytes(ci_comment(1, "SUCCESS", T0 + HOUR))

    async def both(archive: Archive):
        await imported(archive, tmp_path / "stream.jsonl")
        await imported(archive, tmp_path / "rest.json", "gerrit", HOST)
        return await archive.change(f"{HOST}/1", T0 + 9 * HOUR)

    change = with_archive(tmp_path, both)
    assert change is not None
    (system, *_), problems = registry_read(REGISTRY)[0].systems, registry_read(REGISTRY)[1]
    assert not problems
    assert len(reports_of(change, system)) == 1
    assert change.current is not None
    assert change.current.files == ("driver/acme/disk.py",)


def test_github__check_run_of_a_revision__is_found_with_its_pull_request(tmp_path: Path) -> None:
    pull = {
        "number": 5,
        "title": "Disks",
        "user": {"login": "someone"},
        "base": {"ref": "main", "repo": {"full_name": "demo/compute"}},
        "head": {"sha": "abc"},
        "created_at": "2023-11-14T22:13:20Z",
        "updated_at": "2023-11-14T22:13:20Z",
    }
    run = {
        "id": 1,
        "name": "acme-tempest",
        "head_sha": "abc",
        "app": {"slug": "acme-ci"},
        "status": "completed",
        "conclusion": "success",
        "started_at": "2023-11-14T22:20:00Z",
        "completed_at": "2023-11-14T22:30:00Z",
    }
    repository = {"repository": {"full_name": "demo/compute"}}
    hooks = [
        {"event": "check_run", "delivery": "1", "payload": {"check_run": run, **repository}},
        {"event": "pull_request", "delivery": "2", "payload": {"action": "opened", "pull_request": pull, **repository}},
    ]
    (tmp_path / "hooks.jsonl").write_text("".join(json.dumps(one) + "\n" for one in hooks))

    async def work(archive: Archive):
        await imported(archive, tmp_path / "hooks.jsonl", "github")
        return await archive.change("github.com/demo/compute/5", T0 + 9 * HOUR)

    change = with_archive(tmp_path, work)
    assert change is not None
    (report,) = reports_of(change, registry_read(REGISTRY)[0].systems[0])
    assert (report.patchset, str(report.verdict)) == (1, "success")


@pytest.mark.parametrize("header", [None, "", "sha256=00", "sha1=abc"])
def test_webhook__forged__is_refused(header: str | None) -> None:
    with pytest.raises(BadSignature):
        check_signature(b"{}", b"secret", header)


def test_webhook__of_the_secret__is_taken() -> None:
    # the worked example of GitHub's documentation
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    check_signature(b"Hello, World!", b"It's a Secret to Everybody", signature)


def test_import__killed_on_its_way__nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    lines = [ci_comment(number, "SUCCESS", T0 + number) for number in range(1, 1801)]
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(lines))
    state = tmp_path / "state"
    words = [sys.executable, "-m", "kilonova.cli", "ci", "import", "gerrit-events", str(file), "--state", str(state)]
    environment = {**os.environ, "HOME": str(tmp_path)}
    database = state / "databases" / "health.sqlite"
    with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and _count(database) < 500:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        process.send_signal(signal.SIGKILL)
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert " 0 known" in done.stdout, "it began again where it was"
    assert _count(database) == len(lines)


def _count(database: Path) -> int:
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
