"""What a server looks like at every microversion. The expected keys are those of the Compute API's history."""

import msgspec
import pytest

from kilonova.api.links import Links
from kilonova.api.server_view import Rights, ServerView, host_status
from kilonova.kernel.ids import CellId, HostName
from kilonova.objects.guest import HostDescription
from kilonova.objects.history.api import API, NEWEST
from kilonova.objects.host import DOWN_AFTER_S, Host
from kilonova.objects.server import Fault, VmState
from kilonova.objects.server_query import DownServer
from unit.api.servers_double import server

LINKS = Links("http://cloud/v2.1", "http://cloud")
USER = Rights(extended=False, extra_specs=True, host_status=False, unknown_host_status=False)
ADMIN = Rights(extended=True, extra_specs=True, host_status=True, unknown_host_status=True)

FIRST = frozenset(
    {
        *(
            "id",
            "name",
            "status",
            "tenant_id",
            "user_id",
            "metadata",
            "hostId",
            "image",
            "flavor",
            "created",
            "updated",
        ),
        *("addresses", "accessIPv4", "accessIPv6", "links", "OS-DCF:diskConfig", "OS-EXT-AZ:availability_zone"),
        *("config_drive", "key_name", "OS-SRV-USG:launched_at", "OS-SRV-USG:terminated_at", "OS-EXT-STS:task_state"),
        *("OS-EXT-STS:vm_state", "OS-EXT-STS:power_state", "os-extended-volumes:volumes_attached", "security_groups"),
        "progress",
    }
)
"""What everybody was shown at 2.1."""
ADDED = {
    9: {"locked"},
    19: {"description"},
    26: {"tags"},
    63: {"trusted_image_certificates"},
    71: {"server_groups"},
    73: {"locked_reason"},
    90: {"OS-EXT-SRV-ATTR:hostname"},
    96: {"pinned_availability_zone"},
    100: {"scheduler_hints"},
}
FIRST_FOR_ADMINS = frozenset(f"OS-EXT-SRV-ATTR:{name}" for name in ("host", "hypervisor_hostname", "instance_name"))
ADDED_FOR_ADMINS = {
    3: {
        f"OS-EXT-SRV-ATTR:{name}"
        for name in (
            "reservation_id",
            "launch_index",
            "hostname",
            "kernel_id",
            "ramdisk_id",
            "root_device_name",
            "user_data",
        )
    },
    16: {"host_status"},
}
BASICS = FIRST - {
    *("OS-EXT-AZ:availability_zone", "config_drive", "key_name", "OS-SRV-USG:launched_at", "OS-SRV-USG:terminated_at"),
    *("OS-EXT-STS:task_state", "OS-EXT-STS:vm_state", "OS-EXT-STS:power_state", "os-extended-volumes:volumes_attached"),
    "security_groups",
}
"""What an update answered with before 2.75."""
MINORS = range(1, NEWEST + 1)


def expected(minor: int, *tables: dict[int, set[str]]) -> set[str]:
    return {key for table in tables for since, keys in table.items() if since <= minor for key in keys}


def view(minor: int, rights: Rights = USER, statuses: dict[HostName, str] | None = None) -> ServerView:
    return ServerView(API.level(f"2.{minor}"), LINKS, rights, statuses)


@pytest.mark.parametrize("minor", MINORS)
def test_show__member__keys_of_every_microversion(minor: int) -> None:
    assert set(view(minor).show(server())) == FIRST | expected(minor, ADDED)


@pytest.mark.parametrize("minor", MINORS)
def test_show__administrator__keys_of_every_microversion(minor: int) -> None:
    wanted = FIRST | FIRST_FOR_ADMINS | expected(minor, ADDED, ADDED_FOR_ADMINS)
    assert set(view(minor, ADMIN).show(server())) == wanted


@pytest.mark.parametrize("minor", MINORS)
def test_detail__every_microversion__as_show_without_groups(minor: int) -> None:
    assert set(view(minor).detail(server())) == (FIRST | expected(minor, ADDED)) - {"server_groups"}


@pytest.mark.parametrize("minor", MINORS)
def test_updated__every_microversion__basics_until_275_then_all(minor: int) -> None:
    added = expected(minor, ADDED) - ({"OS-EXT-SRV-ATTR:hostname"} if minor < 75 else set())
    assert set(view(minor).updated(server())) == (BASICS if minor < 75 else FIRST) | added


@pytest.mark.parametrize(("minor", "keys"), [(74, {"version", "addr"}), (75, None)])
def test_updated__addresses__without_mac_until_275(minor: int, keys: set[str] | None) -> None:
    (address,) = view(minor).updated(server())["addresses"]["private"]
    assert set(address) == (keys or {"version", "addr", "OS-EXT-IPS:type", "OS-EXT-IPS-MAC:mac_addr"})


def test_show__flavor__reference_until_247_then_embedded() -> None:
    reference = {"id": "42", "links": [{"rel": "bookmark", "href": "http://cloud/flavors/42"}]}
    assert view(46).show(server())["flavor"] == reference
    embedded = view(47).show(server())["flavor"]
    assert embedded == {
        "vcpus": 1,
        "ram": 512,
        "disk": 1,
        "ephemeral": 0,
        "swap": 0,
        "original_name": "m1.small",
        "extra_specs": {"hw:cpu_policy": "shared"},
    }
    blind = with_rights(USER, extra_specs=False)
    assert "extra_specs" not in view(47, blind).show(server())["flavor"]


def with_rights(rights: Rights, **changes: bool) -> Rights:
    return Rights(**{**vars(rights), **changes})


def test_show__image__properties_since_298_and_empty_text_without_image() -> None:
    assert "properties" not in view(97).show(server())["image"]
    assert view(98).show(server())["image"]["properties"] == {"kernel_id": "kernel", "min_ram": "0"}
    assert view(104).show(server(image_id=None))["image"] == ""
    assert view(1).show(server(image_id=None))["image"] == ""


def test_show__twice__documents_share_nothing_that_moves_edit() -> None:
    one = server()
    view(1).show(one)
    assert view(104).show(one)["image"]["properties"] == one.image_properties


def test_show__times__in_the_forms_of_the_api() -> None:
    doc = view(104).show(server())
    assert doc["created"] == "2023-11-14T22:13:20Z"
    assert doc["updated"] == "2023-11-14T22:13:21Z"
    assert doc["OS-SRV-USG:launched_at"] == "2023-11-14T22:13:22.250000"
    assert doc["OS-SRV-USG:terminated_at"] is None


def test_show__fault__details_of_internal_ones_for_administrators_only() -> None:
    broken = server(
        vm_state=VmState.ERROR,
        fault=Fault(code=500, message="No valid host", details="RamFilter", created_at=1_700_000_000.0),
    )
    for_user = view(104).show(broken)
    assert for_user["fault"] == {"code": 500, "created": "2023-11-14T22:13:20Z", "message": "No valid host"}
    assert "progress" not in for_user
    assert view(104, ADMIN).show(broken)["fault"]["details"] == "RamFilter"
    assert "fault" not in view(104, ADMIN).show(server(fault=broken.fault))


def test_show__host_id__same_for_a_project_and_different_for_another() -> None:
    here, there = view(104).show(server()), view(104).show(server(project_id="c" * 32))
    assert here["hostId"] == view(104).show(server())["hostId"] != there["hostId"]
    assert len(here["hostId"]) == 56
    assert view(104).show(server(host=None))["hostId"] == ""


def test_show__host_status__by_right() -> None:
    statuses = {HostName("host-1"): "UP"}
    assert view(16, ADMIN, statuses).show(server())["host_status"] == "UP"
    assert view(16, ADMIN, statuses).show(server(host=None))["host_status"] == ""
    only_unknown = with_rights(USER, unknown_host_status=True)
    assert "host_status" not in view(16, only_unknown, statuses).show(server())
    assert view(16, only_unknown, {}).show(server())["host_status"] == "UNKNOWN"


def test_host_status__every_kind_of_host() -> None:
    description = HostDescription(
        name=HostName("h"),
        hypervisor_type="fake",
        hypervisor_version=1,
        vcpus=1,
        memory_mb=1,
        disk_gb=1,
        host_ip="127.0.0.1",
        cpu_info={},
    )
    host = Host(
        name=HostName("h"),
        cell_id=CellId("c"),
        uuid="u",
        service_uuid="s",
        agent="a",
        heartbeat_at=100.0,
        created_at=0.0,
        updated_at=0.0,
        description=description,
    )
    changed = msgspec.structs.replace
    assert host_status(host, 100.0) == "UP"
    assert host_status(host, 101.0 + DOWN_AFTER_S) == "UNKNOWN"
    assert host_status(changed(host, enabled=False), 100.0) == "MAINTENANCE"
    assert host_status(changed(host, enabled=False, forced_down=True), 100.0) == "DOWN"


def test_down_cell__since_269__least_that_is_known() -> None:
    down = DownServer(
        id=server().id,
        project_id=server().project_id,
        user_id=server().user_id,
        created_at=1_700_000_000.0,
        cell_id=CellId("c"),
    )
    assert not view(68).shows_down_cells
    assert view(69).shows_down_cells
    assert set(view(69).summary_down(down)) == {"id", "status", "links"}
    detail = view(69).detail_down(down)
    assert set(detail) == {"id", "status", "tenant_id", "created", "links"}
    assert detail["status"] == "UNKNOWN"


def test_show__any_server__encodes() -> None:
    assert msgspec.json.decode(msgspec.json.encode(view(104, ADMIN).show(server())))["name"] == "web"
