"""The lock that says whether a guest's process lives."""

import os
import sys
import time
from pathlib import Path

import pytest

from kilonova.drivers.qemu.process import (
    AlreadyRunning,
    complaints_read,
    process_alive,
    process_kill,
    process_start,
    processes_of,
)

NAME = "5a5a5a5a-0000-4000-8000-00000000000a"
WAITS = (sys.executable, "-c", "import signal; signal.pause()", NAME)


def start(directory: Path, *command: str) -> int:
    return process_start(command, directory, (), None)


def wait_dead(directory: Path) -> None:
    give_up = time.monotonic() + 10
    while process_alive(directory):
        assert time.monotonic() < give_up
        os.sched_yield()


def test_process__started_and_killed__alive_says_so(tmp_path: Path) -> None:
    assert not process_alive(tmp_path)
    os.close(start(tmp_path, *WAITS))
    assert process_alive(tmp_path)
    assert process_alive(tmp_path)
    assert process_kill(tmp_path, NAME)
    wait_dead(tmp_path)
    assert processes_of(tmp_path, NAME) == []
    assert not process_kill(tmp_path, NAME)


def test_process__runs_already__is_not_started_again(tmp_path: Path) -> None:
    os.close(start(tmp_path, *WAITS))
    with pytest.raises(AlreadyRunning):
        start(tmp_path, *WAITS)
    process_kill(tmp_path, NAME)
    wait_dead(tmp_path)


def test_process__another_one_with_the_same_word__is_spared(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir()
    other.mkdir()
    os.close(start(other, *WAITS))
    (mine / "alive").touch()
    assert not process_kill(mine, NAME)
    assert process_alive(other)
    process_kill(other, NAME)
    wait_dead(other)


def test_process__ends_with_a_complaint__the_last_line_is_kept(tmp_path: Path) -> None:
    complaints = start(tmp_path, "sh", "-c", "echo first >&2; echo cannot do it >&2")
    wait_dead(tmp_path)
    assert complaints_read(complaints) == "cannot do it"
    os.close(complaints)
