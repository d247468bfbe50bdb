"""`kilonova scheduler` on a cloud that runs, with filters from its environment, and on fleets that don't exist."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from kilonova.cli.exit_codes import ExitCode
from tools.up_cloud import UpCloud
from unit.cli.test_up import command

FLAVORS = "/compute/v2.1/flavors"
FILTERS = "ComputeFilter,ComputeCapabilitiesFilter,JsonFilter"


class Asked:
    """The state directory of a cloud of three hosts, with a small and a huge flavor."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def explain(self, *words: str) -> Any:
        return command("scheduler", "explain", *words, "--state", self.state)

    def found(self, *words: str) -> dict[str, Any]:
        return dict(json.loads(self.explain(*words, "--json").stdout))


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    state = tmp_path_factory.mktemp("cloud") / "state"
    with UpCloud(state, "--hosts", 3, KILONOVA_SCHEDULER_ENABLED_FILTERS=FILTERS) as cloud:
        with cloud.client() as admin:
            for name, ram in (("small", 512), ("huge", 1_000_000)):
                flavor = {"name": name, "vcpus": 1, "ram": ram, "disk": 1}
                admin.post(FLAVORS, json={"flavor": flavor}).raise_for_status()
            image = {"name": "tiny", "disk_format": "raw", "container_format": "bare"}
            admin.post("/image/v2/images", json=image).raise_for_status()
        yield Asked(state)


def test_explain__hosts_fit__named_best_first(asked: Asked) -> None:
    lines = asked.explain("--flavor", "small", "--image", "tiny").stdout.splitlines()
    assert lines[0] == "3 hosts"
    assert lines[1].startswith("3 hosts left, the best first: ")


def test_explain__nothing_fits__what_removed_how_many_and_an_example(asked: Asked) -> None:
    found = asked.found("--flavor", "huge", "--hint", 'query=["in", "$vcpus_total", 64]')
    assert (found["total"], found["fitting"], found["hosts"]) == (3, 0, [])
    (removed,) = found["removed"]
    assert (removed["constraint"], removed["removed"]) == ("MEMORY_MB: 1000000", 3)
    told = asked.explain("--flavor", "huge").stdout
    assert f"  MEMORY_MB: 1000000  removed 3 (e.g. {removed['example']})" in told
    assert told.endswith("no hosts left\n")


def test_explain__wishes__each_is_a_constraint(asked: Asked) -> None:
    name = asked.found("--flavor", "small")["hosts"][0]["name"]
    one = asked.found("--flavor", "small", "--host", name)
    assert ([host["name"] for host in one["hosts"]], one["removed"][0]["constraint"]) == ([name], "RequestedHost")
    for words, constraint in (
        (("--zone", "mars"), "AvailabilityZoneFilter"),
        (("--hint", 'query=["=", "$host", "x"]'), "JsonFilter"),
    ):
        assert [one["constraint"] for one in asked.found("--flavor", "small", *words)["removed"]] == [constraint]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--flavor", "none"), ExitCode.NOT_THERE),
        (("--flavor", "small", "--image", "none"), ExitCode.NOT_THERE),
        (("--flavor", "small", "--group", "00000000-0000-4000-8000-000000000000"), ExitCode.NOT_THERE),
        (("--flavor", "small", "--hint", "near"), ExitCode.USAGE),
        ((), ExitCode.USAGE),
    ],
)
def test_explain__what_is_not_there__said(asked: Asked, words: tuple[str, ...], code: ExitCode) -> None:
    assert asked.explain(*words).returncode == code


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """Ten servers for an hour each."""
    file = tmp_path / "day.jsonl"
    lines = [{"at": at * 60, "vcpus": 2, "memory_mb": 2048, "lifetime_s": 3600, "group": "g"} for at in range(10)]
    file.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    return file


def test_simulate__imagined_fleet__fill_failures_and_a_plot(day: Path, tmp_path: Path) -> None:
    plot = tmp_path / "day.svg"
    words = ("simulate", day, "--hosts", 8, "--size", "16,32768,100", "--plot", plot)
    assert command("scheduler", *words).stdout.splitlines() == [
        "10 requests over 8 hosts: 8 placed, 2 refused",
        "fullest: VCPU 12%, MEMORY_MB 6%, DISK_GB 0%",
        "  2 refused after ServerGroupAntiAffinityFilter",
        "first refusal: request 9, at 480 s: ServerGroupAntiAffinityFilter removed 8 (e.g. host-1)",
    ]
    lines = ElementTree.parse(plot).findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 4


def test_simulate__the_fleet_that_is_there__as_full_as_it_is(day: Path, asked: Asked) -> None:
    found = json.loads(command("scheduler", "simulate", day, "--state", asked.state, "--json").stdout)
    assert (found["hosts"], found["placed"], found["refused"]) == (3, 3, 7)


def test_simulate__line_that_is_no_request__named(tmp_path: Path) -> None:
    file = tmp_path / "day.jsonl"
    file.write_text('{"at": 0, "vcpus": 1, "memory_mb": 1}\n{"at": 0, "vcpus": -1, "memory_mb": 1}\n')
    done = command("scheduler", "simulate", file, "--hosts", 1)
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith(f"kilonova: {file}:2: ")
    assert command("scheduler", "simulate", file, "--hosts", 1, "--size", "big").returncode == ExitCode.USAGE
