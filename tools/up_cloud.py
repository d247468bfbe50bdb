"""`kilonova up` as a process of its own, for tests and benchmarks that drive it from outside."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from kilonova.app.paths import PATHS
from kilonova.testing.access import CloudAccess

KILONOVA = str(Path(sys.executable).with_name("kilonova"))
PATIENCE_S = 60
LOOK_EVERY_S = 0.05
PROVIDERS = f"{PATHS['placement']}/resource_providers"


class StartFailure(Exception):
    """The cloud did not start; the argument is what it said."""


class UpCloud(CloudAccess):
    """A cloud on a state directory, from `with` to its end; `kill` and `start` in between."""

    def __init__(self, state: Path, *options: object, driver: str = "fake", **environment: str) -> None:
        """`options` as for `kilonova up`; `environment` sets further variables."""
        fixed = ["--state", state, "--listen", "127.0.0.1:0", "--driver", driver]
        self.state = state
        self._line = [KILONOVA, "up", *map(str, [*fixed, *options])]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("KILONOVA_")}
        self._environment = {**inherited, **environment}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers. Raises `StartFailure`."""
        errors = self.state.with_name(f"{self.state.name}.err")
        with errors.open("ab") as told:
            self.process = subprocess.Popen(
                self._line, env=self._environment, stdout=subprocess.PIPE, stderr=told, text=True
            )
        assert self.process.stdout is not None
        words = self.process.stdout.readline().split()
        if words[:1] != ["ready"]:
            self.kill()
            raise StartFailure(errors.read_text())
        self.url = words[1]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_S)

    def stop(self) -> None:
        """End it cleanly, if it still runs."""
        self.process.terminate()
        try:
            self.process.communicate(timeout=PATIENCE_S)
        finally:
            self.process.kill()

    def wait_until_hosts(self, count: int) -> None:
        """Return once `count` hosts have registered and were discovered. Raises TimeoutError."""
        give_up = time.monotonic() + PATIENCE_S
        with self.client() as admin:
            while len(admin.get(PROVIDERS).raise_for_status().json()["resource_providers"]) < count:
                if time.monotonic() > give_up:
                    raise TimeoutError(f"fewer than {count} hosts after {PATIENCE_S} s, see {self.state}")
                time.sleep(LOOK_EVERY_S)

    def agents(self) -> list[int]:
        """The ids of the processes that are hosts of their own."""
        told = os.fsencode(self.state / "hypervisor")
        return [pid for pid, words in _command_lines() if b"agent" in words and words[-1].startswith(told)]


def _command_lines() -> Iterator[tuple[int, list[bytes]]]:
    """Every process and the words of its command."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            except OSError:
                continue
            yield int(entry.name), words
