"""What `kilonova placement` asks a running cloud."""

import pytest

from cloud import TestCloud


@pytest.mark.parametrize("path", ["status", "audit", "trees/nobody"])
def test_placement__member__403(shared_cloud: TestCloud, path: str) -> None:
    shared_cloud.member.get(f"/kilonova/placement/{path}", status=403)


def test_status__every_class_by_zone_and_cell(shared_cloud: TestCloud) -> None:
    found = shared_cloud.admin.get("/kilonova/placement/status")
    assert {"VCPU", "MEMORY_MB", "DISK_GB"} <= {one["resource_class"] for one in found["classes"]}
    assert found["unanswered"] == []


def test_audit__in_order(shared_cloud: TestCloud) -> None:
    found = shared_cloud.admin.get("/kilonova/placement/audit")
    assert (found["in_order"], found["consumers_without_owner"], found["unbalanced"]) == (True, [], [])


def test_tree__of_a_host__its_inventories(shared_cloud: TestCloud) -> None:
    hosts = shared_cloud.admin.get("/compute/v2.1/os-hypervisors", version="2.53")["hypervisors"]
    name = hosts[0]["hypervisor_hostname"]
    (root,) = shared_cloud.admin.get(f"/kilonova/placement/trees/{name}")["tree"]
    assert (root["name"], root["parent_uuid"]) == (name, None)
    assert root["inventories"]["VCPU"]["capacity"] >= root["inventories"]["VCPU"]["used"]
    shared_cloud.admin.get("/kilonova/placement/trees/nobody", status=404)
