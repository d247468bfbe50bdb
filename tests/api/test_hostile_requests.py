"""Spoiled requests: paths, queries, headers and methods that no client would send."""

import random
from typing import Any

import pytest

from api.hostile import Hostile, judge
from api.hostile_corpus import CORPUS
from cloud import Asker

SEED = 20150430

TRICKS = (
    "..",
    "../..",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%2fetc%2fpasswd",
    "%00",
    "a%00b",
    "%0d%0aX-Injected:%201",
    "%ff%fe",
    "%c0%ae%c0%ae",
    "%",
    "%zz",
    "%u0000",
    "é💥",
    "%E2%80%AE",
    ";a=b",
    "~root",
    "-1",
    "0",
    "1e9",
    "9" * 400,
    "a" * 5_000,
    "null",
    "*",
    "'%20OR%201=1--",
    "{id}",
    "%7B0.__class__%7D",
    "00000000-0000-0000-0000-000000000000",
    "AAAAAAAA-0000-4000-8000-000000000001",
    ".json",
    " ",
    "",
)
COLLECTIONS = (
    "/identity/v3/projects",
    "/identity/v3/users",
    "/identity/v3/roles",
    "/identity/v3/domains",
    "/identity/v3/services",
    "/identity/v3/users/<self>/application_credentials",
    "/image/v2/images",
    "/image/v2/images/<shared_image>/members",
    "/image/v2/schemas",
    "/network/v2.0/networks",
    "/network/v2.0/subnets",
    "/network/v2.0/ports",
    "/network/v2.0/security-groups",
    "/network/v2.0/security-group-rules",
    "/network/v2.0/quotas",
    "/network/v2.0/extensions",
    "/network/v2.0/networks/<network>/tags",
    "/placement/resource_providers",
    "/placement/allocations",
    "/placement/resource_classes",
    "/placement/traits",
    "/placement/resource_providers/<provider>/inventories",
    "/compute/v2.1/servers",
    "/compute/v2.1/servers/<server>/metadata",
    "/compute/v2.1/servers/<server>/tags",
    "/compute/v2.1/servers/<server>/ips",
    "/compute/v2.1/servers/<server>/os-instance-actions",
    "/compute/v2.1/flavors",
    "/compute/v2.1/flavors/<flavor>/os-extra_specs",
    "/compute/v2.1/os-keypairs",
    "/compute/v2.1/os-server-groups",
    "/compute/v2.1/os-aggregates",
    "/compute/v2.1/os-hypervisors",
    "/compute/v2.1/os-services",
    "/compute/v2.1/os-quota-sets",
    "/compute/v2.1/extensions",
)
LISTS = (
    "/identity/v3/projects",
    "/identity/v3/users",
    "/identity/v3/role_assignments",
    "/image/v2/images",
    "/network/v2.0/networks",
    "/network/v2.0/subnets",
    "/network/v2.0/ports",
    "/network/v2.0/security-groups",
    "/network/v2.0/security-group-rules",
    "/placement/resource_providers",
    "/placement/allocation_candidates",
    "/placement/usages",
    "/placement/traits",
    "/compute/v2.1/servers",
    "/compute/v2.1/servers/detail",
    "/compute/v2.1/flavors/detail",
    "/compute/v2.1/os-keypairs",
    "/compute/v2.1/os-hypervisors",
    "/compute/v2.1/os-server-groups",
    "/compute/v2.1/os-services",
    "/compute/v2.1/limits",
    "/compute/v2.1/servers/<server>/os-instance-actions",
)
PARAMETERS = (
    *("limit", "marker", "sort_key", "sort_dir", "sort", "fields", "page_reverse", "offset", "name", "id", "status"),
    *("ip", "ip6", "host", "flavor", "image", "changes-since", "changes-before", "created_at", "tags", "not-tags-any"),
    *(
        "all_tenants",
        "deleted",
        "project_id",
        "tenant_id",
        "user_id",
        "minDisk",
        "is_public",
        "hypervisor_hostname_pattern",
    ),
    *("resources", "required", "member_of", "in_tree", "group_policy", "fixed_ips", "device_id", "visibility", "tag"),
    *("size_min", "updated_at", "scope.project.id", "effective", "binary", "type", "nobody-knows-this", "", "a[b]"),
)
VALUES = (
    *("", "-1", "0", "9" * 400, "1e400", "NaN", "null", "%00", "a%00b", "%ff", "%", "é", "a,b,,c", ",", "asc,desc"),
    *("(a%2B)%2B%24", "(" * 500, "[", "*" * 100, "a" * 20_000, "(?P%3Cx%3E", "\\", "%5C", "in:", "in:a,b", "gt:x"),
    *(
        "subnet_id%3Dx",
        "ip_address%3D%ff",
        "VCPU:1",
        "VCPU:-1",
        "VCPU:" + "9" * 50,
        "2026-99-99",
        "2026-01-01T00:00:00Z",
    ),
    *("9999-12-31T23:59:59%2B23:59", "<server>", "<network>", "' OR 1=1 --", "true&limit=1&limit=2", "\u202e"),
)
METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "get",
    "G\x7fT",
    "X" * 300,
)
ROOTS = (
    "/",
    "/identity",
    "/identity/v3",
    "/image",
    "/network/v2.0",
    "/placement",
    "/compute",
    "/compute/v2.1",
    "/kilonova",
)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_ids__tricks__refused_and_nothing_lost(hostile: Hostile, collection: str) -> None:
    before = hostile.state()
    for trick in TRICKS:
        for method in ("GET", "PUT", "DELETE") if trick else ("GET",):
            answer = judge(hostile.ask(method, hostile.filled(f"{collection}/{trick}"), caller=hostile.cloud.member))
            assert "x-injected" not in answer.headers
            assert answer.status >= 400 or method != "DELETE" or "/tags/" in answer.asked, answer.asked
    after = hostile.state()
    changed = {table for table in before if before[table] != after[table]}
    assert changed <= {"network.tags", "network.networks", "cell1.servers"}, changed


@pytest.mark.parametrize("path", LISTS)
def test_queries__junk__answered_or_refused_in_time(hostile: Hostile, path: str) -> None:
    chance = random.Random(f"{SEED} {path}")
    for caller in (hostile.cloud.admin, hostile.cloud.member):
        for name in PARAMETERS:
            for value in chance.sample(VALUES, 5):
                judge(hostile.ask("GET", hostile.filled(f"{path}?{name}={value}"), caller=caller))
        judge(hostile.ask("GET", hostile.filled(f"{path}?{'&'.join(['a=b'] * 5_000)}"), caller=caller))
        judge(hostile.ask("GET", hostile.filled(f"{path}?{'&' * 5_000}"), caller=caller))


@pytest.mark.parametrize("bomb", ["(a+)+$", "(a|a)*$", "(.*)*(.*)*(.*)*x", "((a{1,99}){1,99}){1,99}", "(?=(a+))\\1+b"])
def test_names__expression_that_explodes__answered_in_time(hostile: Hostile, bomb: str) -> None:
    hostile.cloud.member.put(f"/compute/v2.1/servers/{hostile.ids['server']}", {"server": {"name": "a" * 60 + "!"}})
    began = hostile.cloud.runtime.monotonic()
    for name in ("name", "ip", "hostname"):
        answer = hostile.cloud.member.ask("GET", "/compute/v2.1/servers", params={name: bomb})
        assert answer.status_code < 500, answer.text
    assert hostile.cloud.runtime.monotonic() - began < 5


@pytest.mark.parametrize("root", ROOTS)
def test_methods__any__never_an_error_of_ours(hostile: Hostile, root: str) -> None:
    for method in METHODS:
        for caller in (hostile.cloud.admin, hostile.cloud.nobody):
            judge(hostile.ask(method, root, caller=caller))


def test_methods__wrong_ones__refused_without_a_trace(hostile: Hostile) -> None:
    before = hostile.state()
    for path in sorted({asking.path for asking in CORPUS}):
        for method in ("PROPFIND", "TRACE", "OPTIONS", "CONNECT"):
            answer = judge(hostile.ask(method, hostile.filled(path), b'{"a": 1}'))
            assert answer.status in {404, 405}, f"{answer.asked}: {answer.status}"
    assert hostile.state() == before


HEADERS: dict[str, list[tuple[str, str]]] = {
    "two tokens": [("X-Auth-Token", "a"), ("X-Auth-Token", "b")],
    "token of control characters": [("X-Auth-Token", "\x01\x02\x7f")],
    "token of other letters": [("X-Auth-Token", "\xe9\xff")],
    "long token": [("X-Auth-Token", "a" * 100_000)],
    "length is no number": [("Content-Length", "abc")],
    "length of other digits": [("Content-Length", "\xb2")],
    "negative length": [("Content-Length", "-1")],
    "two lengths": [("Content-Length", "2"), ("Content-Length", "3")],
    "huge length": [("Content-Length", "9" * 50)],
    "no version": [("OpenStack-API-Version", "")],
    "version of nothing": [("OpenStack-API-Version", "compute")],
    "version of words": [("OpenStack-API-Version", "compute two, placement one")],
    "version too new": [("OpenStack-API-Version", "compute 2.9999, placement 1.9999")],
    "version too old": [("OpenStack-API-Version", "compute 1.0, placement 0.1")],
    "huge version": [("OpenStack-API-Version", f"compute 2.{'9' * 5_000}, placement 1.{'9' * 5_000}")],
    "many versions": [("OpenStack-API-Version", ",".join(["compute 2.1"] * 2_000))],
    "two version headers": [("OpenStack-API-Version", "compute 2.1"), ("OpenStack-API-Version", "compute latest")],
    "strange version": [("OpenStack-API-Version", "compute \xb2.\xb9, placement \xb2.\xb9")],
    "legacy version": [("X-OpenStack-Nova-API-Version", "2.x")],
    "strange content type": [("Content-Type", "\xff/\xff; charset=none")],
    "other content type": [("Content-Type", "application/xml")],
    "form": [("Content-Type", "multipart/form-data; boundary=" + "x" * 1_000)],
    "nothing accepted": [("Accept", "image/png;q=NaN, */*;q=0")],
    "other host": [("Host", "other.example/../\x7f")],
    "forwarded": [("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "javascript")],
    "a thousand headers": [(f"X-{number}", "y") for number in range(1_000)],
    "identity of another": [("X-User-Id", "admin"), ("X-Roles", "admin"), ("X-Project-Id", "admin")],
    "range": [("Range", "bytes=99999999999999999999-1")],
    "encoded": [("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked, chunked")],
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_headers__malformed__answered_and_never_more_allowed(hostile: Hostile, headers: list[tuple[str, str]]) -> None:
    for asking in CORPUS:
        judge(
            hostile.ask(asking.method, hostile.filled(asking.path), b"{}", headers=headers, caller=hostile.cloud.nobody)
        )
    for path in LISTS:
        answer = judge(hostile.ask("GET", hostile.filled(path), headers=headers, caller=hostile.cloud.member))
        assert b"evil.example" not in answer.content
        anonymous = judge(hostile.ask("GET", hostile.filled(path), headers=headers, caller=hostile.cloud.nobody))
        assert anonymous.status in {400, 401, 406}, anonymous.asked


def test_cloud__after_all_of_it__still_works(hostile: Hostile) -> None:
    member: Asker = hostile.cloud.member
    shown: Any = member.get(f"/compute/v2.1/servers/{hostile.ids['server']}")["server"]
    assert shown["status"] == "ACTIVE"
    assert member.get(f"/network/v2.0/networks/{hostile.ids['network']}")["network"]["status"] == "ACTIVE"
