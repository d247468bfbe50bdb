"""Servers that want NUMA nodes, dedicated CPUs or devices of hosts that have them, over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.server_stage import Stage
from cloud import TestCloud


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A cloud of one host with two NUMA nodes and two devices."""
    path: Path = tmp_path_factory.mktemp("cloud")
    fake = {"numa_nodes": 2, "dedicated_cpus": 4, "huge_pages": 64, "pci_devices": ["10de:1eb8*2"]}
    with TestCloud(path, tables={"fake": fake, "pci": {"alias": ["gpu=10de:1eb8"]}}) as cloud:
        yield Stage(cloud)


def flavor(stage: Stage, name: str, **specs: str) -> str:
    """A flavor with extra specs; two underscores are a colon."""
    made = stage.flavor_make(name, vcpus=2)
    extra = {key.replace("__", ":"): value for key, value in specs.items()}
    stage.cloud.admin.post(f"/compute/v2.1/flavors/{made}/os-extra_specs", {"extra_specs": extra})
    return made


def held(stage: Stage, server_id: str) -> dict[str, Any]:
    """What a server holds, added up over providers."""
    totals: dict[str, int] = {}
    found = stage.cloud.admin.get(f"/placement/allocations/{server_id}")["allocations"]
    for one in found.values():
        for name, amount in one["resources"].items():
            totals[name] = totals.get(name, 0) + amount
    return totals


def test_create__dedicated_cpus_huge_pages_and_a_device__are_held_in_placement(stage: Stage) -> None:
    specs = {"hw__cpu_policy": "dedicated", "hw__mem_page_size": "large", "pci_passthrough__alias": "gpu:1"}
    server_id = stage.boot(flavorRef=flavor(stage, "everything", **specs))
    assert held(stage, server_id) == {
        "PCPU": 2,
        "CUSTOM_MEMORY_PAGES_2048KB": 32,
        "CUSTOM_PCI_10DE_1EB8": 1,
        "DISK_GB": 1,
    }
    stage.cloud.member.delete(f"/compute/v2.1/servers/{server_id}")


def test_create__without_any_wish__on_a_host_with_nodes_as_on_any_other(stage: Stage) -> None:
    assert held(stage, stage.boot()) == {"VCPU": 1, "MEMORY_MB": 64, "DISK_GB": 1}


@pytest.mark.parametrize(
    ("name", "specs", "told"),
    [
        ("unknown-device", {"pci_passthrough__alias": "disk:1"}, "PCI alias disk is not defined"),
        ("three-nodes", {"hw__numa_nodes": "3"}, "can't be dealt out evenly"),
        ("threads", {"hw__cpu_thread_policy": "require"}, "goes with hw:cpu_policy"),
    ],
)
def test_create__what_cannot_be_had__is_refused_with_the_reason(
    stage: Stage, name: str, specs: dict[str, str], told: str
) -> None:
    assert told in stage.refused(400, flavorRef=flavor(stage, name, **specs))


def test_create__an_image_against_its_flavor__is_refused(stage: Stage) -> None:
    shared = flavor(stage, "shared", hw__cpu_policy="shared")
    image = stage.image_make("pinned", hw_cpu_policy="dedicated")
    assert "not permitted to override" in stage.refused(400, flavorRef=shared, imageRef=image)


def test_rebuild__with_an_image_that_wants_other_nodes__is_refused(stage: Stage) -> None:
    server_id = stage.boot()
    image = stage.image_make("two-nodes", hw_numa_nodes="1")
    message = stage.act(server_id, {"rebuild": {"imageRef": image}}, status=400)["badRequest"]["message"]
    assert "NUMA topology cannot be changed" in message
