"""Hostile input: the right 4xx, never a 5xx, and nothing done."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.compute_rig import PROJECT, Rig, flavor_body
from kilonova.objects.history.api import API

OPERATIONS = [
    operation
    for operation in json.loads((Path(__file__).parent / "contract.json").read_text())
    if not operation["path"].startswith("/servers/{")
]
WRITING = [operation for operation in OPERATIONS if operation["request"]]

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("hostile")) as rig:
        rig.ok("POST", "/flavors", flavor_body())
        yield rig


def body_key(operation: dict[str, Any]) -> str:
    return next((key.rstrip("*") for key in operation["request"][0][2]), "x")


def field_names(operation: dict[str, Any]) -> list[str]:
    names: set[str] = set()
    for _, _, keys in operation["request"]:
        for key, value in keys.items():
            names |= {name.rstrip("*") for name in value} if isinstance(value, dict) else {key.rstrip("*")}
    return sorted(names) or ["x"]


def path_of(operation: dict[str, Any], filling: str) -> str:
    return re.sub(r"\{[^}]*\}", filling, operation["path"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bodies__random__never_5xx(shared: Rig, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(WRITING))
    inner = data.draw(st.dictionaries(st.sampled_from(field_names(operation)), JUNK, max_size=4) | JUNK)
    body = data.draw(st.sampled_from([{body_key(operation): inner}, inner, {"x": inner}]))
    version = data.draw(st.sampled_from(API.labels))
    filling = data.draw(st.sampled_from(["1", PROJECT, "default", "nothing", "enable"]))
    base = data.draw(st.sampled_from(["/compute/v2.1", "/compute/v2"]))
    answer = shared.ask(operation["method"], path_of(operation, filling), body, version=version, base=base)
    assert answer.status_code < 500 or answer.status_code == 501, f"{version} {operation['path']} {body}: {answer.text}"
    assert len(answer.content) < 4096 or answer.status_code == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_queries_and_ids__random__never_5xx(shared: Rig, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from([o for o in OPERATIONS if o["method"] == "GET"]))
    names = [name for _, _, known, _ in operation["query"] for name in known if "~" not in name] or ["limit"]
    text = st.text(max_size=20) | st.sampled_from(["-1", "0", "1e9", "9" * 30, "٣", "\x00", "null", "%", "[", "(" * 50])
    params = data.draw(st.dictionaries(st.sampled_from(names), text, max_size=3))
    filling = data.draw(
        st.sampled_from(["1", "..%2f..%2fetc", "%00", "%FF", "a%20b", "'; drop table flavors; --", "9" * 400])
    )
    version = data.draw(st.sampled_from(["2.1", "2.34", "2.53", "2.74", "2.104"]))
    answer = shared.ask("GET", path_of(operation, filling), params=params, version=version)
    assert answer.status_code < 500 or answer.status_code == 501, (
        f"{version} {operation['path']} {params}: {answer.text}"
    )


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"flavor": "\xff"}', 400),
        (b"[" * 100_000, 400),
        (b'{"flavor":' * 5_000 + b"1" + b"}" * 5_000, 400),
        (b"null", 400),
        (b"7", 400),
        (b"[]", 400),
        (b'"flavor"', 400),
        (b"{}", 400),
        (b'{"flavor": null}', 400),
        (b'{"flavor": []}', 400),
        (b'{"flavor": {}, "more": 1}', 400),
        (b'{"flavor": {"name": "\\ud800", "ram": 1, "vcpus": 1, "disk": 1}}', 400),
        (b'{"flavor": {"name": "a\\u0000b", "ram": 1, "vcpus": 1, "disk": 1}}', 400),
        (b'{"flavor": {"name": "n", "ram": 1e400, "vcpus": 1, "disk": 1}}', 400),
        (b'{"flavor": {"name": "n", "ram": 99999999999999999999, "vcpus": 1, "disk": 1}}', 400),
        (b" " * (1 << 20) + b"{}", 413),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else str(value),
)
def test_body__malformed__refused(shared: Rig, content: bytes, status: int) -> None:
    answer = shared.ask("POST", "/flavors", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert len(answer.content) < 2500
    assert [flavor["id"] for flavor in shared.ok("GET", "/flavors")["flavors"]] == ["1"]


@pytest.mark.parametrize(
    "path",
    [
        "/flavors/..%2f..%2fetc%2fpasswd",
        "/flavors/%2e%2e/os-keypairs",
        "//flavors",
        "/flavors/%00",
        "/flavors/" + "a" * 5000,
        "/os-keypairs/%2e%2e",
        "/os-server-groups/' or 1=1 --",
        "/os-aggregates/99999999999999999999",
    ],
)
def test_path__tricks__4xx(shared: Rig, path: str) -> None:
    assert 400 <= shared.ask("GET", path).status_code < 500


def test_error__huge_value__message_stays_short(shared: Rig) -> None:
    body = flavor_body(name="n", ram="9" * 100_000)
    answer = shared.ask("POST", "/flavors", body)
    assert answer.status_code == 400
    assert len(answer.content) < 2500


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json; charset=utf-8", 400),
        ("application/vnd.openstack.compute+json", 400),
        ("text/plain", 415),
        ("application/xml", 415),
    ],
)
def test_body__media_type__json_only(shared: Rig, media_type: str, status: int) -> None:
    answer = shared.ask("POST", "/flavors", content=b"{}", headers={"Content-Type": media_type})
    assert answer.status_code == status
