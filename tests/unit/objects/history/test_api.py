"""The Compute API's line: every change can be told and read, and loses only what it says it loses."""

import copy
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import kilonova
from kilonova.kernel.versions import Change, Line, UnknownField, stay
from kilonova.objects.history import microversions
from kilonova.objects.history.api import API, LEGACY

UUID = "12345678-90ab-cdef-1234-567890abcdef"

SAMPLES: dict[str, dict[str, Any]] = {
    "keypair": {"name": "k", "type": "ssh", "public_key": "p", "fingerprint": "f"},
    "service": {"id": UUID, "host": "h", "forced_down": False},
    "server_group": {
        "id": UUID,
        "policy": "anti-affinity",
        "rules": {"max_server_per_host": 2},
        "members": [],
        "project_id": "p",
        "user_id": "u",
    },
    "aggregate": {"id": 1, "uuid": UUID, "name": "a"},
    "hypervisor": {
        "id": UUID,
        "service": {"id": UUID, "host": "h", "disabled_reason": None},
        "cpu_info": {"arch": "x86_64"},
        "vcpus": 1,
        "uptime": "1 day",
        "servers": [],
        "current_workload": 0,
        "disk_available_least": 0,
        "free_disk_gb": 0,
        "free_ram_mb": 0,
        "local_gb": 0,
        "local_gb_used": 0,
        "memory_mb": 0,
        "memory_mb_used": 0,
        "running_vms": 0,
        "vcpus_used": 0,
    },
    "flavor": {
        "id": "1",
        "swap": 0,
        "description": "d",
        "extra_specs": {},
        "rxtx_factor": 1.0,
        "OS-FLV-DISABLED:disabled": False,
    },
    "flavor_summary": {"id": "1", "description": "d"},
}
TOLD = [(label, change) for label, change in API.changes() if change.shape in SAMPLES]
READ = [(label, change) for label, change in API.changes() if change.up is not stay and change.down is stay]


def name(value: object) -> str | None:
    return value.name if isinstance(value, Change) else None


def alone(change: Change) -> Line:
    """A line with this change only."""
    return Line("alone", (("old", ()), ("new", (change,))))


@pytest.mark.parametrize(("label", "change"), TOLD, ids=name)
def test_told_and_read_again__nothing_lost_but_what_is_declared(label: str, change: Change) -> None:
    newest = alone(change).level("new").down(change.shape, copy.deepcopy(SAMPLES[change.shape]))
    older = alone(change).level("old").down(change.shape, copy.deepcopy(SAMPLES[change.shape]))
    if change.retires:
        assert set(SAMPLES[change.shape]) - set(newest) == set(change.retires) & set(SAMPLES[change.shape])
        assert older == SAMPLES[change.shape]
        return
    again = alone(change).level("old").up(change.shape, copy.deepcopy(older))
    top = {path.partition(".")[0] for path in change.loses}
    assert {key: again[key] for key in again if key not in top} == {
        key: newest[key] for key in newest if key not in top
    }


@pytest.mark.parametrize(("label", "change"), TOLD, ids=name)
def test_declared_loss__really_lost(label: str, change: Change) -> None:
    older = alone(change).level("old").down(change.shape, copy.deepcopy(SAMPLES[change.shape]))
    again = alone(change).level("old").up(change.shape, copy.deepcopy(older))
    for key in change.loses:
        assert again.get(key) != SAMPLES[change.shape][key], f"{key} is not lost at all"


@pytest.mark.parametrize(("label", "change"), READ, ids=name)
def test_reading_an_empty_body__no_change_needs_a_field(label: str, change: Change) -> None:
    try:
        alone(change).level("old").up(change.shape, {})
    except UnknownField:
        pytest.fail("an absent field was refused as unknown")


@pytest.mark.parametrize(("label", "change"), list(API.changes()), ids=name)
def test_change__says_why_in_a_sentence(label: str, change: Change) -> None:
    assert re.fullmatch(r"[A-Z].*\.", change.why)
    assert re.fullmatch(r"[a-z0-9-]+", change.name)
    assert label in API.labels


def test_every_level__tells_every_sample__without_trouble() -> None:
    for label in API.labels:
        for shape, sample in SAMPLES.items():
            API.level(label).down(shape, copy.deepcopy(sample))


def test_legacy__one_level_below_the_oldest() -> None:
    assert LEGACY.labels == ("2.0", *API.labels)
    assert not LEGACY.level("2.0").has("strict-validation")
    assert API.level("2.1").has("strict-validation")


def test_files__each_is_in_the_line_and_says_which_it_is() -> None:
    for path in sorted(Path(next(iter(microversions.__path__))).glob("m2_*.py")):
        label = f"2.{int(path.stem.removeprefix('m2_'))}"
        module = import_module(f"{microversions.__name__}.{path.stem}")
        assert (module.__doc__ or "").startswith(f"{label}: "), path.name
        assert dict(API.steps)[label] == module.CHANGES
        assert module.CHANGES, f"{path.name} changes nothing"


def test_effects__code_asks_for_each_and_for_no_other() -> None:
    source = Path(next(iter(kilonova.__path__)))
    files = [path for path in source.rglob("*.py") if "history" not in path.parts]
    code = "".join(path.read_text() for path in files)
    for _, change in API.changes():
        assert change.effect == (f'"{change.name}"' in code), f"effect of {change.name}"
