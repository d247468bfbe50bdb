"""The state directory: who may use it, and what is done to older ones."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kilonova.app.state import is_in_use, open_state, read_running
from kilonova.app.state_errors import StateInUse, StateTooNew, StateUnusable
from kilonova.app.state_format import FORMAT
from kilonova.runtime.real import RealRuntime

RUNTIME = RealRuntime()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def made(path: Path) -> None:
    state = open_state(path, RUNTIME)
    state.remember(driver="fake", hosts=2, cells=1)
    state.secret("some", RUNTIME)
    state.close()


def test_open__fresh__remembers_and_keeps_others_out(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state"
    made(path)
    state = open_state(path, RUNTIME)
    assert state.made is not None
    assert (state.made.format, state.made.driver, state.made.hosts, state.notices) == (FORMAT, "fake", 2, ())
    assert [mode(path / name) for name in ("secrets", "databases", "secrets/some", "state.json")] == [
        0o700,
        0o700,
        0o600,
        0o600,
    ]
    state.close()


def test_secret__asked_again__same(tmp_path: Path) -> None:
    state = open_state(tmp_path, RUNTIME)
    assert state.secret("one", RUNTIME) == state.secret("one", RUNTIME) != state.secret("two", RUNTIME)
    state.close()


def test_open__in_use__names_the_process(tmp_path: Path) -> None:
    state = open_state(tmp_path, RUNTIME)
    with pytest.raises(StateInUse, match=f"in use by process {os.getpid()}"):
        open_state(tmp_path, RUNTIME)
    assert is_in_use(tmp_path)
    state.close()
    assert not is_in_use(tmp_path)
    open_state(tmp_path, RUNTIME).close()


def test_open__holder_was_killed__free(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; from kilonova.app.state import open_state; from kilonova.runtime.real import RealRuntime;"
        "s = open_state(pathlib.Path(sys.argv[1]), RealRuntime()); s.announce('http://x', 'fake', None); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -9
    assert read_running(tmp_path) is None
    open_state(tmp_path, RUNTIME).close()


def test_announce__while_open__told_until_closed(tmp_path: Path) -> None:
    state = open_state(tmp_path, RUNTIME)
    state.announce("http://127.0.0.1:1", "fake", None)
    running = read_running(tmp_path)
    assert running is not None
    assert (running.pid, running.url) == (os.getpid(), "http://127.0.0.1:1")
    state.close()
    assert read_running(tmp_path) is None


def test_open__newer_format__refused_and_untouched(tmp_path: Path) -> None:
    made(tmp_path)
    text = json.dumps({"format": FORMAT + 1, "something": "new"})
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(StateTooNew, match=f"format {FORMAT + 1}; this one knows up to {FORMAT}"):
        open_state(tmp_path, RUNTIME)
    assert (tmp_path / "state.json").read_text() == text
    assert not is_in_use(tmp_path)


def test_open__older_format__copied_upgraded_and_said_once(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "databases" / "api.sqlite").write_text("old")

    def rewrite(path: Path) -> None:
        (path / "databases" / "api.sqlite").write_text("new")

    state = open_state(tmp_path, RUNTIME, {FORMAT: rewrite})
    (notice,) = state.notices
    (backup,) = tmp_path.glob(f"backup-format-{FORMAT}-*")
    assert str(backup) in notice
    assert (backup / "databases" / "api.sqlite").read_text() == "old"
    assert (tmp_path / "databases" / "api.sqlite").read_text() == "new"
    assert json.loads((tmp_path / "state.json").read_text())["format"] == FORMAT + 1
    state.close()
    again = open_state(tmp_path, RUNTIME, {FORMAT: rewrite})
    assert again.notices == ()
    again.close()


def test_open__upgrade_fails__runs_again_next_time(tmp_path: Path) -> None:
    made(tmp_path)

    def fail(_path: Path) -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(StateUnusable, match="Input/output error"):
        open_state(tmp_path, RUNTIME, {FORMAT: fail})
    assert json.loads((tmp_path / "state.json").read_text())["format"] == FORMAT


def test_open__format_without_upgrade__refused(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "state.json").write_text('{"format": 0}')
    with pytest.raises(StateUnusable, match="too old"):
        open_state(tmp_path, RUNTIME)


def test_open__somebody_elses_directory__refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("dear")
    with pytest.raises(StateUnusable, match="holds files that are not Kilonova's"):
        open_state(tmp_path, RUNTIME)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_open__a_file_in_the_way__said(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateUnusable, match="File exists"):
        open_state(tmp_path / "state", RUNTIME)


def test_open__damaged_state_json__said(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(StateUnusable, match=r"state\.json can't be read"):
        open_state(tmp_path, RUNTIME)
