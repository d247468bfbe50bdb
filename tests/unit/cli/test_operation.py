"""`kilonova operation` on a cloud that runs: one whose only boot found no host."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kilonova.cli.exit_codes import ExitCode
from tools.up_cloud import UpCloud
from unit.cli.test_up import PATIENCE_S, command

WHY = ("--reason", "the rack burns")


@dataclass
class Failed:
    """The state directory, and the boot that failed."""

    state: Path
    boot: str = ""

    def run(self, verb: str, *words: str) -> Any:
        return command("operation", verb, *words, "--state", self.state)

    def listed(self, *words: str) -> list[dict[str, Any]]:
        return list(json.loads(self.run("list", "--json", *words).stdout)["operations"])


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failed]:
    state = tmp_path_factory.mktemp("cloud") / "state"
    with UpCloud(state, "--hosts", 0) as cloud:
        failed = Failed(state)
        with cloud.client("kilonova") as member:
            server = {"name": "nowhere", **cloud.furnish()}
            member.post("/compute/v2.1/servers", json={"server": server}).raise_for_status()
        deadline = time.monotonic() + PATIENCE_S
        while not (found := failed.listed("--in-state", "failed")):
            assert time.monotonic() < deadline, "the boot did not fail"
        failed.boot = found[0]["id"]
        yield failed


def test_list__as_a_table(failed: Failed) -> None:
    done = failed.run("list", "--in-state", "failed", "--kind", "boot", "--cell", "cell0", "--older", "0s")
    head, line = done.stdout.splitlines()
    assert head.split() == ["ID", "KIND", "STATE", "STEP", "WHERE", "AGE", "SERVER"]
    assert line.split()[:3] == [failed.boot, "boot", "failed"]


def test_list__nothing_is_live__only_the_head(failed: Failed) -> None:
    for words in ((), ("--blocked",), ("--older", "10m"), ("--server", failed.boot)):
        assert len(failed.run("list", *words).stdout.splitlines()) == 1


def test_list__span_that_is_none__usage(failed: Failed) -> None:
    done = failed.run("list", "--older", "soon")
    assert done.returncode == ExitCode.USAGE
    assert "write 90s, 10m, 2h or 1d" in done.stderr


def test_show__with_its_log(failed: Failed) -> None:
    told = failed.run("show", failed.boot).stdout
    assert "No valid host was found" in told
    assert "AT                   STEP      RESULT" in told
    document = json.loads(failed.run("show", failed.boot, "--json").stdout)
    assert document["events"][-1]["result"] == "failed"


@pytest.mark.parametrize("verb", ["retry", "abandon", "supersede"])
def test_intervention__it_has_ended__refused_in_the_clouds_words(failed: Failed, verb: str) -> None:
    done = failed.run(verb, failed.boot, *WHY)
    assert done.stderr == f"kilonova: Operation {failed.boot} has ended: it is failed.\n"
    assert done.returncode == ExitCode.REFUSED
    assert failed.run(verb, "nothing", *WHY).returncode == ExitCode.NOT_THERE
    assert failed.run(verb, failed.boot).returncode == ExitCode.USAGE
