"""The whole cloud, driven by the real `openstack` client."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client_programs import client_program
from tools.up_cloud import UpCloud

pytestmark = pytest.mark.interop
PATIENCE_S = 60


class Openstack:
    """`openstack` as one cloud of `clouds.yaml`."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._program = client_program("openstack")

    def __call__(self, command: str, *more: str) -> str:
        done = self._run(command, more)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def table(self, command: str, *more: str) -> Any:
        return json.loads(self(command, *more, "-f", "json"))

    def refused(self, command: str, *more: str) -> str:
        done = self._run(command, more)
        assert done.returncode != 0, f"{command} was not refused: {done.stdout}"
        return done.stderr

    def _run(self, command: str, more: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        words = [self._program, *command.split(), *more]
        return subprocess.run(
            words, env=self._environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpCloud]:
    with UpCloud(tmp_path_factory.mktemp("up") / "state", "--hosts", 3) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def admin(up: UpCloud) -> Openstack:
    return Openstack(up.environ("kilonova-admin"))


@pytest.fixture(scope="module")
def openstack(up: UpCloud, admin: Openstack, tmp_path_factory: pytest.TempPathFactory) -> Openstack:
    """A member, in a cloud that has a network, an image and a flavor."""
    disk = tmp_path_factory.mktemp("image") / "disk.raw"
    disk.write_bytes(bytes(1 << 20))
    admin("flavor create --vcpus 1 --ram 256 --disk 1 small")
    admin(f"image create --public --disk-format raw --file {disk} image")
    member = Openstack(up.environ())
    member("network create net")
    member("subnet create --network net --subnet-range 10.0.0.0/24 subnet")
    return member


def boot(openstack: Openstack, name: str, *more: str) -> Any:
    return openstack.table("server create --wait --image image --flavor small --network net", *more, name)


def test_tokens_and_catalog__every_service_is_there(openstack: Openstack) -> None:
    assert openstack.table("token issue")["project_id"]
    types = {entry["Type"] for entry in openstack.table("catalog list")}
    assert types == {"identity", "compute", "placement", "image", "network"}


def test_server__whole_life(openstack: Openstack, tmp_path: Path) -> None:
    key = tmp_path / "key"
    openstack(f"keypair create --private-key {key} key")
    server = boot(openstack, "life", "--key-name", "key", "--property", "a=b", "--config-drive", "true")
    assert server["status"] == "ACTIVE"
    assert server["addresses"]["net"][0].startswith("10.0.0.")
    openstack("server set --property c=d --name lived --description words life")
    openstack("server unset --property a lived")
    shown = openstack.table("server show lived")
    assert (shown["properties"], shown["description"]) == ({"c": "d"}, "words")
    openstack("server stop lived")
    _wait(openstack, "lived", "SHUTOFF")
    openstack("server start lived")
    _wait(openstack, "lived", "ACTIVE")
    openstack("server reboot --wait lived")
    openstack("server reboot --hard --wait lived")
    assert "[fake]" in openstack("console log show lived")
    events = [event["Action"] for event in openstack.table("server event list lived")]
    assert events == ["reboot", "reboot", "start", "stop", "create"]
    openstack("server delete --wait lived")
    assert openstack.table("server list") == []
    assert openstack.table("port list") == []


def test_list__filters_and_pages(openstack: Openstack, admin: Openstack) -> None:
    for name in ("web-1", "web-2", "db-1"):
        boot(openstack, name)
    openstack("server stop db-1")
    _wait(openstack, "db-1", "SHUTOFF")

    def names(words: str, asker: Openstack = openstack) -> list[str]:
        return [row["Name"] for row in asker.table(f"server list {words}")]

    assert sorted(names("--name web")) == ["web-1", "web-2"]
    assert names("--name ^db") == ["db-1"]
    assert names("--status SHUTOFF") == ["db-1"]
    assert names("--sort-column Name") == ["db-1", "web-1", "web-2"]
    newest_first = names("")
    assert newest_first == ["db-1", "web-2", "web-1"]
    assert names("--limit 2") == newest_first[:2]
    marker = openstack.table("server show web-2")["id"]
    assert names(f"--marker {marker}") == newest_first[2:]
    assert names("", admin) == []
    assert len(names("--all-projects", admin)) == 3
    for name in ("web-1", "web-2", "db-1"):
        openstack(f"server delete --wait {name}")


def test_errors__said_in_words_a_person_understands(openstack: Openstack) -> None:
    assert "No Server found for nothing" in openstack.refused("server show nothing")
    assert "No flavor" in openstack.refused("server create --image image --flavor nothing --network net x").replace(
        "No Flavor", "No flavor"
    )
    assert "Policy doesn't allow" in openstack.refused("flavor create --vcpus 1 --ram 1 --disk 1 forbidden")
    assert "Quota exceeded" in openstack.refused(
        "server create --min 11 --max 11 --image image --flavor small --network net many"
    )
    server = boot(openstack, "busy")
    assert "Cannot 'start' instance" in openstack.refused("server start busy")
    openstack("server delete --wait", server["id"])


def test_no_valid_host__server_says_why(openstack: Openstack, admin: Openstack) -> None:
    admin("flavor create --vcpus 1 --ram 10000000 --disk 1 huge")
    admin("quota set --ram -1 kilonova")
    openstack.refused("server create --wait --image image --flavor huge --network net huge")
    shown = openstack.table("server show huge")
    assert shown["status"] == "ERROR"
    assert "No valid host was found" in shown["fault"]["message"]
    openstack("server delete --wait huge")


def test_groups_keys_aggregates_and_quotas__listed(openstack: Openstack, admin: Openstack) -> None:
    openstack("server group create --policy anti-affinity apart")
    assert [row["Name"] for row in openstack.table("server group list")] == ["apart"]
    openstack("server group delete apart")
    admin("aggregate create --zone east rack")
    admin("aggregate add host rack fake-00001")
    assert admin.table("aggregate show rack")["hosts"] == ["fake-00001"]
    assert "east" in {row["Zone Name"] for row in openstack.table("availability zone list --compute")}
    admin("aggregate remove host rack fake-00001")
    admin("aggregate delete rack")
    assert len(admin.table("hypervisor list")) == 3
    assert {row["State"] for row in admin.table("compute service list --service nova-compute")} == {"up"}
    admin("compute service set --disable --disable-reason work fake-00002 nova-compute")
    admin("compute service set --enable fake-00002 nova-compute")
    assert openstack.table("limits show --absolute")
    assert openstack.table("quota show --compute")


def test_placement__providers_are_the_hosts(admin: Openstack) -> None:
    done = admin.table("hypervisor show fake-00001")
    assert done["hypervisor_type"] == "fake"


def _wait(openstack: Openstack, name: str, status: str) -> None:
    """Each call of the client takes a second: forty of them are patience enough."""
    seen = ""
    for _ in range(40):
        seen = openstack.table(f"server show {name}")["status"]
        if seen == status:
            return
    pytest.fail(f"{name} is {seen} and not {status}")


def test_server__resized_and_migrated(openstack: Openstack, admin: Openstack) -> None:
    admin("flavor create --vcpus 2 --ram 512 --disk 2 larger")
    server_id = boot(openstack, "mover")["id"]
    openstack("server resize --wait --flavor larger mover")
    _wait(openstack, "mover", "VERIFY_RESIZE")
    openstack("server resize revert mover")
    _wait(openstack, "mover", "ACTIVE")
    openstack("server resize --wait --flavor larger mover")
    openstack("server resize confirm mover")
    _wait(openstack, "mover", "ACTIVE")
    assert openstack.table("server show mover")["flavor"]["original_name"] == "larger"

    def host() -> str:
        return str(admin.table("server show", server_id)["OS-EXT-SRV-ATTR:host"])

    before = host()
    admin("server migrate --wait", server_id)
    admin("server migration confirm", server_id)
    _wait(openstack, "mover", "ACTIVE")
    assert host() != before
    before = host()
    admin("server migrate --live-migration --wait", server_id)
    assert host() != before
    kinds = [record["Type"] for record in admin.table("server migration list --server", server_id)]
    assert sorted(kinds) == ["live-migration", "migration", "resize", "resize"]
    before = host()
    admin(f"compute service set --down {before} nova-compute")
    try:
        admin("server evacuate", server_id)
        _wait(openstack, "mover", "SHUTOFF")  # since 2.95; a client that waits for ACTIVE waits in vain
        assert host() != before
    finally:
        admin(f"compute service set --up {before} nova-compute")
    openstack("server delete --wait mover")


def test_interfaces__added_and_removed(openstack: Openstack) -> None:
    boot(openstack, "carded")
    openstack("port create --network net spare")
    openstack("server add port carded spare")
    openstack("server add network carded net")
    assert len(openstack.table("port list --server carded")) == 3
    openstack("server remove port carded spare")
    _wait_for_ports(openstack, "carded", 2)
    assert openstack.table("port show spare")["device_id"] == ""
    openstack("server delete --wait carded")
    openstack("port delete spare")
    assert openstack.table("port list") == []


def _wait_for_ports(openstack: Openstack, server: str, count: int) -> None:
    for _ in range(PATIENCE_S):
        if len(openstack.table(f"port list --server {server}")) == count:
            return
    raise AssertionError(f"{server} does not have {count} ports")
