"""`kilonova serve`: placement alone, and the roles of a cloud over databases that they share, as processes."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from kilonova.cli.exit_codes import ExitCode
from needs_postgres import NEEDS_POSTGRES
from tools.postgres_server import fresh_database
from tools.up_cloud import KILONOVA

PATIENCE_S = 120
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


@contextmanager
def role(state: Path, environment: dict[str, str], *roles: str) -> Iterator[subprocess.Popen[str]]:
    line = [KILONOVA, "serve", *roles, "--state", str(state), "--listen", "127.0.0.1:0", "--driver", "fake"]
    process = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


def log_in(url: str, state: Path) -> httpx.Client:
    """A client with the administrator's token."""
    domain = {"id": "default"}
    password = (state / "secrets" / "admin-password").read_text()
    identity = {
        "methods": ["password"],
        "password": {"user": {"name": "admin", "domain": domain, "password": password}},
    }
    asked = {"auth": {"identity": identity, "scope": {"project": {"name": "admin", "domain": domain}}}}
    client = httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False)
    client.headers["X-Auth-Token"] = client.post("/identity/v3/auth/tokens", json=asked).headers["X-Subject-Token"]
    client.headers["OpenStack-API-Version"] = "compute 2.90"
    return client


def boot(client: httpx.Client) -> str:
    """Ask for a server; its path."""
    flavor = {"flavor": {"name": "tiny", "ram": 64, "vcpus": 1, "disk": 1}}
    flavor_id = client.post("/compute/v2.1/flavors", json=flavor).json()["flavor"]["id"]
    named = {"name": "empty", "disk_format": "raw", "container_format": "bare"}
    image_id = client.post("/image/v2/images", json=named).json()["id"]
    content = {"Content-Type": "application/octet-stream"}
    assert client.put(f"/image/v2/images/{image_id}/file", content=b"0" * 512, headers=content).status_code == 204
    body = {"server": {"name": "one", "flavorRef": flavor_id, "imageRef": image_id, "networks": "none"}}
    answer = client.post("/compute/v2.1/servers", json=body)
    assert answer.status_code == 202, answer.text
    return f"/compute/v2.1/servers/{answer.json()['server']['id']}"


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=NEEDS_POSTGRES)])
def test_serve__roles_apart__what_one_accepts_the_others_carry_out(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    environment = {}
    if kind == "postgres":
        environment["KILONOVA_DATABASE_URL"] = fresh_database(request.getfixturevalue("postgres_url"))
    state = tmp_path / "state"
    with ExitStack() as stack:
        api = stack.enter_context(role(state, environment, "api"))
        others = [stack.enter_context(role(state, environment, "conductor"))]
        others.append(stack.enter_context(role(state, environment, "cell-conductor", "hosts")))
        url = url_of(api)
        assert [url_of(other) for other in others] == ["ready", "ready"]
        client = log_in(url, state)
        stack.callback(client.close)
        give_up = time.monotonic() + PATIENCE_S
        providers = "/placement/resource_providers"
        while not client.get(providers).json()["resource_providers"]:  # until the conductor has found the host
            assert time.monotonic() < give_up, "the host is not discovered"
            time.sleep(0.1)
        path = boot(client)
        while (status := client.get(path).json()["server"]["status"]) == "BUILD" and time.monotonic() < give_up:
            time.sleep(0.1)
        assert status == "ACTIVE"
        with role(state, environment, "api") as second:
            assert httpx.get(url_of(second) + path, headers=client.headers).json()["server"]["status"] == "ACTIVE"


def test_up__roles_use_the_state_directory__is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with role(state, {}, "conductor") as process:
        assert url_of(process) == "ready"
        line = [KILONOVA, "up", "--state", str(state), "--driver", "fake", "--listen", "127.0.0.1:0"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert (done.returncode, str(process.pid) in done.stderr) == (ExitCode.STATE_IN_USE, True)
