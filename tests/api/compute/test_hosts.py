"""Hypervisors and compute services."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from api.compute_rig import MEMBER, Rig, describe
from kilonova.cells.hosts import hosts_register_txn
from kilonova.objects.history.wire import WIRE
from kilonova.operations.discovery import provider_of
from kilonova.placement.shapes import Claim, Claimed
from kilonova.placement.tables import providers
from kilonova.runtime.real import RealRuntime

BRIEF = {"id", "hypervisor_hostname", "state", "status"}
LASTING = BRIEF | {"hypervisor_type", "hypervisor_version", "host_ip", "service"}
USAGE = {
    "vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb", "local_gb", "local_gb_used", "free_disk_gb",
    "disk_available_least", "running_vms", "current_workload", "cpu_info",
}  # fmt: skip


@pytest.mark.parametrize(
    ("version", "keys", "id_type", "cpu_type"),
    [
        ("2.1", LASTING | USAGE, int, str),
        ("2.28", LASTING | USAGE, int, dict),
        ("2.53", LASTING | USAGE, str, dict),
        ("2.87", LASTING | USAGE, str, dict),
        ("2.88", LASTING | {"uptime"}, str, type(None)),
        ("2.104", LASTING | {"uptime"}, str, type(None)),
    ],
)
def test_hypervisor__at_each_version__its_keys(
    rig: Rig, version: str, keys: set[str], id_type: type, cpu_type: type
) -> None:
    listed = rig.ok("GET", "/os-hypervisors/detail", version=version)["hypervisors"][0]
    assert set(listed) == keys
    assert (type(listed["id"]), type(listed["service"]["id"]), type(listed.get("cpu_info"))) == (
        id_type,
        id_type,
        cpu_type,
    )
    assert rig.ok("GET", f"/os-hypervisors/{listed['id']}", version=version)["hypervisor"] == listed
    brief = rig.ok("GET", "/os-hypervisors", version=version)["hypervisors"][0]
    assert brief == {key: listed[key] for key in BRIEF}


def test_hypervisor__numbers__host_own(rig: Rig) -> None:
    listed = rig.ok("GET", "/os-hypervisors/detail")["hypervisors"][0]
    assert (listed["vcpus"], listed["vcpus_used"], listed["memory_mb"], listed["memory_mb_used"]) == (16, 0, 32768, 512)
    assert (listed["local_gb"], listed["free_disk_gb"], listed["running_vms"]) == (500, 500, 0)


def test_statistics__sums__until_2_87(rig: Rig) -> None:
    told = rig.ok("GET", "/os-hypervisors/statistics", version="2.87")["hypervisor_statistics"]
    assert (told["count"], told["vcpus"], told["memory_mb"]) == (2, 32, 65536)
    assert rig.ask("GET", "/os-hypervisors/statistics", version="2.88").status_code == 404


def test_search__by_path_until_2_52_then_by_query(rig: Rig) -> None:
    assert [h["hypervisor_hostname"] for h in rig.ok("GET", "/os-hypervisors/t-2/search")["hypervisors"]] == ["host-2"]
    assert rig.ask("GET", "/os-hypervisors/nowhere/search").status_code == 404
    assert rig.ask("GET", "/os-hypervisors/t-2/search", version="2.53").status_code == 404
    found = rig.ok("GET", "/os-hypervisors?hypervisor_hostname_pattern=t-2", version="2.53")["hypervisors"]
    assert [h["hypervisor_hostname"] for h in found] == ["host-2"]
    assert rig.ask("GET", "/os-hypervisors?hypervisor_hostname_pattern=none", version="2.53").status_code == 404
    assert rig.ask("GET", "/os-hypervisors?hypervisor_hostname_pattern=t&limit=1", version="2.53").status_code == 400


def test_servers__none__left_out_before_2_75(rig: Rig) -> None:
    assert "servers" not in rig.ok("GET", "/os-hypervisors/host-1/servers")["hypervisors"][0]
    path = "/os-hypervisors/detail?with_servers=true"
    assert "servers" not in rig.ok("GET", path, version="2.74")["hypervisors"][0]
    assert rig.ok("GET", path, version="2.75")["hypervisors"][0]["servers"] == []
    assert "servers" not in rig.ok("GET", "/os-hypervisors/detail", version="2.75")["hypervisors"][0]


def test_paging__since_2_33(rig: Rig) -> None:
    assert len(rig.ok("GET", "/os-hypervisors?limit=1", version="2.32")["hypervisors"]) == 2
    for version in ("2.33", "2.53"):
        page = rig.ok("GET", "/os-hypervisors?limit=1", version=version)
        following = page["hypervisors_links"][0]["href"].partition("/v2.1")[2]
        assert [h["hypervisor_hostname"] for h in rig.ok("GET", following, version=version)["hypervisors"]] == [
            "host-2"
        ]


@pytest.mark.parametrize(("version", "status"), [("2.52", 404), ("2.53", 400)])
def test_hypervisor__bad_id__404_then_400(rig: Rig, version: str, status: int) -> None:
    assert rig.ask("GET", "/os-hypervisors/x", version=version).status_code == status
    assert rig.ask("GET", f"/os-hypervisors/{'0' * 8}-0000-0000-0000-{'0' * 12}", version=version).status_code == 404


@pytest.mark.parametrize(("version", "status"), [("2.52", 200), ("2.53", 400)])
def test_hypervisors__unknown_parameter__refused_since_2_53(rig: Rig, version: str, status: int) -> None:
    assert rig.ask("GET", "/os-hypervisors?x=1", version=version).status_code == status


@pytest.mark.parametrize("version", ["2.1", "2.53", "2.87", "2.88"])
def test_uptime__host_says_when_it_was_started__told(rig: Rig, version: str) -> None:
    two_days_ago = RealRuntime().now() - 2 * 24 * 3600 - 3 * 3600 - 4 * 60 - 30
    described = msgspec.structs.replace(describe("host-1"), booted_at=two_days_ago)
    rig.run(
        rig.databases["cell1"].write(hosts_register_txn, "agent", WIRE.newest.label, [described], RealRuntime().uuid)
    )
    number = rig.ok("GET", "/os-hypervisors", version=version)["hypervisors"][0]["id"]
    path = f"/os-hypervisors/{number}" + ("" if version == "2.88" else "/uptime")
    assert rig.ok("GET", path, version=version)["hypervisor"]["uptime"] == "up 2 days, 3:04"


def test_uptime__driver_cannot_say__501(rig: Rig) -> None:
    number = rig.ok("GET", "/os-hypervisors")["hypervisors"][0]["id"]
    assert rig.ask("GET", f"/os-hypervisors/{number}/uptime").status_code == 501
    assert rig.ask("GET", f"/os-hypervisors/{number}/uptime", version="2.88").status_code == 404


def first(rig: Rig, version: str) -> Any:
    return rig.ok("GET", "/os-services", version=version)["services"][0]


SERVICE = {"id", "binary", "host", "zone", "status", "state", "updated_at", "disabled_reason"}


@pytest.mark.parametrize(
    ("version", "keys", "id_type"),
    [("2.1", SERVICE, int), ("2.11", SERVICE | {"forced_down"}, int), ("2.53", SERVICE | {"forced_down"}, str)],
)
def test_service__at_each_version__its_keys(rig: Rig, version: str, keys: set[str], id_type: type) -> None:
    service = first(rig, version)
    assert (set(service), type(service["id"])) == (keys, id_type)
    assert (service["binary"], service["host"], service["state"], service["zone"]) == (
        "nova-compute",
        "host-1",
        "up",
        "nova",
    )


def test_services__filtered(rig: Rig) -> None:
    assert [s["host"] for s in rig.ok("GET", "/os-services?host=host-2")["services"]] == ["host-2"]
    assert len(rig.ok("GET", "/os-services?binary=nova-compute")["services"]) == 2
    assert rig.ok("GET", "/os-services?binary=nova-conductor")["services"] == []
    assert rig.ask("GET", "/os-services", token=MEMBER).status_code == 403


def test_service__actions_by_name__until_2_52(rig: Rig) -> None:
    body = {"host": "host-1", "binary": "nova-compute"}
    told = {"host": "host-1", "binary": "nova-compute"}
    assert rig.ok("PUT", "/os-services/disable", body) == {"service": told | {"status": "disabled"}}
    assert first(rig, "2.1")["status"] == "disabled"
    assert rig.ok("PUT", "/os-services/enable", body) == {"service": told | {"status": "enabled"}}
    reason = body | {"disabled_reason": "repair"}
    assert rig.ok("PUT", "/os-services/disable-log-reason", reason)["service"]["disabled_reason"] == "repair"
    assert first(rig, "2.1")["disabled_reason"] == "repair"
    down = body | {"forced_down": "true"}
    assert rig.ok("PUT", "/os-services/force-down", down, version="2.11") == {"service": told | {"forced_down": True}}
    assert first(rig, "2.11")["state"] == "down"


@pytest.mark.parametrize(
    ("action", "fields", "version", "status"),
    [
        ("force-down", {"forced_down": True}, "2.10", 404),
        ("explode", {}, "2.1", 404),
        ("force-down", {}, "2.11", 400),
        ("disable-log-reason", {}, "2.1", 400),
        ("disable-log-reason", {"disabled_reason": ""}, "2.1", 400),
        ("disable-log-reason", {"disabled_reason": "r" * 256}, "2.1", 400),
        ("enable", {"host": "host-9"}, "2.1", 404),
        ("enable", {"binary": "nova-conductor"}, "2.1", 404),
        ("enable", {"forced_down": True}, "2.10", 400),
        ("enable", {"surprise": 1}, "2.1", 400),
        ("enable", {}, "2.53", 400),
    ],
)
def test_service__bad_action__refused(rig: Rig, action: str, fields: dict[str, Any], version: str, status: int) -> None:
    body = {"host": "host-1", "binary": "nova-compute", **fields}
    assert rig.ask("PUT", f"/os-services/{action}", body, version=version).status_code == status


def test_service__update_by_uuid__since_2_53(rig: Rig) -> None:
    path = f"/os-services/{first(rig, '2.53')['id']}"
    body = {"status": "disabled", "disabled_reason": "repair", "forced_down": True}
    service = rig.ok("PUT", path, body, version="2.53")["service"]
    assert (service["status"], service["disabled_reason"], service["forced_down"]) == ("disabled", "repair", True)
    service = rig.ok("PUT", path, {"status": "enabled", "forced_down": False}, version="2.53")["service"]
    assert (service["status"], service["disabled_reason"], service["state"]) == ("enabled", None, "up")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"disabled_reason": "r"},
        {"status": "enabled", "disabled_reason": "r"},
        {"status": "off"},
        {"host": "host-1"},
        {"forced_down": 7},
        [],
    ],
)
def test_service__bad_update__400(rig: Rig, body: Any) -> None:
    assert rig.ask("PUT", f"/os-services/{first(rig, '2.53')['id']}", body, version="2.53").status_code == 400


def test_service__deleted__refused_while_anything_is_held_then_nothing_is_left_in_placement(rig: Rig) -> None:
    async def discovered() -> str:
        hosts = await rig.compute.hosts.all()
        await rig.compute.placement.providers_ensure([provider_of(host) for host in hosts])
        return hosts[0].uuid

    async def held(amount: int) -> None:
        placement = rig.compute.placement
        generation = await placement.consumer_generation("consumer")
        allocations = {uuid: {"VCPU": amount}} if amount else {}
        claim = Claim(consumer="consumer", generation=generation, allocations=allocations, project_id="p", user_id="u")
        assert isinstance(await placement.claim(claim), Claimed)

    uuid = rig.run(discovered())
    rig.run(held(1))
    path = f"/os-services/{first(rig, '2.53')['id']}"
    refused = rig.ask("DELETE", path, version="2.53")
    assert refused.status_code == 409
    assert "placement" in refused.text
    assert rig.ok("GET", "/os-services")["services"][0]["host"] == "host-1"
    rig.run(held(0))
    rig.ok("DELETE", path, version="2.53", status=204)
    rows = rig.run(rig.databases["placement"].read(lambda tx: tx.execute(select(providers.c.uuid)).scalars().all()))
    assert uuid not in rows
    assert len(rows) == len(rig.ok("GET", "/os-services")["services"])


def test_service__deleted__host_leaves_its_aggregates(rig: Rig) -> None:
    number = rig.ok("POST", "/os-aggregates", {"aggregate": {"name": "a"}})["aggregate"]["id"]
    rig.ok("POST", f"/os-aggregates/{number}/action", {"add_host": {"host": "host-1"}})
    path = f"/os-services/{first(rig, '2.53')['id']}"
    rig.ok("DELETE", path, version="2.53", status=204)
    assert rig.ask("DELETE", path, version="2.53").status_code == 404
    assert rig.ok("GET", f"/os-aggregates/{number}")["aggregate"]["hosts"] == []
    assert rig.ask("DELETE", "/os-services/x", version="2.53").status_code == 400
    assert rig.ask("DELETE", "/os-services/x").status_code == 404
