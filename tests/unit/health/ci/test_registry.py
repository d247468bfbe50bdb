"""The registry refuses what it can't read by its own examples."""

import gzip
import json

import pytest

from kilonova.health.ci.driverlog import systems_of
from kilonova.health.ci.registry import BadRegistry, registry_read, registry_write
from unit.health.ci.documents import REAL, REGISTRY

DRIVERLOG = REAL / "driverlog-default_data.json.gz"


def test_read__sound_entries__are_taken_and_written_again_the_same() -> None:
    registry, problems = registry_read(REGISTRY)
    assert not problems
    assert registry_read(registry_write(registry.systems)) == (registry, ())


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("verdict: started", "verdict: success", "should read as success and reads as started"),
        ("verdict: started", "verdict: fine", "'fine' is no verdict"),
        ('accounts: ["*:acme-ci"]', "accounts: []", "HOST:USERNAME"),
        ("contact: ci@acme.example", "phone: none", "unknown field `phone`"),
        ("owner: Acme", "owner: Acme\n    jobs: '('", "can't be read"),
        ("owner: Acme", "owner: Acme\n    answer_within: soon", "is no duration"),
        ("name: gate", "name: acme", "another entry has this name"),
    ],
)
def test_read__entry_that_makes_no_sense__is_refused_and_the_others_stand(old: str, new: str, reason: str) -> None:
    registry, problems = registry_read(REGISTRY.replace(old, new, 1))
    assert any(reason in problem.reason for problem in problems), problems
    assert len(registry.systems) == 1


@pytest.mark.parametrize("text", ["", "version: 2", "version: 1\nsystems: 3", "a: [", "version: 1"])
def test_read__no_registry__says_so(text: str) -> None:
    with pytest.raises(BadRegistry):
        registry_read(text)


def test_read__patterns_that_are_swapped__both_are_named() -> None:
    driver = {
        "project_id": "demo/compute",
        "vendor": "Big",
        "name": "Power",
        "ci": {"id": "powerci", "success_pattern": "Build failed.", "failure_pattern": "Build succeeded."},
    }
    _, problems = registry_read(registry_write(systems_of(json.dumps({"drivers": [driver]}).encode())))
    assert "'Build failed.'" in problems[0].reason
    assert "'Build succeeded.'" in problems[0].reason


@pytest.mark.skipif(not DRIVERLOG.exists(), reason="DriverLog's data is not here (HEALTH_DATA)")
def test_driverlog__the_real_registry__all_but_the_swapped_one_are_sound() -> None:
    registry, problems = registry_read(registry_write(systems_of(gzip.decompress(DRIVERLOG.read_bytes()))))
    assert len(registry.systems) == 146
    assert [problem.entry for problem in problems] == ["nova-ibm-powervm"]
