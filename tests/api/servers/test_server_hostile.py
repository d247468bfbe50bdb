"""Hostile input about servers: always a 4xx that fits, never a 5xx, and nothing is made."""

import json
from typing import Any

import pytest

from api.server_stage import NEWEST, SERVERS, Stage

UNKNOWN = "6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c00ff"
DEEP = "[" * 50_000 + "]" * 50_000
RAW = {
    "no JSON": b"{",
    "bad UTF-8": b'{"server": {"name": "\xff\xfe"}}',
    "lone surrogate": b'{"server": {"name": "\\ud800"}}',
    "deep": DEEP.encode(),
    "deep inside": b'{"server": ' + DEEP.encode() + b"}",
    "huge number": b'{"server": {"min_count": ' + b"9" * 4000 + b"}}",
    "not a number": b'{"server": {"min_count": NaN}}',
    "too large": b'{"server": {"user_data": "' + b"A" * (2 << 20) + b'"}}',
    "twice": b'{"server": {}, "server": []}',
    "text": b'"server"',
    "nothing": b"",
}
VALUES: list[Any] = [
    None,
    True,
    -1,
    2**63,
    1e308,
    "",
    "\x00",
    "a\x00b",
    "\u202e",
    "x" * 100_000,
    "../../etc/passwd",
    "'; DROP TABLE servers; --",
    [],
    [[]],
    [None],
    {},
    {"": ""},
    {"__proto__": 1},
]
FIELDS = (
    *("name", "flavorRef", "imageRef", "adminPass", "metadata", "networks", "OS-DCF:diskConfig", "accessIPv4"),
    *("accessIPv6", "availability_zone", "block_device_mapping", "block_device_mapping_v2", "config_drive", "key_name"),
    *("min_count", "max_count", "return_reservation_id", "security_groups", "user_data", "description", "tags"),
    *("trusted_image_certificates", "host", "hypervisor_hostname", "hostname", "personality", "nope"),
)


def check(answer: Any) -> None:
    assert answer.status_code < 500, answer.text
    assert answer.status_code < 400 or answer.json()


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_bodies__nothing_that_can_be_read__refused(stage: Stage, raw: bytes) -> None:
    member = stage.cloud.member
    json_type = {"Content-Type": "application/json"}
    for method, path in (
        ("POST", SERVERS),
        ("PUT", f"{SERVERS}/{UNKNOWN}"),
        ("POST", f"{SERVERS}/{UNKNOWN}/action"),
        ("PUT", f"{SERVERS}/{UNKNOWN}/metadata"),
        ("PUT", f"{SERVERS}/{UNKNOWN}/tags"),
    ):
        answer = member.ask(method, path, content=raw, headers=json_type, version=NEWEST)
        assert 400 <= answer.status_code < 500, f"{method} {path}: {answer.text}"


@pytest.mark.parametrize("field", FIELDS)
def test_create__any_value_in_any_field__never_an_internal_error(stage: Stage, field: str) -> None:
    for version in ("2.1", "2.56", NEWEST):
        for value in VALUES:
            body = {"server": {**stage.wish()["server"], "flavorRef": "no-such-flavor", field: value}}
            check(stage.cloud.admin.ask("POST", SERVERS, body, version=version))


@pytest.mark.parametrize(
    "hint",
    [
        "group",
        "different_host",
        "same_host",
        "query",
        "target_cell",
        "different_cell",
        "build_near_host_ip",
        "cidr",
        "own",
    ],
)
def test_hints__any_value__never_an_internal_error(stage: Stage, hint: str) -> None:
    for value in VALUES:
        body = stage.wish(flavorRef="no-such-flavor") | {"os:scheduler_hints": {hint: value}}
        answer = stage.cloud.member.ask("POST", SERVERS, body, version=NEWEST)
        assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("field", ["name", "description", "accessIPv4", "hostname", "pinned_availability_zone", "nope"])
def test_update__any_value__never_an_internal_error(stage: Stage, field: str) -> None:
    server_id = stage.create()["server"]["id"]
    for value in VALUES:
        check(stage.cloud.member.ask("PUT", f"{SERVERS}/{server_id}", {"server": {field: value}}, version=NEWEST))


def test_actions__any_value__never_an_internal_error(stage: Stage) -> None:
    server_id = stage.boot()
    for action in ("os-start", "reboot", "lock", "unlock", "os-getConsoleOutput", "pause", "nope", ""):
        for value in VALUES:
            answer = stage.cloud.member.ask("POST", f"{SERVERS}/{server_id}/action", {action: value}, version=NEWEST)
            assert answer.status_code in {200, 202, 400, 409, 501}, f"{action}: {answer.text}"


def test_queries__any_value_of_any_filter__never_an_internal_error(stage: Stage) -> None:
    texts = [value if isinstance(value, str) else json.dumps(value) for value in VALUES]
    texts = [text[:2000] for text in texts] + ["9" * 300, "(" * 100, "(a+)+$", "[", "\\", "%", "{", "1e999", "-0"]
    for name in (
        *("all_tenants", "changes-since", "changes-before", "config_drive", "created_at", "deleted", "flavor", "host"),
        *(
            "hostname",
            "image",
            "ip",
            "ip6",
            "key_name",
            "launch_index",
            "limit",
            "locked",
            "marker",
            "metadata",
            "name",
        ),
        *("not-tags", "power_state", "progress", "project_id", "sort_dir", "sort_key", "status", "tags", "task_state"),
        *("tenant_id", "user_id", "uuid", "vm_state", "nope"),
    ):
        for text in texts:
            for who in (stage.cloud.member, stage.cloud.admin):
                check(who.ask("GET", SERVERS, params={name: text}, version=NEWEST))
