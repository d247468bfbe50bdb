"""Deleting, restoring and deleting for good, where deleted servers are kept for a while."""

from collections.abc import Iterator

import pytest

from api.server_stage import SERVERS, Stage
from cloud import TestCloud


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A cloud that keeps deleted servers for an hour."""
    tables = {"compute": {"reclaim_window_s": 3600}}
    with TestCloud(tmp_path_factory.mktemp("cloud"), tables=tables) as running:
        yield Stage(running)


def test_delete__can_be_restored(stage: Stage) -> None:
    server_id = stage.boot()
    for _ in range(2):
        stage.cloud.member.delete(f"{SERVERS}/{server_id}")
    stage.cloud.wait_for_status(server_id, "SOFT_DELETED")
    stage.cloud.member.delete(f"{SERVERS}/{server_id}")
    stage.act(server_id, {"os-start": None}, status=409)
    stage.act(server_id, {"restore": None})
    stage.cloud.wait_for_status(server_id, "ACTIVE")
    stage.act(server_id, {"restore": None}, status=409)


def test_force_delete__gone_at_once_deleted_softly_or_not(stage: Stage) -> None:
    kept, active = stage.boot(), stage.boot()
    stage.cloud.member.delete(f"{SERVERS}/{kept}")
    stage.cloud.wait_for_status(kept, "SOFT_DELETED")
    for server_id in (kept, active):
        stage.act(server_id, {"forceDelete": None})
        stage.cloud.wait_for_gone(server_id)


def test_delete__never_on_a_host__gone(stage: Stage) -> None:
    server_id = stage.create(flavorRef=stage.flavor_make("huge", vcpus=100_000))["server"]["id"]
    stage.cloud.wait_for_status(server_id, "ERROR")
    stage.cloud.member.delete(f"{SERVERS}/{server_id}")
    stage.cloud.wait_for_gone(server_id)
