"""What is the same for every resource: versions, media types, methods, words of errors."""

import pytest

from tests.api.placement.documents import A, error_of


def test_version__unknown_is_406__malformed_is_400(api):
    unknown = api.ask("GET", "/resource_providers", version="0.5")
    assert (unknown.status_code, error_of(unknown)["max_version"]) == (406, "1.39")
    assert error_of(api.ask("GET", "/", version="pony.horse"))["detail"] == "invalid version string: pony.horse"


def test_accept__without_json__is_406__and_told_as_it_is_taken(api):
    refused = api.ask("GET", "/resource_providers", headers={"Accept": "text/plain"})
    assert (refused.status_code, error_of(refused)["detail"]) == (406, "Only application/json is provided")
    page = api.ask("GET", "/resource_providers", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (406, "text/html; charset=UTF-8")
    assert api.ask("GET", "/resource_providers", headers={"Accept": "text/html,*/*;q=0.8"}).status_code == 200


def test_body__no_json__is_said(api):
    put = f"/resource_providers/{A}"
    assert api.ask("PUT", put, content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert api.ask("PUT", put, content=b"x", headers={"Content-Type": ""}).status_code == 400
    broken = api.ask("PUT", put, content=b"{", headers={"Content-Type": "application/json"})
    assert error_of(broken)["detail"].startswith("Malformed JSON: ")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"uuid": A}, "'name' is a required property  Failed validating 'required'"),
        ({"name": "x" * 201}, "is too long  Failed validating 'maxLength' in schema['properties']['name']"),
        ({"name": "x", "cow": 1}, "Additional properties are not allowed ('cow' was unexpected)"),
        ({"name": 7}, "7 is not of type 'string'  Failed validating 'type'"),
        ({"name": "x", "uuid": "cow"}, "'cow' is not a 'uuid'  Failed validating 'format'"),
        ([], "[] is not of type 'object'"),
    ],
)
def test_body__wrong__is_told_in_the_words_of_json_schema(api, body, said):
    answer = api.ask("POST", "/resource_providers", body)
    assert answer.status_code == 400
    assert said in error_of(answer)["detail"]


@pytest.mark.parametrize(
    ("query", "version", "said"),
    [
        ("spam=eggs", "1.39", "Additional properties are not allowed ('spam' was unexpected)"),
        ("uuid=spam", "1.39", "is not a 'uuid'"),
        ("required=A,,B", "1.39", "Got an empty trait in: A,,B"),
        ("required=!A", "1.21", "HW_CPU_X86_VMX,CUSTOM_MAGIC. Got: !A"),
        ("required=in:A", "1.38", "only supported since microversion 1.39"),
        ("required=in:A,!B", "1.39", "does not support forbidden traits"),
        ("required=NO_SUCH", "1.39", "No such trait(s): NO_SUCH."),
        ("resources=VCPU", "1.39", "Badly formed resources parameter"),
        ("resources=VCPU:x", "1.39", "expected positive integer amount"),
        ("resources=NO_SUCH:1", "1.39", "No such resource class NO_SUCH."),
        ("member_of=x", "1.39", "to contain valid UUID(s)"),
        (f"member_of=!{A}", "1.31", "Forbidden member_of parameters are not supported"),
        (f"member_of={A}&member_of={A}", "1.23", "Multiple member_of parameters are not supported"),
    ],
)
def test_list__bad_query__says_what_is_wrong(api, query, version, said):
    answer = api.ask("GET", f"/resource_providers?{query}", version=version)
    assert (answer.status_code, said in answer.json()["errors"][0]["detail"]) == (400, True), answer.text


@pytest.mark.parametrize(
    ("query", "version", "said", "code"),
    [
        ("resources1=VCPU:1", "1.24", "('resources1' was unexpected)", None),
        ("resources01=VCPU:1", "1.25", "'resources01' does not match any of the regexes", None),
        ("resources_a=VCPU:1", "1.32", "'resources_a' does not match any of the regexes", None),
        ("resources=VCPU:1&root_required=A", "1.34", "'root_required' does not match", None),
        ("resources=VCPU:1&limit=0", "1.39", "Failed validating 'pattern'", None),
        ("resources=VCPU:1&group_policy=x", "1.39", "'x' is not one of ['none', 'isolate']", None),
        ("resources1=VCPU:1&resources2=VCPU:1", "1.39", 'The "group_policy" parameter is required', None),
        ("required1=HW_CPU_X86_AVX2&resources=VCPU:1", "1.35", "orphaned traits keys: required1", None),
        (f"in_tree1={A}&resources=VCPU:1", "1.35", "All request groups must specify resources.", None),
        (f"member_of={A}", "1.39", "There must be at least one resources", "missing_value"),
        ("resources=VCPU:1&required_a=A", "1.39", "should be specified in `same_subtree`", "bad_value"),
        ("resources=VCPU:1&same_subtree=_a", "1.39", "not found in", "bad_value"),
        ("resources=VCPU:1&root_required=A&root_required=B", "1.39", "only once", "duplicate_key"),
        ("resources=VCPU:1&root_required=A,!A", "1.39", "found in root_required: A", "bad_value"),
        ("resources=VCPU:1&required=A,!A", "1.39", "following traits keys: required: (A)", None),
    ],
)
def test_candidates__bad_query__says_what_is_wrong(api, query, version, said, code):
    answer = api.ask("GET", f"/allocation_candidates?{query}", version=version)
    error = error_of(answer)
    assert (answer.status_code, said in error["detail"]) == (400, True), answer.text
    if version >= "1.23":
        assert error["code"] == ("placement.undefined_code" if code is None else f"placement.query.{code}")


def test_location__begins_with_the_address_that_was_asked(api):
    made = api.ask("POST", "/resource_providers", {"name": "one", "uuid": A})
    assert made.headers["location"] == f"http://cloud/placement/resource_providers/{A}"


def test_system_scope__is_no_scope_of_placement(api):
    assert api.ask("GET", "/resource_providers", token="system").status_code == 403
