"""`kilonova serve placement` as a process."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from kilonova.cli.exit_codes import ExitCode
from tools.up_cloud import KILONOVA

PATIENCE_S = 30
HEADERS = '[identity]\nauth = "headers"\n'


@contextmanager
def served(folder: Path, config: str) -> Iterator[subprocess.Popen[str]]:
    file = folder / "kilonova.toml"
    file.write_text(config)
    line = [KILONOVA, "serve", "placement", "--config", str(file), "--state", str(folder / "state")]
    process = subprocess.Popen(
        [*line, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().removeprefix("ready ").strip()


def test_serve_placement__by_headers__has_a_database_of_its_own_that_stays(tmp_path: Path) -> None:
    admin = {"X-Auth-Token": "admin", "Content-Type": "application/json"}
    with served(tmp_path, HEADERS) as process:
        url = url_of(process)
        assert httpx.get(f"{url}/resource_providers").status_code == 401
        assert httpx.get(f"{url}/resource_providers", headers={"X-Auth-Token": "bob"}).status_code == 403
        assert httpx.post(f"{url}/resource_providers", headers=admin, json={"name": "one"}).status_code == 201
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert [file.name for file in (tmp_path / "state/databases").glob("*.sqlite")] == ["placement.sqlite"]
    with served(tmp_path, HEADERS) as process:
        listed = httpx.get(f"{url_of(process)}/resource_providers", headers=admin).json()["resource_providers"]
        assert [one["name"] for one in listed] == ["one"]


def test_serve_placement__nobody_to_ask_who_calls__says_what_to_set(tmp_path: Path) -> None:
    with served(tmp_path, "") as process:
        _, said = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, "set [identity] url" in said) == (ExitCode.CONFIGURATION, True)
