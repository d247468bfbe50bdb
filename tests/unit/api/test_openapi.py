"""The API as documents: every route is in them, and what they hold is sound."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kilonova.api.changes import Backwards, Kind, at, between
from kilonova.api.openapi import Documents, NoSuchMicroversion, rules_of, summary
from kilonova.api.openapi_page import page
from kilonova.api.policies import RULES
from kilonova.api.service import described
from kilonova.objects.history.api import API
from kilonova.objects.history.unserved import UNSERVED

ROUTES = described()
DOCUMENTS = Documents(ROUTES)
SOME = ("2.1", "2.37", "2.64", "2.104")
ALWAYS_REFUSED = {
    "/os-assisted-volume-snapshots",
    "/os-assisted-volume-snapshots/{id}",
    "/os-baremetal-nodes",
    "/os-baremetal-nodes/{id}",
    "/os-baremetal-nodes/{id}/action",
    "/servers/{id}/shares",
    "/servers/{id}/shares/{share_id}",
}
"""Paths of what this cloud does not have: some or all of their methods refuse with 400 or 404 whatever is asked."""
GUARDED_BY_NONE = {
    ("GET", "/"),
    ("GET", "/flavors"),
    ("GET", "/versions/{id}"),
    *(
        (method, f"/images{rest}")
        for method, rest in (("GET", ""), ("GET", "/detail"), ("GET", "/{id}"), ("DELETE", "/{id}"))
    ),
    *((method, "/images/{image_id}/metadata") for method in ("GET", "POST", "PUT")),
    *((method, "/images/{image_id}/metadata/{key}") for method in ("GET", "PUT", "DELETE")),
    ("POST", "/os-baremetal-nodes"),
    ("DELETE", "/os-baremetal-nodes/{id}"),
    ("POST", "/os-baremetal-nodes/{id}/action"),
}
"""Routes that are for everybody who has a token, or even without, that the image service guards, or that change nothing."""
CONSOLES = {"GET /os-console-auth-tokens/{}", "POST /servers/{}/remote-consoles"}
"""What the rules of consoles are about, which are not served yet."""


@pytest.fixture(scope="module", params=SOME)
def doc(request: pytest.FixtureRequest) -> Any:
    return json.loads(DOCUMENTS.encoded(request.param)[0])


def operations(doc: Any) -> Iterator[tuple[str, Any]]:
    for path, item in doc["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, operation


def below(value: Any, key: str) -> Iterator[Any]:
    """Everything that stands under `key`, however deep."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for inner in value.values():
            yield from below(inner, key)
    if isinstance(value, list):
        for inner in value:
            yield from below(inner, key)


def test_routes__each__says_what_it_takes_and_gives() -> None:
    assert not [(route.method, route.path, route.action) for route in ROUTES if route.gives is None]


def test_routes__each__has_a_summary_of_one_sentence() -> None:
    assert not [(route.method, route.path) for route in ROUTES if not summary(route).endswith(".")]


def test_routes__each_that_is_served__is_guarded_by_a_rule() -> None:
    open_to_all = {
        (route.method, route.path)
        for route in ROUTES
        if not route.path.startswith("/os-volumes_boot")
        and not rules_of(route)
        and not {410, 501} & {*route.faults} - ({501} if route.gives else set())
    }
    assert open_to_all == GUARDED_BY_NONE


def test_rules__each_operation_in_their_table__is_a_route() -> None:
    def plain(text: str) -> str:
        return re.sub(r"\{\w+\}", "{}", text)

    known = {plain(f"{one.method} {one.path}" + (f" ({one.action})" if one.action else "")) for one in ROUTES}
    told = {plain(one) for rule in RULES for one in rule.description.split(", ")}
    assert {one for one in told - known if re.match(r"[A-Z]+ /", one)} == CONSOLES


def test_document__names_and_references__unique_and_there(doc: Any) -> None:
    names = [operation["operationId"] for _, operation in operations(doc)]
    assert len(set(names)) == len(names)
    for reference in below(doc, "$ref"):
        _, _, section, name = reference.split("/")
        assert name in doc["components"][section]
    for path, operation in operations(doc):
        wanted = set(re.findall(r"\{(\w+)\}", path))
        assert {one["name"] for one in doc["paths"][path].get("parameters", ())} == wanted
        answered = any(status.startswith(("2", "410", "501")) for status in operation["responses"])
        assert answered or path in ALWAYS_REFUSED, path


def test_document__every_schema__is_one_and_bears_no_marks(doc: Any) -> None:
    for schema in below(doc["paths"], "schema"):
        Draft202012Validator.check_schema(schema)
    text = json.dumps(doc)
    assert "x-shapes" not in text
    assert "x-more" not in text


def test_document__asks_for_its_own_microversion() -> None:
    (old,) = DOCUMENTS.document("2.26")["components"]["parameters"].values()
    (new,) = DOCUMENTS.document("2.27")["components"]["parameters"].values()
    assert (old["name"], old["schema"]["enum"]) == ("X-OpenStack-Nova-API-Version", ["2.26"])
    assert (new["name"], new["schema"]["enum"]) == ("OpenStack-API-Version", ["compute 2.27"])


def test_document__routes_of_other_microversions__not_in_it() -> None:
    assert "/servers/{id}/tags" not in DOCUMENTS.document("2.25")["paths"]
    assert "/servers/{id}/tags" in DOCUMENTS.document("2.26")["paths"]
    assert "/os-hypervisors/statistics" not in DOCUMENTS.document("2.88")["paths"]


def test_unknown_microversion__refusal_names_the_range() -> None:
    with pytest.raises(NoSuchMicroversion, match=r"no microversion 2\.105: the API has 2\.1 to 2\.104"):
        DOCUMENTS.document("2.105")


def test_changes__every_microversion__sorted_or_said_why_not() -> None:
    silent = {int(label[2:]) for label in API.labels if not at(DOCUMENTS, label)}
    assert silent == set(UNSERVED)


def test_changes__between_two__the_first_not_included() -> None:
    told = between(DOCUMENTS, "2.25", "2.26")
    assert {one.version for one in told} == {"2.26"}
    assert [one.kind for one in told] == sorted((one.kind for one in told), key=list(Kind).index)
    assert any(one.about == "PUT /servers/{id}/tags/{tag}" for one in told)
    assert between(DOCUMENTS, "2.26", "2.26") == []
    with pytest.raises(Backwards):
        between(DOCUMENTS, "2.26", "2.25")


def test_page__shows_every_operation_and_a_choice_of_microversions() -> None:
    told = page(DOCUMENTS, "2.96")
    assert "<script" not in told
    assert told.count("<option") == len(API.labels)
    for path, operation in operations(DOCUMENTS.document("2.96")):
        assert f'id="{operation["operationId"]}"' in told, path
