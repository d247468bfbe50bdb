"""Migration records over HTTP, and what is done to a live migration under way."""

from typing import Any

import pytest

from api.server_stage import NEWEST, SERVERS, Stage

LIST = "/compute/v2.1/os-migrations"


@pytest.fixture(scope="module")
def migrated(stage: Stage) -> str:
    """A server that was migrated cold, confirmed, and then live."""
    server_id, admin = stage.boot(), stage.cloud.admin
    stage.act(server_id, {"migrate": None}, who=admin)
    stage.cloud.wait_for_status(server_id, "VERIFY_RESIZE")
    stage.act(server_id, {"confirmResize": None}, status=204)
    stage.cloud.wait_for_status(server_id, "ACTIVE")
    stage.act(server_id, {"os-migrateLive": {"host": None, "block_migration": "auto"}}, who=admin)
    stage.cloud.wait_for(lambda: listed(stage, server_id)[0]["status"] == "completed", "the live migration")
    return server_id


def listed(stage: Stage, server_id: str, *, version: str = NEWEST, **params: Any) -> Any:
    found = stage.cloud.admin.get(LIST, params={"instance_uuid": server_id, **params}, version=version)
    return found["migrations"]


def test_list__newest_first_with_what_became_of_each(stage: Stage, migrated: str) -> None:
    live, cold = listed(stage, migrated)
    assert (live["migration_type"], live["status"]) == ("live-migration", "completed")
    assert (cold["migration_type"], cold["status"]) == ("migration", "confirmed")
    assert live["source_compute"] == cold["dest_compute"] != cold["source_compute"]
    assert {"uuid", "user_id", "project_id"} <= set(live)
    assert "links" not in live


@pytest.mark.parametrize(
    ("version", "gone"),
    [("2.22", {"migration_type", "uuid", "user_id"}), ("2.58", {"uuid", "user_id"}), ("2.79", {"user_id"})],
)
def test_list__before_a_microversion__without_what_it_brought(
    stage: Stage, migrated: str, version: str, gone: set[str]
) -> None:
    assert not gone & set(listed(stage, migrated, version=version)[0])


def test_list__filters_and_pages(stage: Stage, migrated: str) -> None:
    live, cold = listed(stage, migrated)
    assert listed(stage, migrated, migration_type="migration") == [cold]
    assert listed(stage, migrated, status="completed") == [live]
    assert listed(stage, migrated, source_compute=cold["source_compute"]) == [cold]
    assert listed(stage, migrated, user_id="nobody") == []
    page = stage.cloud.admin.get(LIST, params={"instance_uuid": migrated, "limit": 1}, version=NEWEST)
    assert [one["uuid"] for one in page["migrations"]] == [live["uuid"]]
    (link,) = page["migrations_links"]
    assert (link["rel"], live["uuid"] in link["href"]) == ("next", True)
    assert listed(stage, migrated, limit=1, marker=live["uuid"]) == [cold]
    assert listed(stage, migrated, **{"changes-before": "2020-01-01"}) == []
    admin = stage.cloud.admin
    admin.get(LIST, params={"marker": "none"}, version=NEWEST, status=400)
    admin.get(LIST, params={"surprise": "1"}, version=NEWEST, status=400)
    admin.get(LIST, params={"surprise": "1"}, version="2.58")


def test_list__hidden_ones_alone__none(stage: Stage, migrated: str) -> None:
    assert listed(stage, migrated, hidden="1") == []
    assert listed(stage, migrated, hidden="0") != []


def test_list__by_a_member__forbidden(stage: Stage) -> None:
    stage.cloud.member.get(LIST, status=403)


def test_of_server__nothing_is_under_way__empty_and_nothing_to_abort(stage: Stage, migrated: str) -> None:
    admin, path = stage.cloud.admin, f"{SERVERS}/{migrated}/migrations"
    assert admin.get(path, version=NEWEST)["migrations"] == []
    admin.get(f"{path}/1", version=NEWEST, status=404)
    admin.delete(f"{path}/1", version=NEWEST, status=409)
    admin.delete(f"{path}/one", version=NEWEST, status=404)
    admin.post(f"{path}/1/action", {"force_complete": None}, version=NEWEST, status=409)
    admin.get(path, version="2.22", status=404)
