"""`kilonova placement` on a cloud that runs, and an audit that finds what must not be."""

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.cli.exit_codes import ExitCode
from tools.up_cloud import UpCloud
from unit.cli.test_up import PATIENCE_S, command


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    state = tmp_path_factory.mktemp("cloud") / "state"
    with UpCloud(state, "--hosts", 2) as cloud:
        with cloud.client("kilonova") as member:
            server = {"name": "one", **cloud.furnish()}
            member.post("/compute/v2.1/servers", json={"server": server}).raise_for_status()
        deadline = time.monotonic() + PATIENCE_S
        while not json.loads(command("placement", "status", "--state", state, "--json").stdout)["hottest"]:
            assert time.monotonic() < deadline, "the server got no host"
        yield state


def test_status__as_tables(state: Path) -> None:
    told = command("placement", "status", "--state", state).stdout
    heads = [line.split() for line in told.splitlines() if line.isupper() or line.startswith("ALL ")]
    assert [head[0] for head in heads] == ["ZONE", "CELL", "ALL", "HOST"]
    assert "MEMORY_MB  2" in told


def test_status__as_json(state: Path) -> None:
    found = json.loads(command("placement", "status", "--state", state, "--json").stdout)
    assert {one["name"] for one in found["cells"]} == {"cell1"}


def test_show__a_host__its_inventories(state: Path) -> None:
    (host, *_) = json.loads(command("placement", "status", "--state", state, "--json").stdout)["hottest"]
    told = command("placement", "show", host["host"], "--state", state).stdout
    assert told.startswith(host["host"])
    assert "VCPU: " in told
    assert "consumer    " in told
    found = json.loads(command("placement", "show", host["host"], "--state", state, "--json").stdout)
    assert found["tree"][0]["name"] == host["host"]


def test_show__nobody__not_there(state: Path) -> None:
    done = command("placement", "show", "a/b c", "--state", state)
    assert done.returncode == ExitCode.NOT_THERE
    assert done.stderr == "kilonova: No provider and no host has the name or UUID a/b c.\n"


def test_audit__in_order__then_not(state: Path) -> None:
    done = command("placement", "audit", "--state", state)
    assert (done.returncode, done.stdout) == (ExitCode.OK, "All is in order.\n")
    with sqlite3.connect(next(state.rglob("placement.sqlite"))) as database:
        database.execute("UPDATE inventories SET used = capacity + 1 WHERE resource_class = 'DISK_GB'")
    done = command("placement", "audit", "--state", state)
    assert done.returncode == ExitCode.FAILURE
    assert done.stdout.count("wrong: DISK_GB of ") == 2
    assert done.stdout.count("note: DISK_GB of ") == 2
    assert not json.loads(command("placement", "audit", "--state", state, "--json").stdout)["in_order"]
