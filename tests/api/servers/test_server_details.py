"""What else is known of a server: its security groups, password, shares, NUMA nodes, and what other services tell of it."""

from typing import Any

import pytest

from api.server_stage import NEWEST, SERVERS, Stage

EVENTS = "/compute/v2.1/os-server-external-events"
UNKNOWN = "99999999-9999-4999-8999-999999999999"


@pytest.fixture(scope="module")
def server_id(stage: Stage) -> str:
    """An active server with a card in the stage's network."""
    return stage.boot(networks=[{"uuid": stage.network}])


def group_make(stage: Stage, name: str) -> str:
    body = {"security_group": {"name": name, "description": "d"}}
    made = stage.cloud.member.post("/compute/v2.1/os-security-groups", body)["security_group"]
    return str(made["id"])


def groups_of(stage: Stage, server_id: str) -> list[str]:
    found = stage.cloud.member.get(f"{SERVERS}/{server_id}/os-security-groups", version=NEWEST)["security_groups"]
    return [group["name"] for group in found]


def test_security_groups__added_and_removed__ports_have_them_and_the_server_shows_them(
    stage: Stage, server_id: str
) -> None:
    group_make(stage, "web")
    assert groups_of(stage, server_id) == ["default"]
    stage.act(server_id, {"addSecurityGroup": {"name": "web"}})
    stage.act(server_id, {"addSecurityGroup": {"name": "web"}})
    assert groups_of(stage, server_id) == ["default", "web"]
    assert {"name": "web"} in stage.show(server_id)["security_groups"]
    stage.act(server_id, {"removeSecurityGroup": {"name": "web"}})
    assert groups_of(stage, server_id) == ["default"]
    assert {"name": "web"} not in stage.show(server_id)["security_groups"]


def test_security_groups__what_can_not_be__is_refused(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"addSecurityGroup": {"name": "nothing"}}, status=404)
    group_make(stage, "twice")
    stage.act(server_id, {"removeSecurityGroup": {"name": "twice"}}, status=404)
    group_make(stage, "twice")
    stage.act(server_id, {"addSecurityGroup": {"name": "twice"}}, status=409)
    stage.act(server_id, {"addSecurityGroup": {}}, status=400)


def test_security_groups__server_of_others_or_without_ports__not_found(stage: Stage, server_id: str) -> None:
    stage.cloud.other.get(f"{SERVERS}/{server_id}/os-security-groups", status=404)
    stage.act(server_id, {"addSecurityGroup": {"name": "default"}}, who=stage.cloud.other, status=404)
    alone = stage.boot()
    assert groups_of(stage, alone) == []
    stage.act(alone, {"addSecurityGroup": {"name": "default"}}, status=404)


def test_topology__no_nodes(stage: Stage, server_id: str) -> None:
    path = f"{SERVERS}/{server_id}/topology"
    assert stage.cloud.reader.get(path, version="2.78") == {"nodes": [], "pagesize_kb": None}
    stage.cloud.reader.get(path, version="2.77", status=404)


def test_password__none_given__empty_and_can_be_cleared(stage: Stage, server_id: str) -> None:
    path = f"{SERVERS}/{server_id}/os-server-password"
    assert stage.cloud.reader.get(path) == {"password": ""}
    stage.cloud.reader.delete(path, status=403)
    stage.cloud.member.delete(path, status=204)


def test_shares__no_service_for_them__none_and_none_can_be_attached(stage: Stage, server_id: str) -> None:
    path, member = f"{SERVERS}/{server_id}/shares", stage.cloud.member
    assert member.get(path, version="2.97") == {"shares": []}
    member.get(path, version="2.96", status=404)
    member.get(f"{path}/{UNKNOWN}", version="2.97", status=404)
    member.post(path, {"share": {"share_id": UNKNOWN, "tag": "t"}}, version="2.97", status=404)
    member.post(path, {"share": {"share_id": "x"}}, version="2.97", status=400)
    member.delete(f"{path}/{UNKNOWN}", version="2.97", status=404)


def test_diagnostics__in_the_standard_form_and_in_the_old_one(stage: Stage, server_id: str) -> None:
    path, admin = f"{SERVERS}/{server_id}/diagnostics", stage.cloud.admin
    told = admin.get(path, version="2.48")
    assert (told["state"], told["driver"], told["num_cpus"], told["num_nics"]) == ("running", "fake", 1, 1)
    assert told["memory_details"] == {"maximum": 64, "used": None}
    (card,) = stage.cloud.member.get(f"{SERVERS}/{server_id}/os-interface")["interfaceAttachments"]
    assert told["nic_details"][0]["mac_address"] == card["mac_addr"]
    assert admin.get(path, version="2.47") == {"memory": 64 * 1024}
    stage.cloud.member.get(path, status=403)


def test_diagnostics__server_on_no_host__conflict(stage: Stage) -> None:
    failed = stage.create(flavorRef=stage.flavor_make("huge", ram=2**30))["server"]["id"]
    stage.cloud.wait_for_status(failed, "ERROR")
    stage.cloud.admin.get(f"{SERVERS}/{failed}/diagnostics", status=409)


def test_images_of_an_aggregate__fetched_by_its_hosts_before_anybody_needs_them(stage: Stage) -> None:
    admin, image = stage.cloud.admin, stage.image_make("soon")
    made = admin.post("/compute/v2.1/os-aggregates", {"aggregate": {"name": "warm"}})["aggregate"]["id"]
    path = f"/compute/v2.1/os-aggregates/{made}"
    host = admin.get("/compute/v2.1/os-services")["services"][0]["host"]
    admin.post(f"{path}/action", {"add_host": {"host": host}})
    wish = {"cache": [{"id": image}]}
    admin.post(f"{path}/images", wish, status=202, version="2.81")
    driver = stage.cloud.cloud.hypervisor
    assert driver is not None
    stage.cloud.wait_for(lambda: image in stage.cloud.run(driver.images_cached()), "the image to be there")
    admin.post(f"{path}/images", wish, status=404, version="2.80")
    admin.post(f"{path}/images", {"cache": [{"id": UNKNOWN}]}, status=400, version="2.81")
    admin.post(f"{path}/images", {"cache": [{"id": image}, {"id": image}]}, status=400, version="2.81")
    admin.post("/compute/v2.1/os-aggregates/9999/images", wish, status=404, version="2.81")


def tell(stage: Stage, *events: dict[str, Any], status: int = 200, version: str = NEWEST) -> Any:
    return stage.cloud.admin.post(EVENTS, {"events": list(events)}, status=status, version=version)


def test_event__network_changed__new_address_is_shown(stage: Stage) -> None:
    port = stage.port_make(stage.network)
    server_id = stage.boot(networks=[{"port": port["id"]}])
    (fixed,) = port["fixed_ips"]
    both = [{"ip_address": fixed["ip_address"]}, {"subnet_id": fixed["subnet_id"]}]
    path = f"/network/v2.0/ports/{port['id']}"
    now = stage.cloud.member.put(path, {"port": {"fixed_ips": both}})["port"]["fixed_ips"]
    answer = tell(stage, {"name": "network-changed", "server_uuid": server_id, "tag": port["id"]})
    (event,) = answer["events"]
    assert event == {
        "name": "network-changed",
        "server_uuid": server_id,
        "tag": port["id"],
        "status": "completed",
        "code": 200,
    }
    (shown,) = stage.show(server_id)["addresses"].values()
    assert {one["addr"] for one in shown} == {one["ip_address"] for one in now}


def test_event__port_was_deleted__card_goes(stage: Stage) -> None:
    server_id = stage.boot(networks=[{"uuid": stage.network}])
    path = f"{SERVERS}/{server_id}/os-interface"
    (card,) = stage.cloud.member.get(path)["interfaceAttachments"]
    event = {"name": "network-vif-deleted", "server_uuid": server_id, "tag": card["port_id"]}
    tell(stage, event)
    assert stage.show(server_id)["addresses"] != {}, "the port is there still"
    stage.cloud.member.delete(f"/network/v2.0/ports/{card['port_id']}", status=204)
    tell(stage, event)
    stage.cloud.wait_for(lambda: stage.show(server_id)["addresses"] == {}, "the card to be unplugged")


def test_events__some_about_nothing__each_has_its_code(stage: Stage, server_id: str) -> None:
    good = {"name": "network-vif-plugged", "server_uuid": server_id, "tag": "t"}
    lost = {"name": "network-changed", "server_uuid": UNKNOWN}
    power = {"name": "power-update", "server_uuid": server_id, "tag": "SIDEWAYS"}
    answer = tell(stage, good, lost, power, status=207)
    assert [event["code"] for event in answer["events"]] == [200, 404, 400]
    assert [event["status"] for event in answer["events"]] == ["completed", "failed", "failed"]
    tell(stage, lost, status=404)


@pytest.mark.parametrize(
    ("name", "since", "before"),
    [
        ("volume-extended", "2.51", "2.50"),
        ("power-update", "2.76", "2.75"),
        ("accelerator-request-bound", "2.82", "2.81"),
        ("volume-reimaged", "2.93", "2.92"),
    ],
)
def test_event__name_of_a_later_microversion__is_refused(
    stage: Stage, server_id: str, name: str, since: str, before: str
) -> None:
    event = {"name": name, "server_uuid": server_id, "tag": "POWER_ON"}
    tell(stage, event, version=since)
    tell(stage, event, version=before, status=400)


def test_event__from_a_user__is_refused(stage: Stage, server_id: str) -> None:
    body = {"events": [{"name": "network-changed", "server_uuid": server_id}]}
    stage.cloud.member.post(EVENTS, body, status=403)


def test_inject_network_info__of_a_server_on_a_host(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"injectNetworkInfo": None}, who=stage.cloud.admin)
    stage.act(server_id, {"injectNetworkInfo": None}, status=403)


def test_fixed_ip__added_and_removed__shown(stage: Stage) -> None:
    server_id = stage.boot(networks=[{"uuid": stage.network}])
    before = {one["addr"] for one in stage.show(server_id)["addresses"]["private"]}
    stage.act(server_id, {"addFixedIp": {"networkId": stage.network}}, version="2.43")
    after = {one["addr"] for one in stage.show(server_id)["addresses"]["private"]}
    (added,) = after - before
    stage.act(server_id, {"removeFixedIp": {"address": added}}, version="2.43")
    assert {one["addr"] for one in stage.show(server_id)["addresses"]["private"]} == before
    stage.act(server_id, {"removeFixedIp": {"address": added}}, version="2.43", status=400)
    stage.act(server_id, {"addFixedIp": {"networkId": UNKNOWN}}, version="2.43", status=400)
    stage.act(server_id, {"addFixedIp": {"networkId": stage.network}}, version="2.44", status=404)


def test_floating_ip__network_service_without_them__not_found(stage: Stage, server_id: str) -> None:
    for action in ("addFloatingIp", "removeFloatingIp"):
        stage.act(server_id, {action: {"address": "192.0.2.7"}}, version="2.43", status=404)
