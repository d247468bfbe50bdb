"""The tool, against a real cloud on the fake hypervisor."""

import subprocess
import sys
from pathlib import Path

import pytest
from nightfall import nightfall

TOOL = Path(__file__).parents[1] / "nightfall.py"


@pytest.fixture
def cloud(kilonova_cloud):
    """The project's connection to a cloud with one server for the day and one for the night."""
    wanted = kilonova_cloud.furnish()
    with kilonova_cloud.connection() as connection:
        for name, night in (("batch", "off"), ("shop", "on")):
            server = connection.compute.create_server(
                name=name,
                image_id=wanted["imageRef"],
                flavor_id=wanted["flavorRef"],
                networks=wanted["networks"],
                metadata={"night": night},
            )
            kilonova_cloud.wait_until_active(server.id)
        yield connection


def test_nightfall__one_server_is_marked__only_that_one_stops(cloud, kilonova_cloud):
    assert nightfall(cloud) == ["batch"]
    kilonova_cloud.wait_until(cloud.compute.find_server("batch").id, "SHUTOFF")
    assert cloud.compute.find_server("shop", ignore_missing=False).status == "ACTIVE"


def test_nightfall__again__does_nothing(cloud, kilonova_cloud):
    nightfall(cloud)
    kilonova_cloud.wait_until(cloud.compute.find_server("batch").id, "SHUTOFF")
    assert nightfall(cloud) == []


def test_nightfall__as_a_program__prints_what_it_stopped(cloud, kilonova_cloud):
    line = [sys.executable, str(TOOL)]
    done = subprocess.run(line, env=kilonova_cloud.environ(), capture_output=True, text=True, check=True)
    assert done.stdout == "batch\n"


def test_nightfall__hypervisor_fails_for_a_moment__the_server_stops_all_the_same(cloud, kilonova_cloud):
    kilonova_cloud.fail_next("guest_stop")
    nightfall(cloud)
    kilonova_cloud.wait_until(cloud.compute.find_server("batch").id, "SHUTOFF")
