"""Routes of long ago that pass on what other services say: images, networks, security groups, volumes; hosts; other names."""

from typing import Any

import pytest

from api.server_stage import SERVERS, Stage

V21 = "/compute/v2.1"
UNKNOWN = "99999999-9999-4999-8999-999999999999"
OLD = "2.35"


def get(stage: Stage, path: str, *, status: int = 200, version: str = OLD, **params: str) -> Any:
    return stage.cloud.member.get(V21 + path, status=status, version=version, params=params or None)


def test_images__listed_and_shown_in_the_old_words(stage: Stage) -> None:
    own = stage.image_make("mine", image_type="snapshot", auto_disk_config="True")
    brief = {one["id"]: one for one in get(stage, "/images")["images"]}
    assert set(brief[own]) == {"id", "name", "links"}
    (found,) = get(stage, "/images/detail?type=snapshot&name=mine&status=ACTIVE")["images"]
    assert (found["id"], found["status"], found["progress"], found["OS-DCF:diskConfig"]) == (own, "ACTIVE", 100, "AUTO")
    assert found["metadata"]["image_type"] == "snapshot"
    assert get(stage, f"/images/{own}")["image"] == found
    assert get(stage, "/images", **{"property-image_type": "none"})["images"] == []
    first = get(stage, "/images", limit="1")
    assert f"marker={first['images'][0]['id']}" in first["images_links"][0]["href"]
    get(stage, f"/images/{UNKNOWN}", status=404)
    get(stage, "/images", version="2.36", status=404)


def test_images__of_others__are_not_deleted(stage: Stage) -> None:
    public = stage.image_make("public")
    stage.cloud.member.delete(f"{V21}/images/{public}", status=403)
    stage.cloud.admin.delete(f"{V21}/images/{public}", status=204)
    get(stage, f"/images/{public}", status=404)


def test_image_metadata__items_come_and_go(stage: Stage) -> None:
    path = f"{V21}/images/{stage.image_make('described', a='1')}/metadata"
    admin = stage.cloud.admin
    assert admin.get(path, version="2.38") == {"metadata": {"a": "1"}}
    assert admin.post(path, {"metadata": {"b": "2"}}) == {"metadata": {"a": "1", "b": "2"}}
    assert admin.put(f"{path}/a", {"meta": {"a": "3"}}) == {"meta": {"a": "3"}}
    admin.put(f"{path}/a", {"meta": {"b": "3"}}, status=400)
    admin.delete(f"{path}/b", status=204)
    admin.delete(f"{path}/b", status=404)
    assert admin.put(path, {"metadata": {"c/d": "4"}}, status=400)
    assert admin.put(path, {"metadata": {"c": "4"}}) == admin.get(path) == {"metadata": {"c": "4"}}
    assert admin.get(f"{path}/c") == {"meta": {"c": "4"}}
    admin.post(path, {"metadata": {f"k{number}": "v" for number in range(200)}}, status=403)
    stage.cloud.member.post(path, {"metadata": {"b": "2"}}, status=403)
    admin.get(path, version="2.39", status=404)


def test_networks__by_both_names(stage: Stage) -> None:
    foreign = stage.network_make("foreign", None, who=stage.cloud.other)
    told = {one["id"]: one for one in get(stage, "/os-networks")["networks"]}
    assert told[stage.network]["label"] == "private"
    assert foreign not in told
    assert "vlan" not in told[stage.network]
    assert "vlan" in stage.cloud.admin.get(f"{V21}/os-networks/{foreign}")["network"]
    brief = {"id": stage.network, "label": "private", "cidr": "None"}
    assert get(stage, f"/os-tenant-networks/{stage.network}")["network"] == brief
    assert brief in get(stage, "/os-tenant-networks")["networks"]
    get(stage, f"/os-networks/{foreign}", status=404)
    get(stage, "/os-networks/nothing", status=404)
    get(stage, "/os-networks", version="2.36", status=404)


def test_floating_ips__network_service_without_them__none(stage: Stage) -> None:
    assert get(stage, "/os-floating-ip-pools") == {"floating_ip_pools": []}
    assert get(stage, "/os-floating-ips") == {"floating_ips": []}
    get(stage, f"/os-floating-ips/{UNKNOWN}", status=404)
    stage.cloud.member.post(f"{V21}/os-floating-ips", {"pool": "public"}, status=404)
    stage.cloud.member.delete(f"{V21}/os-floating-ips/{UNKNOWN}", status=404)


def test_security_groups__made_changed_and_deleted(stage: Stage) -> None:
    member, path = stage.cloud.member, f"{V21}/os-security-groups"
    made = member.post(path, {"security_group": {"name": "g", "description": "d"}})["security_group"]
    assert made == {**made, "name": "g", "description": "d", "rules": [], "tenant_id": member.project_id}
    one = f"{path}/{made['id']}"
    changed = member.put(one, {"security_group": {"name": "h", "description": "e"}})["security_group"]
    assert member.get(one)["security_group"] == changed == {**made, "name": "h", "description": "e"}
    assert [group["name"] for group in member.get(path)["security_groups"]] == ["default", "h"]
    assert [group["name"] for group in member.get(f"{path}?offset=1&limit=1")["security_groups"]] == ["h"]
    stage.cloud.other.get(one, status=404)
    stage.cloud.reader.delete(one, status=403)
    default = next(group for group in member.get(path)["security_groups"] if group["name"] == "default")
    member.put(f"{path}/{default['id']}", {"security_group": {"name": "x", "description": ""}}, status=400)
    member.delete(f"{path}/{default['id']}", status=400)
    member.delete(one, status=202)
    member.delete(one, status=404)


def test_security_group_rules__made_and_deleted(stage: Stage) -> None:
    member, path = stage.cloud.member, f"{V21}/os-security-group-rules"
    group = {"security_group": {"name": "ruled", "description": ""}}
    group_id = member.post(f"{V21}/os-security-groups", group)["security_group"]["id"]

    def make(status: int = 200, **wish: Any) -> Any:
        body = {"security_group_rule": {"parent_group_id": group_id, **wish}}
        (inner,) = member.post(path, body, status=status).values()
        return inner

    ssh = make(ip_protocol="tcp", from_port=22, to_port="22", cidr="10.2.3.4/8")
    assert ssh == {
        "id": ssh["id"],
        "parent_group_id": group_id,
        "ip_protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
        "group": {},
        "ip_range": {"cidr": "10.2.3.4/8"},
    }
    among = make(ip_protocol="ICMP", from_port=-1, to_port=-1, group_id=group_id)
    assert (among["from_port"], among["group"]["name"], among["ip_range"]) == (-1, "ruled", {})
    shown = member.get(f"{V21}/os-security-groups/{group_id}")["security_group"]["rules"]
    assert {rule["id"] for rule in shown} == {ssh["id"], among["id"]}
    make(400, ip_protocol="tcp", from_port=22, to_port=22, cidr="10.0.0.0/8")
    make(400, ip_protocol="tcp", from_port=70000, to_port=70000)
    make(400, ip_protocol="tcp", from_port=1, to_port=2, cidr="everywhere")
    make(404, parent_group_id=UNKNOWN, ip_protocol="tcp", from_port=1, to_port=2)
    member.delete(f"{path}/{ssh['id']}", status=202)
    member.delete(f"{path}/{ssh['id']}", status=404)


@pytest.mark.parametrize("path", ["/os-volumes", "/os-volumes/detail", "/os-snapshots", f"/os-volumes/{UNKNOWN}"])
def test_volumes__cloud_without_block_storage__says_so(stage: Stage, path: str) -> None:
    answer = get(stage, path, status=501)
    assert answer["notImplemented"]["message"].startswith("This cloud has no block storage")


def test_bare_metal__there_is_none(stage: Stage) -> None:
    admin, path = stage.cloud.admin, f"{V21}/os-baremetal-nodes"
    admin.get(path, status=501)
    admin.post(path, {"node": {}}, status=400)
    admin.post(f"{path}/1/action", {"add_interface": {}}, status=400)
    get(stage, "/os-baremetal-nodes", status=403)


def test_hosts__shown_and_switched_by_word_only(stage: Stage) -> None:
    admin, path = stage.cloud.admin, f"{V21}/os-hosts"
    server_id = stage.boot()
    host = admin.get(f"{SERVERS}/{server_id}")["server"]["OS-EXT-SRV-ATTR:host"]
    assert {"host_name": host, "service": "compute", "zone": "nova"} in admin.get(path)["hosts"]
    assert admin.get(f"{path}?zone=elsewhere") == {"hosts": []}
    assert admin.get(f"{path}?zone=") == admin.get(path)
    lines = {line["resource"]["project"]: line["resource"] for line in admin.get(f"{path}/{host}")["host"]}
    assert lines[stage.cloud.member.project_id] == {
        "host": host,
        "project": stage.cloud.member.project_id,
        "cpu": 1,
        "memory_mb": 64,
        "disk_gb": 1,
    }
    assert admin.put(f"{path}/{host}", {"status": "disable"}) == {"host": host, "status": "disabled"}
    assert admin.put(f"{path}/{host}", {"status": "enable"}) == {"host": host, "status": "enabled"}
    admin.put(f"{path}/{host}", {"maintenance_mode": "enable"}, status=501)
    admin.put(f"{path}/{host}", {}, status=400)
    admin.get(f"{path}/{host}/reboot", status=501)
    admin.get(f"{path}/nothing", status=404)
    admin.get(path, version="2.43", status=404)
    get(stage, "/os-hosts", status=403)


def test_assisted_snapshots__hosts_take_none(stage: Stage) -> None:
    admin, path = stage.cloud.admin, f"{V21}/os-assisted-volume-snapshots"
    info = {"snapshot_id": "s", "type": "qcow2", "new_file": "f", "id": "i"}
    admin.post(path, {"snapshot": {"volume_id": UNKNOWN, "create_info": info}}, status=400)
    admin.delete(f'{path}/s?delete_info={{"volume_id": "v"}}', status=400)
    stage.cloud.member.post(path, {"snapshot": {"volume_id": UNKNOWN, "create_info": info}}, status=403)


def test_volumes_boot__another_name_of_servers(stage: Stage) -> None:
    member, path = stage.cloud.member, f"{V21}/os-volumes_boot"
    made = member.post(path, stage.wish(networks=None), status=202, version="2.1")["server"]["id"]
    stage.cloud.wait_for_status(made, "ACTIVE")
    assert member.get(f"{path}/{made}", version="2.102") == member.get(f"{SERVERS}/{made}", version="2.102")
    assert made in [one["id"] for one in member.get(f"{path}/detail")["servers"]]
    member.post(f"{path}/{made}/action", {"os-stop": None}, status=202)
    stage.cloud.wait_for_status(made, "SHUTOFF")
    member.post(f"{path}/{made}/action", {"pause": None}, status=400)
    member.delete(f"{path}/{made}", status=204)
    member.get(path, version="2.103", status=404)


def test_version__by_its_id(stage: Stage) -> None:
    assert get(stage, "/versions/v2.1")["version"]["id"] == "v2.1"
    get(stage, "/versions/v3", status=404)
