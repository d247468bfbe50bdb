"""`kilonova serve placement` with a fresh database, for judges that begin each test with nothing."""

import http.client
import json
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

CONFIG = '[identity]\nauth = "headers"\n'
PATIENCE_S = 30


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Served:
    """One service at a time on one port."""

    def __init__(self, kilonova: str, port: int) -> None:
        """`kilonova` is the path of the program."""
        self._kilonova = kilonova
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen | None = None
        self._folder: Path | None = None

    def start(self, rules: dict[str, str]) -> None:
        """Begin with an empty database; `rules` take the place of policy defaults."""
        self.stop()
        self._folder = Path(tempfile.mkdtemp(prefix="judge-placement-"))
        config = self._folder / "kilonova.toml"
        policy = self._folder / "policy.json"
        policy.write_text(json.dumps(rules))
        config.write_text(f'{CONFIG}\n[placement]\npolicy_file = "{policy}"\n')
        line = [self._kilonova, "serve", "placement", "--config", str(config)]
        line += ["--state", str(self._folder / "state"), "--listen", f"127.0.0.1:{self.port}"]
        self._process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        said = self._process.stdout.readline()
        if not said.startswith("ready"):
            raise RuntimeError(f"kilonova serve placement did not start: {said}")

    def stop(self) -> None:
        """End it and remove what it wrote."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=PATIENCE_S)
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def connection(self) -> http.client.HTTPConnection:
        """A connection to it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
