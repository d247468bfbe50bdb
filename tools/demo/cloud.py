"""The demo's cloud: `kilonova up` as a process of its own, ended with all its guests whatever happens."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Self

from kilonova.app.hypervisor import end_guests
from kilonova.app.state import is_state, open_state
from kilonova.runtime.real import RealRuntime
from tools.demo.problem import Problem
from tools.demo.screen import Screen

STOP_S = 60


class DemoCloud:
    """A cloud from `with` to its end."""

    def __init__(self, state: Path, driver: str, screen: Screen) -> None:
        """Run on the fresh directory `state`."""
        self._state = state
        self._driver = driver
        self._screen = screen

    def __enter__(self) -> Self:
        options = ["--state", str(self._state), "--listen", "127.0.0.1:0", "--driver", self._driver]
        self._screen.command(f"kilonova up {' '.join(options)}")
        program = [str(Path(sys.executable).with_name("kilonova")), "up", *options]
        self._process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        notes = threading.Thread(target=self._tell, args=(self._process.stderr,), daemon=True)
        notes.start()
        ready = self._process.stdout.readline()
        if not ready.startswith("ready "):
            self._process.wait(STOP_S)
            notes.join(1)
            raise Problem("`kilonova up` didn't start.")
        self._screen.output(ready)
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if is_state(self._state):
            asyncio.run(self._end_guests())

    def _tell(self, notes: IO[str]) -> None:
        for line in notes:
            self._screen.note(line.rstrip())

    async def _end_guests(self) -> None:
        """A demo that ended early may have left a guest."""
        runtime = RealRuntime()
        state = open_state(self._state, runtime)
        try:
            await end_guests(state, runtime)
        finally:
            state.close()
