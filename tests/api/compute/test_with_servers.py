"""What hosts, groups and quotas show once there are servers: on a whole cloud."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.server_stage import Stage
from cloud import TestCloud

V21 = "/compute/v2.1"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with TestCloud(tmp_path_factory.mktemp("cloud"), hosts=2) as cloud:
        yield Stage(cloud)


@pytest.fixture(scope="module")
def group(stage: Stage) -> Any:
    body = {"server_group": {"name": "g", "policy": "anti-affinity"}}
    return stage.cloud.member.post(f"{V21}/os-server-groups", body, version="2.64")["server_group"]


@pytest.fixture(scope="module")
def server(stage: Stage, group: Any) -> Any:
    created = stage.create(hints={"group": group["id"]})["server"]
    return stage.cloud.wait_for_status(created["id"], "ACTIVE")


def hypervisor(stage: Stage, host: str, version: str, query: str = "") -> Any:
    listed = stage.cloud.admin.get(f"{V21}/os-hypervisors/detail{query}", version=version)["hypervisors"]
    return next(one for one in listed if one["hypervisor_hostname"] == host)


def test_hypervisor__usage_and_servers(stage: Stage, server: Any) -> None:
    host = server["OS-EXT-SRV-ATTR:host"]
    told = hypervisor(stage, host, "2.87")
    assert (told["running_vms"], told["vcpus_used"], told["local_gb_used"]) == (1, 1, 1)
    name = {"name": server["OS-EXT-SRV-ATTR:instance_name"], "uuid": server["id"]}
    assert hypervisor(stage, host, "2.88", "?with_servers=true")["servers"] == [name]
    (old,) = stage.cloud.admin.get(f"{V21}/os-hypervisors/{host}/servers", version="2.52")["hypervisors"]
    assert old["servers"] == [name]


def test_group__shows_its_member(stage: Stage, server: Any, group: Any) -> None:
    shown = stage.cloud.member.get(f"{V21}/os-server-groups/{group['id']}")["server_group"]
    assert shown["members"] == [server["id"]]


def test_limits_and_quota__count_it(stage: Stage, server: Any) -> None:
    assert server["status"] == "ACTIVE"
    absolute = stage.cloud.member.get(f"{V21}/limits")["limits"]["absolute"]
    used = [absolute[key] for key in ("totalInstancesUsed", "totalCoresUsed", "totalRAMUsed", "totalServerGroupsUsed")]
    assert used == [1, 1, 64, 1]
    detail = stage.cloud.member.get(f"{V21}/os-quota-sets/{stage.cloud.member.project_id}/detail")["quota_set"]
    assert (detail["instances"]["in_use"], detail["ram"]["in_use"]) == (1, 64)


def test_service_of_busy_host__cannot_be_deleted(stage: Stage, server: Any) -> None:
    host = server["OS-EXT-SRV-ATTR:host"]
    (service,) = stage.cloud.admin.get(f"{V21}/os-services?host={host}", version="2.53")["services"]
    stage.cloud.admin.delete(f"{V21}/os-services/{service['id']}", version="2.53", status=409)


def test_busy_host__keeps_its_zone(stage: Stage, server: Any) -> None:
    busy, admin = {"host": server["OS-EXT-SRV-ATTR:host"]}, stage.cloud.admin

    def aggregate(name: str, zone: str | None) -> str:
        body = {"aggregate": {"name": name, "availability_zone": zone}}
        return f"{V21}/os-aggregates/{admin.post(f'{V21}/os-aggregates', body)['aggregate']['id']}"

    zone, plain = aggregate("zone", "east"), aggregate("plain", None)
    admin.post(f"{zone}/action", {"add_host": busy}, status=409)
    admin.post(f"{plain}/action", {"add_host": busy})
    admin.put(plain, {"aggregate": {"availability_zone": "east"}}, status=400)
    admin.put(plain, {"aggregate": {"name": "renamed"}})
    admin.post(f"{plain}/action", {"remove_host": busy})


def test_flavor__deleted__server_keeps_it(stage: Stage, server: Any) -> None:
    stage.cloud.admin.delete(f"{V21}/flavors/{stage.flavor}", status=202)
    shown = stage.cloud.member.get(f"{V21}/servers/{server['id']}", version="2.47")["server"]
    assert shown["flavor"]["original_name"] == "tiny"
