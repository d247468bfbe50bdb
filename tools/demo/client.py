"""The real `openstack` client: each call is shown as a person would type it."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tools.demo.problem import Problem
from tools.demo.screen import Screen

TIMEOUT_S = 120
WIDTH_MAX = 120
"""Widest table printed, in characters."""


class Client:
    """Calls the client against the cloud `kilonova` of a `clouds.yaml`."""

    def __init__(self, program: Path, clouds: Path, screen: Screen) -> None:
        """`program` is the client's own file."""
        self._program = program
        self._screen = screen
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        width = str(min(shutil.get_terminal_size().columns, WIDTH_MAX))
        cloud = {"OS_CLIENT_CONFIG_FILE": str(clouds), "OS_CLOUD": "kilonova"}
        self._environment = {**kept, **cloud, "CLIFF_MAX_TERM_WIDTH": width}

    def show(self, *words: str) -> str:
        """Run a command before the person's eyes; its output. Raises `Problem`."""
        self._screen.command(shlex.join(["openstack", *words]))
        output = self._run(words)
        if output.strip():
            self._screen.output(output)
        return output

    def ask(self, *words: str) -> Any:
        """Run a command quietly; what it answers as JSON. Raises `Problem`."""
        return json.loads(self._run([*words, "-f", "json"]) or "null")

    def text(self, *words: str) -> str:
        """Run a command quietly; its output. Raises `Problem`."""
        return self._run(words)

    def _run(self, words: tuple[str, ...] | list[str]) -> str:
        command = [str(self._program), *words]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
        if done.returncode != 0:
            raise Problem(f"`openstack {shlex.join(words)}` failed: {done.stderr.strip()}")
        return done.stdout
