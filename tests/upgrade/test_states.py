"""State directories that released versions left behind start in this version, with everything in them.

`states/VERSION.tar.gz` holds the directory, and beside it, in `answers.json`, what the version that wrote it answered. A release
keeps its own: `KILONOVA_KEEP_STATE=1 make test TESTS=tests/upgrade`.
"""

import json
import os
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import pytest

import kilonova
from cloud import TestCloud
from kilonova.app.state_format import FORMAT

STATES = Path(__file__).parent / "states"
KEPT = sorted(STATES.glob("*.tar.gz"))
LEFT_OUT = {"log", "lock", "run.json"}
SERVERS = "/compute/v2.1/servers"

ASKED = (
    f"{SERVERS}/detail",
    f"{SERVERS}/detail?deleted=true&all_tenants=true",
    "/compute/v2.1/flavors/detail",
    "/compute/v2.1/os-keypairs",
    "/compute/v2.1/os-server-groups",
    "/compute/v2.1/os-aggregates",
    "/compute/v2.1/os-hypervisors",
    "/image/v2/images",
    "/network/v2.0/networks",
    "/network/v2.0/subnets",
    "/network/v2.0/ports",
    "/network/v2.0/security-groups",
    "/identity/v3/users",
    "/identity/v3/projects",
)


def test_keep__this_version() -> None:
    """Not a check: writes this version's state where it is asked to."""
    if "KILONOVA_KEEP_STATE" not in os.environ:
        pytest.skip("set KILONOVA_KEEP_STATE=1 to keep this version's state")
    work = Path(os.environ.get("TMPDIR", "/tmp")) / f"kilonova-keep-{os.getpid()}"
    with TestCloud(work, hosts=2, cells=2) as cloud:
        furnish(cloud)
        answers = {path: cloud.admin.get(path) for path in ASKED}
    (work / "state" / "answers.json").write_text(json.dumps(answers, indent=1))
    with tarfile.open(STATES / f"{kilonova.__version__}.tar.gz", "w:gz") as archive:
        archive.add(work / "state", "state", filter=lambda entry: None if _left_out(entry.name) else entry)


def test_states__one_is_kept_for_a_released_format() -> None:
    if ".dev" in kilonova.__version__:
        pytest.skip("this version is not released: its format may still change")
    assert any(_format_of(archive) == FORMAT for archive in KEPT), "keep this version's state"


@pytest.mark.parametrize("archive", KEPT, ids=lambda archive: archive.name.removesuffix(".tar.gz"))
def test_state__of_a_released_version__goes_on(archive: Path, tmp_path: Path) -> None:
    """What was there is there, what ran runs, and new work is done."""
    with tarfile.open(archive) as content:
        content.extractall(tmp_path, filter="data")
    was = json.loads((tmp_path / "state" / "answers.json").read_text())
    with TestCloud(tmp_path, hosts=2, cells=2) as cloud:
        assert bool(cloud.state.notices) is (_format_of(archive) != FORMAT), "an upgrade is said in one line"
        assert _rows(cloud.state.path, "SELECT server_id FROM server_map WHERE flavor IS NULL") == []
        for path in ASKED:
            assert cloud.admin.get(path) == was[path], path
        for server in was[f"{SERVERS}/detail"]["servers"]:
            cloud.admin.post(f"{SERVERS}/{server['id']}/action", {"reboot": {"type": "HARD"}}, status=202)
            cloud.wait_for_status(server["id"], "ACTIVE")
            cloud.admin.delete(f"{SERVERS}/{server['id']}")
            cloud.wait_for_gone(server["id"])


@pytest.mark.parametrize("archive", KEPT, ids=lambda archive: archive.name.removesuffix(".tar.gz"))
def test_tables__of_one_format__never_change(archive: Path, tmp_path: Path) -> None:
    """Whoever changes a table raises FORMAT and writes an upgrade (docs/how-to/change-a-shape.md)."""
    if _format_of(archive) != FORMAT:
        pytest.skip("a state of an older format has older tables")
    with tarfile.open(archive) as content:
        content.extractall(tmp_path / "kept", filter="data")
    with TestCloud(tmp_path / "new", hosts=2, cells=2) as cloud:
        new = _tables(cloud.state.path)
    assert new == _tables(tmp_path / "kept" / "state")


@pytest.mark.parametrize("archive", KEPT, ids=lambda archive: archive.name.removesuffix(".tar.gz"))
def test_tables__of_an_upgraded_state__are_those_of_a_fresh_one(archive: Path, tmp_path: Path) -> None:
    """What additions can't make (another type, another name) shows here; the order of columns doesn't matter."""
    with tarfile.open(archive) as content:
        content.extractall(tmp_path / "kept", filter="data")
    with TestCloud(tmp_path / "new", hosts=2, cells=2) as cloud:
        new = _columns(cloud.state.path)
    with TestCloud(tmp_path / "kept", hosts=2, cells=2) as cloud:
        assert _columns(cloud.state.path) == new


def furnish(cloud: TestCloud) -> None:
    """One of everything; all owned by the administrator, who is asked for it later."""
    admin = cloud.admin
    flavor = {"flavor": {"name": "tiny", "ram": 64, "vcpus": 1, "disk": 1}}
    flavor_id = admin.post("/compute/v2.1/flavors", flavor)["flavor"]["id"]
    admin.post(f"/compute/v2.1/flavors/{flavor_id}/os-extra_specs", {"extra_specs": {"hw:boot_menu": "true"}})
    admin.post("/compute/v2.1/os-keypairs", {"keypair": {"name": "key"}})
    group = {"server_group": {"name": "apart", "policies": ["anti-affinity"]}}
    group_id = admin.post("/compute/v2.1/os-server-groups", group)["server_group"]["id"]
    admin.post("/compute/v2.1/os-aggregates", {"aggregate": {"name": "rack", "availability_zone": "north"}})
    image = {"name": "cirros", "disk_format": "raw", "container_format": "bare", "visibility": "public"}
    image_id = admin.post("/image/v2/images", image, status=201)["id"]
    octets = {"Content-Type": "application/octet-stream"}
    admin.put(f"/image/v2/images/{image_id}/file", status=204, content=bytes(4096), headers=octets)
    network_id = admin.post("/network/v2.0/networks", {"network": {"name": "net"}}, status=201)["network"]["id"]
    subnet = {"subnet": {"network_id": network_id, "cidr": "10.0.0.0/24", "ip_version": 4}}
    admin.post("/network/v2.0/subnets", subnet, status=201)
    for name in ("runs", "stopped", "deleted"):
        wish: dict[str, Any] = {
            "server": {
                "name": name,
                "flavorRef": flavor_id,
                "imageRef": image_id,
                "key_name": "key",
                "metadata": {"purpose": name},
                "networks": [{"uuid": network_id}],
            }
        }
        if name != "deleted":
            wish["os:scheduler_hints"] = {"group": group_id}
        server_id = admin.post(SERVERS, wish, status=202)["server"]["id"]
        cloud.wait_for_status(server_id, "ACTIVE")
        if name == "stopped":
            admin.post(f"{SERVERS}/{server_id}/action", {"os-stop": None}, status=202)
            cloud.wait_for_status(server_id, "SHUTOFF")
        if name == "deleted":
            admin.delete(f"{SERVERS}/{server_id}")
            cloud.wait_for_gone(server_id)


def _left_out(name: str) -> bool:
    parts = Path(name).parts
    return len(parts) > 1 and parts[1] in LEFT_OUT


def _format_of(archive: Path) -> int:
    with tarfile.open(archive) as content:
        file = content.extractfile("state/state.json")
        assert file is not None
        return int(json.load(file)["format"])


def _tables(state: Path) -> dict[str, list[str]]:
    """The tables and indexes of every database, in SQL."""
    found = {}
    for file in sorted((state / "databases").glob("*.sqlite")):
        with sqlite3.connect(file) as connection:
            rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
        connection.close()
        found[file.stem] = [row[0] for row in rows]
    return found


def _rows(state: Path, query: str) -> list[Any]:
    """What `query` finds in the API database."""
    with sqlite3.connect(state / "databases" / "api.sqlite") as connection:
        rows = connection.execute(query).fetchall()
    connection.close()
    return rows


def _columns(state: Path) -> dict[str, set[tuple[Any, ...]]]:
    """The columns and indexes of every database, whatever their order."""
    found: dict[str, set[tuple[Any, ...]]] = {}
    for file in sorted((state / "databases").glob("*.sqlite")):
        with sqlite3.connect(file) as connection:
            columns = connection.execute(
                'SELECT m.name, c.name, upper(c.type), c."notnull", c.dflt_value, c.pk'
                " FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
            ).fetchall()
            indexes = connection.execute(
                "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index'"
            ).fetchall()
        connection.close()
        found[file.stem] = {*columns, *indexes}
    return found
