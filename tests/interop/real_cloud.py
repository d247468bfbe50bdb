"""A whole Kilonova beside real Keystone, Glance, Neutron and Cinder, and the real `openstack` client that drives it.

`python -m tools.interop` starts those and names them: KILONOVA_TEST_CONFIG is the configuration to use them by.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

MARKS = [
    pytest.mark.interop,
    pytest.mark.skipif("KILONOVA_TEST_CONFIG" not in os.environ, reason="KILONOVA_TEST_CONFIG names no configuration"),
]
"""Of every module of tests that use it."""
READY_S = 60.0
STEP_S = 90.0


@dataclass
class Cloud:
    """A running Kilonova, and the client's environment to reach everything as a project member."""

    environment: dict[str, str]

    def openstack(self, command: str, *more: str, fails: str | None = None) -> Any:
        """Run a command; its JSON output. With `fails`, it must fail and say that."""
        executable = str(Path(os.environ["KILONOVA_TEST_CLIENTS"]) / "openstack")
        asks = command.split()[1] in {"show", "list", "create"} or "list" in command
        arguments = [executable, *command.split(), *more, *(["-f", "json"] if asks else [])]
        done = subprocess.run(arguments, env=self.environment, capture_output=True, timeout=STEP_S, check=False)
        said = f"{arguments}: {done.stdout.decode()}{done.stderr.decode()}"
        if fails is not None:
            assert done.returncode != 0, said
            assert fails in said, said
            return None
        assert done.returncode == 0, said
        return json.loads(done.stdout) if asks and done.stdout else None

    def text(self, command: str) -> str:
        """Run a command; what it prints."""
        executable = str(Path(os.environ["KILONOVA_TEST_CLIENTS"]) / "openstack")
        line = [executable, *command.split()]
        return subprocess.run(
            line, env=self.environment, capture_output=True, timeout=STEP_S, check=True
        ).stdout.decode()

    @property
    def admin(self) -> "Cloud":
        """The same cloud as an administrator sees it."""
        return Cloud({**self.environment, "OS_CLOUD": "admin"})

    def ports_of(self, server_id: str) -> list[dict[str, Any]]:
        return list(self.openstack(f"port list --device-id {server_id}"))

    def server_when(self, name: str, status: str) -> dict[str, Any]:
        """The server, once it has that status."""
        give_up = time.monotonic() + STEP_S
        while (server := self.openstack(f"server show {name}"))["status"] != status:
            assert server["status"] != "ERROR", server
            assert time.monotonic() < give_up, server
            time.sleep(0.5)
        return dict(server)


@contextmanager
def real_cloud(home: Path, *options: str, driver: str = "fake") -> Iterator[Cloud]:
    """A Kilonova whose identity, images, networks and volumes are the real services."""
    log = home / "up.log"
    command = [str(Path(sys.executable).with_name("kilonova")), "up", "--driver", driver, "--listen", "127.0.0.1:0"]
    command += ["--state", str(home / "state"), "--config", os.environ["KILONOVA_TEST_CONFIG"], *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KILONOVA_")}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield Cloud(_environment(home, _ready(process, log)))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()


def _ready(process: subprocess.Popen[bytes], log: Path) -> str:
    give_up = time.monotonic() + READY_S
    while True:
        for line in log.read_text().splitlines():
            if line.startswith("ready "):
                return line.removeprefix("ready ")
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < give_up, log.read_text()
        time.sleep(0.1)


def _environment(home: Path, url: str) -> dict[str, str]:
    def setting(name: str) -> str:
        return os.environ[f"KILONOVA_TEST_KEYSTONE_{name}"]

    member = {
        "auth_url": setting("URL"),
        "username": setting("MEMBER_USER"),
        "password": setting("MEMBER_PASSWORD"),
        "project_name": setting("MEMBER_PROJECT"),
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    admin = {**member, "username": setting("USER"), "password": setting("PASSWORD"), "project_name": setting("PROJECT")}
    clouds = {
        name: {"auth": account, "compute_endpoint_override": f"{url}/compute/v2.1", "compute_api_version": "2.96"}
        for name, account in (("member", member), ("admin", admin))
    }
    config = home / "clouds.json"
    config.write_text(json.dumps({"clouds": clouds}))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "OS_CLIENT_CONFIG_FILE": str(config),
        "OS_CLOUD": "member",
    }
