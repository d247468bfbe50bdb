"""`kilonova up` as a process of its own, for tests and benchmarks that drive it from outside."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

KILONOVA = str(Path(sys.executable).with_name("kilonova"))
PATIENCE_S = 60


class UpCloud:
    """A cloud on a state directory, from `with` to its end; `kill` and `start` in between."""

    def __init__(self, state: Path, *options: object, driver: str = "fake", **environment: str) -> None:
        """`options` as for `kilonova up`; `environment` sets further variables."""
        fixed = ["--state", state, "--listen", "127.0.0.1:0", "--driver", driver]
        self.state = state
        self._line = [KILONOVA, "up", *map(str, [*fixed, *options])]
        self._environment = {**os.environ, **environment}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._errors = (self.state.parent / f"{self.state.name}.err").open("ab")
        self.process = subprocess.Popen(
            self._line, env=self._environment, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        assert self.process.stdout is not None
        words = self.process.stdout.readline().split()
        if words[:1] != ["ready"]:
            self.kill()
            pytest.fail(f"it did not start: {Path(self._errors.name).read_text()}")
        self.url = words[1]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self._reap()

    def stop(self) -> None:
        """End it cleanly, if it still runs."""
        self.process.terminate()
        self._reap()

    def _reap(self) -> None:
        try:
            self.process.communicate(timeout=PATIENCE_S)
        finally:
            self.process.kill()
            self._errors.close()

    def clouds(self, name: str = "kilonova") -> dict[str, str]:
        """The variables by which OpenStack's clients find it."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
        return {**kept, "OS_CLIENT_CONFIG_FILE": str(self.state / "clouds.yaml"), "OS_CLOUD": name}

    def client(self, account: str = "admin") -> httpx.Client:
        """A client that is logged in."""
        password = (self.state / "secrets" / f"{account}-password").read_text()
        client = httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False)
        domain = {"id": "default"}
        user = {"name": account, "domain": domain, "password": password}
        identity: dict[str, Any] = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": account, "domain": domain}}
        answer = client.post("/identity/v3/auth/tokens", json={"auth": {"identity": identity, "scope": scope}})
        answer.raise_for_status()
        client.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        return client


def client_program(name: str) -> str:
    """A program of the clients' environment (KILONOVA_TEST_CLIENTS), or of the demo's; skips without."""
    root = Path(__file__).resolve().parents[1]
    for folder in (os.environ.get("KILONOVA_TEST_CLIENTS"), root / ".cache" / "clients" / "bin"):
        found = shutil.which(name, path=folder) if folder else None
        if found is not None:
            return found
    pytest.skip(f"no {name}: KILONOVA_TEST_CLIENTS names no folder with one; make interop does")
