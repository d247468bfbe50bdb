"""What monitoring systems are told."""

import re
from typing import Any

import msgspec

from api.server_stage import SERVERS, Silent, Stage
from cloud import TestCloud
from kilonova.app.metrics import text
from kilonova.engine import counters, store
from kilonova.engine.counters import Counted
from kilonova.operations.measures import Measure

LINE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\.)*",?)*)\})? ([0-9.e+-]+)')


def scraped(cloud: TestCloud) -> dict[tuple[str, str], float]:
    token = (cloud.state.path / "secrets" / "metrics-token").read_text()
    answer = cloud.nobody.ask("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: dict[tuple[str, str], float] = {}
    for line in answer.text.splitlines():
        if not line.startswith("# "):
            parsed = LINE.fullmatch(line)
            assert parsed, line
            found[parsed[1], parsed[2] or ""] = float(parsed[3])
    return found


def test_metrics__cloud_at_rest__everything_is_0_and_every_cell_is_up(cloud: TestCloud) -> None:
    stage = Stage(cloud)
    server_id = stage.boot()
    cloud.member.delete(f"{SERVERS}/{server_id}")
    cloud.wait_for_gone(server_id)
    found = scraped(cloud)
    up = {key: value for key, value in found.items() if key[0] == "kilonova_cell_up"}
    assert set(up.values()) == {1.0}
    assert {key[1] for key in up} == {'cell="api"', 'cell="cell0"', 'cell="cell1"'}
    assert found["kilonova_auditor_findings", 'kind="port"'] == 0.0
    assert {value for key, value in found.items() if key not in up} == {0.0}


def test_metrics__without_the_secret__refused(cloud: TestCloud) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer ü"}):
        encoded: Any = {name: value.encode() for name, value in headers.items()}
        assert cloud.nobody.ask("GET", "/metrics", headers=encoded).status_code == 401
    assert cloud.nobody.ask("GET", "/metrics/more").status_code == 404
    assert cloud.nobody.ask("POST", "/metrics").status_code == 404


def test_metrics__work_at_hand_and_what_was_counted__by_cell(cloud: TestCloud) -> None:
    stage = Stage(cloud)
    server_id = stage.boot()
    (cell,) = cloud.cloud.work.cells.with_hosts
    (boot,) = cloud.run(cell.database.read(lambda tx: store.operations_of_server_txn(tx, server_id)))
    waits = msgspec.structs.replace(boot, id="waits", state="queued", host=None, not_before=1e12, lease_until=0.0)
    waits = msgspec.structs.replace(waits, created_at=boot.created_at - 100)
    waiting = msgspec.convert(msgspec.to_builtins(waits), type(boot))
    cloud.run(cell.database.write(lambda tx: store.operation_insert_txn(tx, waiting)))
    for _ in range(2):
        cloud.run(cell.database.write(lambda tx: counters.count_txn(tx, Counted.LEASE_TAKEOVERS)))
    found = scraped(cloud)
    assert found["kilonova_operations", 'cell="cell1",kind="boot",state="queued"'] == 1.0
    assert found["kilonova_operation_oldest_queued_seconds", 'cell="cell1"'] > 100.0
    assert found["kilonova_lease_takeovers_total", 'cell="cell1"'] == 2.0
    assert found["kilonova_lease_takeovers_total", 'cell="api"'] == 0.0


def test_metrics__cell_that_does_not_answer__is_down_and_says_nothing_else(cloud: TestCloud) -> None:
    cells = cloud.cloud.work.cells
    cell = cells.with_hosts[0]
    cells._cells[cell.id] = msgspec.structs.replace(cell, database=Silent())
    found = scraped(cloud)
    cells._cells[cell.id] = cell
    assert found["kilonova_cell_up", 'cell="cell1"'] == 0.0
    assert [key for key in found if 'cell="cell1"' in key[1]] == [("kilonova_cell_up", 'cell="cell1"')]


def test_text__labels_with_anything_in_them__escaped() -> None:
    measure = Measure("m", "gauge", "What.", {(("cell", 'a"b\\c\nd'),): 1.5})
    assert text([measure]) == '# HELP m What.\n# TYPE m gauge\nm{cell="a\\"b\\\\c\\nd"} 1.5\n'
