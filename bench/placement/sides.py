"""Both services as processes: started with providers, asked over HTTP, and what CPU they used."""

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.figures import cpu_s, rss_mb
from bench.placement import ours
from tools.interop.environment import environment

HEADERS = {"X-Auth-Token": "admin", "OpenStack-API-Version": "placement 1.39", "Accept": "application/json"}
PROJECT = Path(__file__).parents[2]
LOCK = PROJECT / "tools" / "judges" / "placement" / "requirements.txt"
JUDGES = PROJECT / ".cache" / "judge-placement"
PEER = Path(__file__).with_name("peer.py")
PATIENCE_S = 3600


class Side:
    """One of the two services."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self._port = port
        self._connection = self.connect()
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("ready"), f"{process.args} said {said!r}"

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)

    def get(self, path: str) -> bytes:
        """The body of a reply with status 200; asked again where the service had let go of an idle connection."""
        try:
            self._connection.request("GET", path, headers=HEADERS)
            answer = self._connection.getresponse()
        except http.client.RemoteDisconnected:
            self._connection.close()
            return self.get(path)
        body = answer.read()
        assert answer.status == 200, (answer.status, body[:500])
        return body

    def put(self, connection: http.client.HTTPConnection, path: str, body: dict[str, Any]) -> int:
        """The status of a PUT."""
        headers = {**HEADERS, "Content-Type": "application/json"}
        connection.request("PUT", path, json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def cpu(self) -> float:
        """CPU used so far, in seconds."""
        return cpu_s(self._process.pid)

    def memory(self) -> float:
        """Resident memory, in MB."""
        return rss_mb(self._process.pid)


@contextmanager
def peer(scratch: Path, providers: Path) -> Iterator[Side]:
    """openstack-placement."""
    python, port = environment(JUDGES, LOCK).bin("python"), _free_port()
    database = scratch / f"peer-{providers.stem}.sqlite"
    with _running([python, str(PEER), str(database), str(providers), str(port)]) as process:
        yield Side(process, port)


@contextmanager
def kilonova(scratch: Path, providers: Path) -> Iterator[Side]:
    """Ours."""
    state, port = scratch / f"ours-{providers.stem}", _free_port()
    config = scratch / "kilonova.toml"
    config.write_text('[identity]\nauth = "headers"\n')
    line = [str(Path(sys.executable).with_name("kilonova")), "serve", "placement"]
    line += ["--config", str(config), "--state", str(state), "--listen", f"127.0.0.1:{port}"]
    with _running(line) as process:
        side = Side(process, port)
        ours.load(next(state.rglob("placement.sqlite")), providers)
        yield side


@contextmanager
def _running(line: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
