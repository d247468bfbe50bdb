"""Processes of the rig: started with a log, waited for, and stopped, whatever happens in between."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 10.0
TAIL_LINES = 40


class RigError(Exception):
    """Something in the rig did not come up; the message says what, with the end of its log."""


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tail(log: Path) -> str:
    """The end of a log."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-TAIL_LINES:])


@dataclass
class Processes:
    """What the rig has started; a context manager that stops it all."""

    logs: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what runs, last started first: each in its own process group, so that workers end with it."""
        for process in reversed(self._running.values()):
            _signal(process, signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
            _until_empty(process.pid)

    def log(self, name: str) -> Path:
        """Where `name` writes its log."""
        return self.logs / f"{name}.log"

    def run(self, name: str, command: list[str], env: Mapping[str, str] | None = None) -> None:
        """Run a command to its end. Raises `RigError` with the end of its log when it fails."""
        with self.log(name).open("ab") as log:
            code = subprocess.call(command, stdout=log, stderr=log, env={**os.environ, **(env or {})})
        if code != 0:
            raise RigError(f"{name} failed with code {code}; the end of {self.log(name)}:\n{tail(self.log(name))}")

    def start(self, name: str, command: list[str], env: Mapping[str, str] | None = None) -> None:
        """Start a command that stays."""
        with self.log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **(env or {})}, start_new_session=True
            )

    def wait_for(self, name: str, url: str) -> None:
        """Wait until `name` answers HTTP at `url`, whatever it says below 500. Raises `RigError`."""
        give_up = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < give_up and self._running[name].poll() is None:
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except urllib.error.HTTPError as answer:
                if answer.code < 500:
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise RigError(f"{name} does not answer at {url}; the end of {self.log(name)}:\n{tail(self.log(name))}")


def _until_empty(group: int) -> None:
    """Wait for the workers too: they were told to end together with what started them."""
    give_up_at = time.monotonic() + STOP_TIMEOUT_S
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < give_up_at:
            os.killpg(group, 0)
            time.sleep(0.02)
        os.killpg(group, signal.SIGKILL)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        os.killpg(process.pid, number)
