"""`kilonova up` as a process."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from kilonova.cli.exit_codes import ExitCode

KILONOVA = str(Path(sys.executable).with_name("kilonova"))
PATIENCE_S = 30


def command(*words: object) -> subprocess.CompletedProcess[str]:
    line = [KILONOVA, *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


@contextmanager
def up(state: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A cloud with the fake driver on a free port; the process and its URL."""
    line = [KILONOVA, "up", "--state", str(state), "--listen", "127.0.0.1:0", "--driver", "fake", *words]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline().split()
        assert ready[:1] == ["ready"], process.communicate(timeout=PATIENCE_S)
        yield process, ready[1]
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up__signal__ends_cleanly_after_one_line(tmp_path: Path, number: int) -> None:
    with up(tmp_path) as (process, url):
        assert httpx.get(url).json()["name"] == "kilonova"
        process.send_signal(number)
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert (output, process.returncode) == ("", 0)
    assert not (tmp_path / "run.json").exists()


def test_status_and_stop__cloud_runs__told_and_ended(tmp_path: Path) -> None:
    with up(tmp_path) as (process, url):
        report = json.loads(command("status", "--state", tmp_path, "--json").stdout)
        assert (report["url"], report["pid"], report["driver"]) == (url, process.pid, "fake")
        assert command("stop", "--state", tmp_path).stdout == "stopped\n"
        assert process.wait(PATIENCE_S) == 0


def test_up__state_in_use__refused_with_the_process_id(tmp_path: Path) -> None:
    with up(tmp_path) as (process, _):
        second = command("up", "--state", tmp_path, "--listen", "127.0.0.1:0")
        assert second.returncode == ExitCode.STATE_IN_USE
        assert f"process {process.pid}" in second.stderr


def test_up__port_taken__refused(tmp_path: Path) -> None:
    with up(tmp_path / "one") as (_, url):
        second = command("up", "--state", tmp_path / "two", "--listen", url.removeprefix("http://"))
        assert second.returncode == ExitCode.PORT_TAKEN
        assert not (tmp_path / "two").exists()


def test_up__killed__comes_up_again_as_it_was(tmp_path: Path) -> None:
    with up(tmp_path, "--hosts", "3", "--cells", "2") as (process, _):
        process.kill()
        process.wait(PATIENCE_S)
    with up(tmp_path) as (_, url):
        assert httpx.get(url).status_code == 200
    assert json.loads((tmp_path / "state.json").read_text())["hosts"] == 3


def test_up__other_driver_than_before__refused(tmp_path: Path) -> None:
    with up(tmp_path):
        pass
    second = command("up", "--state", tmp_path, "--listen", "127.0.0.1:0", "--driver", "qemu")
    assert second.returncode == ExitCode.STATE_UNUSABLE
    assert "made with --driver fake" in second.stderr


def test_up__state_of_a_newer_version__refused(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"format": 1000000}')
    refused = command("up", "--state", tmp_path, "--listen", "127.0.0.1:0")
    assert refused.returncode == ExitCode.STATE_TOO_NEW


def test_up__not_loopback__refused_with_the_reason(tmp_path: Path) -> None:
    refused = command("up", "--state", tmp_path, "--listen", "0.0.0.0:0")
    assert refused.returncode == ExitCode.LISTEN_REFUSED
    assert "--insecure" in refused.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_up__directory_not_writable__refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert command("up", "--state", tmp_path / "state", "--listen", "127.0.0.1:0").returncode == ExitCode.STATE_UNUSABLE


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the test's certificate, is not on this machine")
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    line = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, *subject]
    subprocess.run(line, check=True, capture_output=True)
    return cert, key


def test_up__tls__answers_and_its_own_commands_trust_it(tmp_path: Path, certificate: tuple[str, str]) -> None:
    cert, key = certificate
    state = tmp_path / "state"
    with up(state, "--tls-cert", cert, "--tls-key", key) as (_, url):
        assert url.startswith("https://")
        report = json.loads(command("status", "--state", state, "--json").stdout)
        assert "certificate" not in str(report).lower()
        assert f'cacert: "{cert}"' in (state / "clouds.yaml").read_text()


def test_up__certificate_missing__refused(tmp_path: Path) -> None:
    files = ["--tls-cert", tmp_path / "no.pem", "--tls-key", tmp_path / "no.pem"]
    refused = command("up", "--state", tmp_path / "state", "--listen", "127.0.0.1:0", "--driver", "fake", *files)
    assert refused.returncode == ExitCode.CONFIGURATION
    assert "can't be used" in refused.stderr


def test_up__callers_by_headers__only_at_placement_and_on_loopback(tmp_path: Path) -> None:
    config = tmp_path / "kilonova.toml"
    config.write_text('[identity]\nauth = "headers"\n')
    with up(tmp_path / "state", "--config", str(config)) as (_, url):
        admin, nobody = {"X-Auth-Token": "admin"}, {"X-Auth-Token": "bob", "X-Roles": "reader"}
        assert httpx.get(f"{url}/placement/resource_providers", headers=admin).status_code == 200
        assert httpx.get(f"{url}/placement/resource_providers", headers=nobody).status_code == 403
        assert httpx.get(f"{url}/compute/v2.1/servers", headers=admin).status_code == 401
    refused = command("up", "--state", tmp_path / "state", "--config", config, "--listen", "0.0.0.0:0", "--insecure")
    assert (refused.returncode, "believes what callers say" in refused.stderr) == (ExitCode.LISTEN_REFUSED, True)
