"""Clouds for tests: up at once, found by every client, waited for without polling, gone without a trace."""

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from kilonova.kernel.errors import Invalid
from kilonova.testing.clouds import Clouds
from kilonova.testing.thread_cloud import ThreadCloud
from kilonova.testing.waiting import NotReached

NOBODY = "00000000-0000-4000-8000-000000000000"


def boot(cloud: ThreadCloud, wanted: dict[str, Any]) -> str:
    with cloud.client("kilonova") as member:
        return member.post("/compute/v2.1/servers", json={"server": {"name": "s", **wanted}}).json()["server"]["id"]


def act(cloud: ThreadCloud, server_id: str, action: str) -> None:
    with cloud.client("kilonova") as member:
        member.post(f"/compute/v2.1/servers/{server_id}/action", json={action: None}).raise_for_status()


def test_cloud__server_lives__each_wait_ends_when_it_is_so(kilonova_cloud: ThreadCloud) -> None:
    server_id = boot(kilonova_cloud, kilonova_cloud.furnish())
    assert kilonova_cloud.wait_until_active(server_id).host == "fake-00001"
    act(kilonova_cloud, server_id, "os-stop")
    assert kilonova_cloud.wait_until(server_id, "SHUTOFF").operation is None
    with kilonova_cloud.client("kilonova") as member:
        member.delete(f"/compute/v2.1/servers/{server_id}").raise_for_status()
    kilonova_cloud.wait_until_gone(server_id)
    with pytest.raises(NotReached, match="it is not there"):
        kilonova_cloud.wait_until_active(server_id)


def test_wait__server_goes_to_error__says_why_at_once(kilonova_cloud: ThreadCloud) -> None:
    wanted = kilonova_cloud.furnish()
    kilonova_cloud.fail_next("guest_ensure", times=9, reason="no such machine type")
    server_id = boot(kilonova_cloud, wanted)
    with pytest.raises(NotReached, match=r"it is ERROR .* its fault is 500: .*no such machine type") as told:
        kilonova_cloud.wait_until_active(server_id)
    assert told.value.server is not None
    assert told.value.server.status == "ERROR"


def test_wait__nothing_happens__says_how_the_server_is(kilonova_cloud: ThreadCloud) -> None:
    server_id = boot(kilonova_cloud, kilonova_cloud.furnish())
    kilonova_cloud.wait_until_active(server_id)
    with pytest.raises(NotReached, match=r"did not become SHUTOFF within 0 s: it is ACTIVE \(active\) on fake-00001$"):
        kilonova_cloud.wait_until(server_id, "SHUTOFF", within_s=0)
    with pytest.raises(NotReached, match=r"was not gone within 0 s: it is ACTIVE"):
        kilonova_cloud.wait_until_gone(server_id, within_s=0)


@pytest.mark.kilonova_cloud(hosts=3, cells=2, config={"api": {"max_limit": 2}})
def test_cloud__marked__has_the_shape_of_its_mark(kilonova_cloud: ThreadCloud) -> None:
    with kilonova_cloud.client() as admin:
        page = admin.get("/compute/v2.1/os-hypervisors", headers={"OpenStack-API-Version": "compute 2.33"}).json()
        services = admin.get("/compute/v2.1/os-services").json()["services"]
    assert len(page["hypervisors"]) == 2
    assert len({service["host"] for service in services if service["binary"] == "nova-compute"}) == 3


def test_environ__for_a_subprocess__leads_to_the_cloud_and_to_no_other(
    kilonova_cloud: ThreadCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_AUTH_URL", "http://elsewhere")
    environ = kilonova_cloud.environ("kilonova-admin")
    assert {name for name in environ if name.startswith("OS_")} == {"OS_CLIENT_CONFIG_FILE", "OS_CLOUD"}
    assert kilonova_cloud.url in Path(environ["OS_CLIENT_CONFIG_FILE"]).read_text()


def test_restart__server_was_there__is_found_at_the_same_address(kilonova_cloud: ThreadCloud) -> None:
    server_id, url = boot(kilonova_cloud, kilonova_cloud.furnish()), kilonova_cloud.url
    kilonova_cloud.wait_until_active(server_id)
    kilonova_cloud.restart()
    assert kilonova_cloud.url == url
    kilonova_cloud.wait_until_active(server_id)


def test_factory__many_clouds__are_apart_and_leave_nothing_behind(tmp_path_factory: pytest.TempPathFactory) -> None:
    clouds = Clouds(tmp_path_factory)
    with clouds() as one, clouds(hosts=2) as other:
        assert one.url != other.url
        assert httpx.get(one.url, trust_env=False).json()["name"] == "kilonova"
    left = clouds()
    clouds.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("kilonova on ")]
    assert not [cloud.state for cloud in (one, other, left) if cloud.state.exists()]


def test_cloud__configuration_is_wrong__raises_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="max_limt"):
        ThreadCloud(tmp_path / "state", config={"api": {"max_limt": 2}})


def test_cloud__cannot_start__raises_what_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "diary").touch()
    with pytest.raises(Exception, match="files that are not Kilonova's"):
        ThreadCloud(tmp_path / "state").start()
