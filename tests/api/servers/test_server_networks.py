"""Which networks new servers are plugged into."""

from typing import Any

from api.server_stage import SERVERS, Stage

UNKNOWN = "6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c00ff"


def addresses(stage: Stage, server_id: str) -> Any:
    return stage.show(server_id)["addresses"]


def test_auto__one_network__taken(stage: Stage) -> None:
    server_id = stage.boot(networks="auto")
    ((name, (address,)),) = addresses(stage, server_id).items()
    assert name == "private"
    assert address["addr"].startswith("10.0.0.")
    assert (address["OS-EXT-IPS:type"], address["version"]) == ("fixed", 4)
    path = f"{SERVERS}/{server_id}/ips"
    told = {"private": [{"version": 4, "addr": address["addr"]}]}
    assert stage.cloud.member.get(path)["addresses"] == told
    assert stage.cloud.member.get(f"{path}/private") == told
    stage.cloud.member.get(f"{path}/public", status=404)


def test_left_out__before_237__one_network_taken(stage: Stage) -> None:
    assert "private" in addresses(stage, stage.boot(networks=None, version="2.36"))
    assert "private" in addresses(stage, stage.boot(networks=[], version="2.36"))
    assert "not of type 'array'" in stage.refused(400, networks="auto", version="2.36")


def test_none__no_network(stage: Stage) -> None:
    assert addresses(stage, stage.boot(networks="none")) == {}


def test_network_named__with_address_asked_for(stage: Stage) -> None:
    wish = [{"uuid": stage.network, "fixed_ip": "10.0.0.77", "tag": "front"}]
    server_id = stage.boot(networks=wish)
    assert addresses(stage, server_id)["private"][0]["addr"] == "10.0.0.77"
    assert "same fixed IP" in stage.refused(400, networks=wish, max_count=2)


def test_port_named__its_address_shown_and_the_port_kept(stage: Stage) -> None:
    port = stage.port_make(stage.network)
    server_id = stage.boot(networks=[{"port": port["id"]}])
    assert addresses(stage, server_id)["private"][0]["OS-EXT-IPS-MAC:mac_addr"] == port["mac_address"]
    assert "still in use" in stage.refused(409, networks=[{"port": port["id"]}])
    stage.cloud.member.delete(f"{SERVERS}/{server_id}")
    stage.cloud.wait_for_gone(server_id)
    assert stage.cloud.member.get(f"/network/v2.0/ports/{port['id']}")["port"]["device_id"] == ""


def test_port_wrong__refused(stage: Stage) -> None:
    port = stage.port_make(stage.network)["id"]
    assert "could not be found" in stage.refused(400, networks=[{"port": UNKNOWN}])
    assert "same port ID" in stage.refused(400, networks=[{"port": port}], max_count=2)
    assert "more than once" in stage.refused(400, networks=[{"port": port}, {"port": port}])
    assert "cannot be used with port" in stage.refused(400, networks=[{"port": port, "fixed_ip": "10.0.0.9"}])


def test_network_wrong__refused(stage: Stage) -> None:
    assert stage.refused(400, networks=[{"uuid": UNKNOWN}]) == f"Network {UNKNOWN} could not be found."
    empty = stage.network_make("empty", None)
    assert "requires a subnet" in stage.refused(400, networks=[{"uuid": empty}])
    foreign = stage.network_make("foreign", "10.9.0.0/24", who=stage.cloud.other)
    assert "could not be found" in stage.refused(400, networks=[{"uuid": foreign}])


def test_several_networks__the_choice_is_the_users(stage: Stage) -> None:
    second = stage.network_make("second", "10.1.0.0/24")
    assert "Multiple possible networks" in stage.refused(409, networks="auto")
    assert "Multiple possible networks" in stage.refused(409, networks=None, version="2.1")
    server_id = stage.boot(networks=[{"uuid": second}, {"uuid": stage.network}])
    assert list(addresses(stage, server_id)) == ["second", "private"]


def test_auto__project_without_network__refused_or_none(stage: Stage) -> None:
    admin = stage.cloud.admin
    assert "automatically allocate" in stage.refused(400, networks="auto", who=admin)
    stage.create(networks=None, version="2.1", who=admin)


def test_security_groups__by_name_and_id(stage: Stage) -> None:
    group = {"security_group": {"name": "web"}}
    group_id = stage.cloud.member.post("/network/v2.0/security-groups", group, status=201)["security_group"]["id"]
    by_id = stage.create(security_groups=[{"name": group_id}])["server"]
    assert by_id["security_groups"] == [{"name": "web"}]
    server_id = stage.create(security_groups=[{"name": "web"}, {"name": "default"}])["server"]["id"]
    assert stage.show(server_id)["security_groups"] == [{"name": "web"}, {"name": "default"}]
