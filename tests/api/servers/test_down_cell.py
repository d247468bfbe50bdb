"""A cell that doesn't answer: what is told of its servers and hosts meanwhile, and that the others don't feel it."""

from collections.abc import Iterator

import msgspec
import pytest

from api.server_stage import NEWEST, SERVERS, Silent, Stage
from cloud import TestCloud
from kilonova.kernel.ids import CELL0

SERVICES = "/compute/v2.1/os-services"


class DownCell:
    """A server in a cell that answers and one in a cell that doesn't."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        spread = {"networks": "none", "tags": ["red"]}
        first = stage.boot(name="one", **spread)
        self.there, self.lost = first, stage.boot(name="two", hints={"different_host": [first]}, **spread)
        self.before = stage.show(self.lost, who=stage.cloud.admin)
        self.host = self.before["OS-EXT-SRV-ATTR:host"]
        cells = stage.cloud.cloud.work.cells
        hosts = stage.cloud.run(stage.cloud.cloud.work.hosts.mapped())
        cell = cells.get(hosts[self.host])
        cells._cells[cell.id] = msgspec.structs.replace(cell, database=Silent())
        self.cell = cell

    def mend(self) -> None:
        self.stage.cloud.cloud.work.cells._cells[self.cell.id] = self.cell


@pytest.fixture(scope="module")
def down(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DownCell]:
    with TestCloud(tmp_path_factory.mktemp("cloud"), hosts=2, cells=2) as cloud:
        down = DownCell(Stage(cloud))
        assert down.cell.id != CELL0
        yield down
        down.mend()


def test_show__what_the_map_keeps(down: DownCell) -> None:
    shown = down.stage.show(down.lost)
    kept = ("id", "tenant_id", "user_id", "created", "links", "flavor", "OS-EXT-AZ:availability_zone", "server_groups")
    assert shown == {
        **{name: down.before[name] for name in kept},
        "image": {name: down.before["image"][name] for name in ("id", "links")},
        "status": "UNKNOWN",
        "OS-EXT-STS:power_state": 0,
    }
    assert "server_groups" not in down.stage.show(down.lost, version="2.70")


def test_show__before_269__service_unavailable(down: DownCell) -> None:
    down.stage.cloud.member.get(f"{SERVERS}/{down.lost}", version="2.68", status=503)


def test_show__others_project__not_found(down: DownCell) -> None:
    down.stage.cloud.other.get(f"{SERVERS}/{down.lost}", version=NEWEST, status=404)
    assert down.stage.show(down.lost, who=down.stage.cloud.admin)["status"] == "UNKNOWN"


def test_list__its_servers_come_last(down: DownCell) -> None:
    listed = down.stage.cloud.member.get(f"{SERVERS}/detail?sort_dir=asc", version="2.69")["servers"]
    assert [server["id"] for server in listed] == [down.there, down.lost]
    assert set(listed[1]) == {"id", "status", "tenant_id", "created", "links"}
    assert down.stage.ids(version="2.68") == [down.there]


def test_list__every_page_names_them(down: DownCell) -> None:
    assert down.stage.ids(limit=1) == [down.there, down.lost]
    assert down.stage.ids(limit=1, marker=down.there) == [down.lost]


def test_list__filter_that_only_the_cell_can_judge__its_servers_are_left_out(down: DownCell) -> None:
    assert down.stage.ids(tags="red") == [down.there]
    assert down.stage.ids(who=down.stage.cloud.admin, deleted="true", all_tenants=1) == []


def test_services__its_hosts_are_unknown(down: DownCell) -> None:
    listed = down.stage.cloud.admin.get(SERVICES, version="2.69")["services"]
    assert [service["state"] for service in listed if "state" in service] == ["up"]
    assert [service for service in listed if "state" not in service] == [
        {"binary": "nova-compute", "host": down.host, "status": "UNKNOWN"}
    ]
    assert len(down.stage.cloud.admin.get(SERVICES, version="2.68")["services"]) == 1
    assert down.stage.cloud.admin.get(f"{SERVICES}?host=nowhere", version=NEWEST)["services"] == []


def test_boot__goes_to_the_cell_that_answers(down: DownCell) -> None:
    server_id = down.stage.boot(name="three")
    host = down.stage.show(server_id, who=down.stage.cloud.admin)["OS-EXT-SRV-ATTR:host"]
    assert host != down.host
    down.stage.cloud.member.delete(f"{SERVERS}/{server_id}")
    down.stage.cloud.wait_for_gone(server_id)
