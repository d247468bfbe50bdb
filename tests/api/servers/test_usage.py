"""Usage of projects: what servers were there for how long, told from the servers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.server_stage import SERVERS, Stage

USAGE = "/compute/v2.1/os-simple-tenant-usage"
LOG = "/compute/v2.1/os-instance_usage_audit_log"
PERIOD = {"start": "2020-01-01T00:00:00", "end": "2120-01-01T00:00:00"}


@pytest.fixture(scope="module")
def servers(stage: Stage) -> list[str]:
    """Two servers that are there, and one that was; ordered by id."""
    made = [stage.boot(name=f"used-{number}") for number in range(3)]
    stage.cloud.member.delete(f"{SERVERS}/{made[0]}", status=204)
    stage.cloud.wait_for_gone(made[0])
    return made


def usage(stage: Stage, **params: Any) -> Any:
    path = f"{USAGE}/{stage.cloud.member.project_id}"
    return stage.cloud.member.get(path, params={**PERIOD, **params}, version="2.40")


def test_show__servers_that_are_there_and_one_that_was(stage: Stage, servers: list[str]) -> None:
    told = usage(stage)["tenant_usage"]
    by_id = {one["instance_id"]: one for one in told["server_usages"]}
    assert set(by_id) == set(servers)
    gone, there = by_id[servers[0]], by_id[servers[1]]
    assert (gone["state"], there["state"]) == ("terminated", "active")
    assert gone["ended_at"] is not None
    assert there["ended_at"] is None
    assert gone["hours"] < there["hours"]
    assert (there["vcpus"], there["memory_mb"], there["local_gb"], there["flavor"]) == (1, 64, 1, "tiny")
    assert told["total_hours"] == pytest.approx(sum(one["hours"] for one in by_id.values()))
    assert told["total_memory_mb_usage"] == pytest.approx(64 * told["total_hours"])
    assert told["tenant_id"] == stage.cloud.member.project_id


def test_index__every_project__in_detail_where_asked(stage: Stage, servers: list[str]) -> None:
    (brief,) = stage.cloud.admin.get(USAGE, params=PERIOD)["tenant_usages"]
    assert "server_usages" not in brief
    (full,) = stage.cloud.admin.get(USAGE, params={**PERIOD, "detailed": "1"})["tenant_usages"]
    assert len(full["server_usages"]) == len(servers)
    stage.cloud.member.get(USAGE, status=403)


def test_pages__since_2_40__every_server_once(stage: Stage, servers: list[str]) -> None:
    seen: list[str] = []
    marker: dict[str, str] = {}
    while len(seen) < len(servers):
        page = usage(stage, limit="1", **marker)
        (one,) = page["tenant_usage"]["server_usages"]
        seen.append(one["instance_id"])
        assert f"marker={one['instance_id']}" in page["tenant_usage_links"][0]["href"]
        marker = {"marker": one["instance_id"]}
    assert seen == sorted(servers)
    assert usage(stage, limit="1", **marker) == {"tenant_usage": {}}
    path = f"{USAGE}/{stage.cloud.member.project_id}"
    old = stage.cloud.member.get(path, params={**PERIOD, "limit": "1"}, version="2.39")
    assert len(old["tenant_usage"]["server_usages"]) == len(servers)
    assert "tenant_usage_links" not in old


def test_period__nothing_in_it_or_nonsense(stage: Stage, servers: list[str]) -> None:
    assert servers
    assert usage(stage, start="2019-01-01", end="2019-02-01") == {"tenant_usage": {}}
    path = f"{USAGE}/{stage.cloud.member.project_id}"
    for wrong in ({"start": "2021-01-01", "end": "2020-01-01"}, {"start": "yesterday"}):
        stage.cloud.member.get(path, params=wrong, status=400)
    stage.cloud.member.get(path, params={**PERIOD, "limit": "1", "marker": "nothing"}, version="2.40", status=400)
    stage.cloud.other.get(path, params=PERIOD, status=403)


def test_audit_log__last_month_that_is_over__no_host_has_run_one(stage: Stage) -> None:
    before = datetime(2026, 1, 15, tzinfo=UTC)
    path = f"{LOG}/{before:%Y-%m-%d %H:%M:%S}"
    log = stage.cloud.admin.get(path)["instance_usage_audit_log"]
    assert (log["period_beginning"], log["period_ending"]) == ("2025-12-01 00:00:00", "2026-01-01 00:00:00")
    assert log["num_hosts"] == log["num_hosts_not_run"] == len(log["hosts_not_run"]) > 0
    assert stage.cloud.admin.get(LOG)["instance_usage_audit_logs"]["log"] == {}
    stage.cloud.admin.get(f"{LOG}/yesterday", status=400)
    stage.cloud.member.get(LOG, status=403)
