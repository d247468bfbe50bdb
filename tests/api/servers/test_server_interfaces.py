"""Network cards of servers that are there: list, show, attach, detach."""

from typing import Any

import pytest

from api.server_stage import NEWEST, SERVERS, Stage
from cloud import Asker

UNKNOWN = "99999999-9999-4999-8999-999999999999"


@pytest.fixture
def server_id(stage: Stage) -> str:
    """An active server with a card in the stage's network."""
    return stage.boot(networks=[{"uuid": stage.network}])


def listed(stage: Stage, server_id: str, version: str = NEWEST) -> list[Any]:
    body = stage.cloud.member.get(f"{SERVERS}/{server_id}/os-interface", version=version)
    found: list[Any] = body["interfaceAttachments"]
    return found


def attach(
    stage: Stage, server_id: str, *, status: int = 200, version: str = NEWEST, who: Asker | None = None, **wish: Any
) -> Any:
    body = {"interfaceAttachment": wish}
    path = f"{SERVERS}/{server_id}/os-interface"
    (inner,) = (who or stage.cloud.member).post(path, body, status=status, version=version).values()
    return inner


def detach(stage: Stage, server_id: str, port_id: str, status: int = 202) -> None:
    stage.cloud.member.delete(f"{SERVERS}/{server_id}/os-interface/{port_id}", status=status)


def detached(stage: Stage, server_id: str, port_id: str) -> None:
    """Take a card out. Its port is given back first; then the server, which shows its address, has it no longer."""
    (card,) = [one for one in listed(stage, server_id) if one["port_id"] == port_id]
    gone = {one["ip_address"] for one in card["fixed_ips"]}
    detach(stage, server_id, port_id)
    stage.cloud.wait_for(lambda: not gone & addresses(stage, server_id), f"port {port_id} to be detached")


def addresses(stage: Stage, server_id: str) -> set[str]:
    return {one["addr"] for network in stage.show(server_id)["addresses"].values() for one in network}


def port_is_there(stage: Stage, port_id: str) -> bool:
    ports = stage.cloud.member.get("/network/v2.0/ports")["ports"]
    return port_id in {port["id"] for port in ports}


def test_attach__by_network__a_port_is_made_and_shown_and_goes_with_the_card(stage: Stage, server_id: str) -> None:
    made = attach(stage, server_id, net_id=stage.network, tag="second")
    assert (made["net_id"], made["tag"]) == (stage.network, "second")
    assert set(made) == {"net_id", "port_id", "mac_addr", "port_state", "fixed_ips", "tag"}
    assert listed(stage, server_id)[1] == made
    path = f"{SERVERS}/{server_id}/os-interface/{made['port_id']}"
    assert stage.cloud.member.get(path, version=NEWEST)["interfaceAttachment"] == made
    (addresses,) = stage.show(server_id)["addresses"].values()
    assert made["fixed_ips"][0]["ip_address"] in {one["addr"] for one in addresses}
    detached(stage, server_id, made["port_id"])
    assert not port_is_there(stage, made["port_id"])
    detach(stage, server_id, made["port_id"], status=404)


def test_attach__by_port__given_back_when_detached(stage: Stage, server_id: str) -> None:
    port = stage.port_make(stage.network)
    assert attach(stage, server_id, port_id=port["id"])["mac_addr"] == port["mac_address"]
    assert "still in use" in attach(stage, server_id, port_id=port["id"], status=409)["message"]
    detached(stage, server_id, port["id"])
    assert port_is_there(stage, port["id"])
    assert attach(stage, server_id, port_id=port["id"])["port_id"] == port["id"]


def test_attach__with_an_address__gets_it_once(stage: Stage, server_id: str) -> None:
    wish = {"net_id": stage.network, "fixed_ips": [{"ip_address": "10.0.0.77"}]}
    assert attach(stage, server_id, **wish)["fixed_ips"][0]["ip_address"] == "10.0.0.77"
    attach(stage, server_id, status=409, **wish)
    assert len(listed(stage, server_id)) == 2


def test_attach__empty_body__the_only_network(stage: Stage, server_id: str) -> None:
    path = f"{SERVERS}/{server_id}/os-interface"
    assert stage.cloud.member.post(path, {}, status=200)["interfaceAttachment"]["net_id"] == stage.network
    assert attach(stage, server_id)["net_id"] == stage.network


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"net_id": UNKNOWN}, 404),
        ({"port_id": UNKNOWN}, 404),
        ({"net_id": UNKNOWN, "port_id": UNKNOWN}, 400),
        ({"fixed_ips": [{"ip_address": "10.0.0.9"}]}, 400),
        ({"port_id": UNKNOWN, "fixed_ips": [{"ip_address": "10.0.0.9"}]}, 400),
        ({"net_id": UNKNOWN, "fixed_ips": []}, 400),
        ({"net_id": "no id"}, 400),
        ({"net_id": UNKNOWN, "tag": "a,b"}, 400),
        ({"surprise": 1}, 400),
    ],
    ids=str,
)
def test_attach__what_makes_no_sense__refused(stage: Stage, server_id: str, wish: Any, status: int) -> None:
    attach(stage, server_id, status=status, **wish)
    assert len(listed(stage, server_id)) == 1


def test_tag__taken_since_2_49_and_shown_since_2_70(stage: Stage, server_id: str) -> None:
    refused = attach(stage, server_id, net_id=stage.network, tag="x", version="2.48", status=400)
    assert "was unexpected" in refused["message"]
    assert "tag" not in attach(stage, server_id, net_id=stage.network, tag="x", version="2.49")
    assert [one.get("tag") for one in listed(stage, server_id, "2.70")] == [None, "x"]
    assert all("tag" not in one for one in listed(stage, server_id, "2.69"))


def test_interfaces__of_a_suspended_or_foreign_or_locked_server__refused(stage: Stage, server_id: str) -> None:
    (one,) = listed(stage, server_id)
    stage.cloud.member.get(f"{SERVERS}/{server_id}/os-interface/{UNKNOWN}", status=404)
    stage.act(server_id, {"lock": None})
    attach(stage, server_id, net_id=stage.network, status=409)
    stage.act(server_id, {"unlock": None})
    stage.act(server_id, {"suspend": None})
    stage.cloud.wait_for_status(server_id, "SUSPENDED")
    attach(stage, server_id, net_id=stage.network, status=409)
    detach(stage, server_id, one["port_id"], status=409)
    foreign = stage.cloud.admin.get(f"{SERVERS}/{UNKNOWN}/os-interface", status=404)
    assert "could not be found" in str(foreign)
