"""The Placement API over HTTP, without a socket."""

import pytest

from tests.api.placement.documents import AGGREGATE, CONSUMER, OTHER, A, B, allocation, error_of


def test_root__without_token__tells_the_versions(api):
    (version,) = api.ask("GET", "/", token="").json()["versions"]
    assert (version["min_version"], version["max_version"]) == ("1.0", "1.39")


def test_errors__carry_a_code_since_1_23__and_say_what_is_allowed(api):
    missing = f"/resource_providers/{A}"
    assert error_of(api.ask("GET", missing))["code"] == "placement.resource_provider.not_found"
    assert "code" not in error_of(api.ask("GET", missing, version="1.22"))
    assert error_of(api.ask("GET", missing, version="1.99"))["max_version"] == "1.39"
    wrong = api.ask("PATCH", missing)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "DELETE, GET, PUT")
    assert api.ask("GET", missing, token="").status_code == 401
    assert api.ask("GET", missing, token="reader").status_code == 403
    assert api.ask("GET", missing, token="service").status_code == 404
    assert api.ask("GET", "/nowhere").status_code == 404


def test_providers__made_shown_renamed_deleted(api):
    made = api.ask("POST", "/resource_providers", {"name": "one", "uuid": A}, version="1.19")
    assert (made.status_code, made.text) == (201, "")
    assert made.headers["location"].endswith(f"/placement/resource_providers/{A}")
    again = api.ask("POST", "/resource_providers", {"name": "one"})
    assert (again.status_code, error_of(again)["code"]) == (409, "placement.duplicate_name")
    shown = api.ask("GET", f"/resource_providers/{A}")
    assert shown.json()["root_provider_uuid"] == A
    assert shown.headers["cache-control"] == "no-cache"
    old = api.ask("GET", f"/resource_providers/{A}", version="1.0")
    assert [link["rel"] for link in old.json()["links"]] == ["self", "inventories", "usages"]
    assert "root_provider_uuid" not in old.json()
    assert "last-modified" not in old.headers
    assert api.ask("PUT", f"/resource_providers/{A}", {"name": "uno"}).json()["name"] == "uno"
    assert api.ask("DELETE", f"/resource_providers/{A}").status_code == 204
    assert api.ask("DELETE", f"/resource_providers/{A}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": "x" * 201}, {"name": 1}, {"name": "x", "uuid": "1"}, {"name": "x", "y": 1}, [], None],
)
def test_providers__bad_body__is_refused(api, body):
    assert api.ask("POST", "/resource_providers", body).status_code in {400, 415}


def test_providers__lists__filter(api):
    api.provider(A, "one", VCPU={"total": 4})
    api.provider(B, "two", VCPU={"total": 8})
    assert api.ask("PUT", f"/resource_providers/{B}/aggregates", [AGGREGATE], version="1.18").json() == {
        "aggregates": [AGGREGATE]
    }
    traits = {"traits": ["HW_CPU_X86_AVX2"], "resource_provider_generation": 1}
    assert api.ask("PUT", f"/resource_providers/{B}/traits", traits).status_code == 200

    def found(query: str, version: str = "1.39") -> list[str]:
        answer = api.ask("GET", f"/resource_providers?{query}", version=version)
        assert answer.status_code == 200, answer.text
        return [one["name"] for one in answer.json()["resource_providers"]]

    assert found("") == ["one", "two"]
    assert found("name=one") == found(f"uuid={A}") == found(f"in_tree={A}") == ["one"]
    assert found("resources=VCPU:5") == ["two"]
    assert found(f"member_of=in:{AGGREGATE},{A}") == ["two"]
    assert found(f"member_of=!{AGGREGATE}") == ["one"]
    assert found("required=HW_CPU_X86_AVX2") == found("required=in:HW_CPU_X86_AVX2,HW_CPU_X86_AVX") == ["two"]
    assert found("required=!HW_CPU_X86_AVX2") == ["one"]
    for query, version in (
        ("resources=VCPU:5", "1.3"),
        ("resources=NOPE:1", "1.39"),
        ("required=NOPE", "1.39"),
        ("x=1", "1.39"),
    ):
        assert api.ask("GET", f"/resource_providers?{query}", version=version).status_code == 400, query


def test_inventories__generations_units_and_use_are_guarded(api):
    api.provider(A, "one", VCPU={"total": 4})
    at = f"/resource_providers/{A}/inventories"
    assert api.ask("GET", at).json()["inventories"]["VCPU"]["max_unit"] == 2147483647
    stale = api.ask("PUT", at, {"resource_provider_generation": 0, "inventories": {}})
    assert (stale.status_code, error_of(stale)["code"]) == (409, "placement.concurrent_update")
    made = api.ask("POST", at, {"resource_class": "DISK_GB", "total": 10})
    assert (made.status_code, made.json()["resource_provider_generation"]) == (201, 2)
    assert api.ask("POST", at, {"resource_class": "DISK_GB", "total": 10}).status_code == 409
    changed = api.ask("PUT", f"{at}/DISK_GB", {"resource_provider_generation": 2, "total": 10, "reserved": 10})
    assert changed.json()["reserved"] == 10
    reserved = {"resource_provider_generation": 3, "total": 10, "reserved": 10}
    assert api.ask("PUT", f"{at}/DISK_GB", reserved, version="1.25").status_code == 400
    assert api.ask("PUT", f"/allocations/{CONSUMER}", allocation(None, {A: {"VCPU": 1}})).status_code == 204
    used = api.ask("DELETE", f"{at}/VCPU")
    assert (used.status_code, error_of(used)["code"]) == (409, "placement.concurrent_update")
    assert error_of(api.ask("DELETE", at))["code"] == "placement.inventory.inuse"
    assert api.ask("DELETE", f"{at}/DISK_GB").status_code == 204
    assert api.ask("DELETE", at, version="1.4").status_code == 405
    assert error_of(api.ask("DELETE", f"/resource_providers/{A}"))["code"] == "placement.resource_provider.inuse"


def test_allocations__generations_of_1_28__and_null_after_emptying(api):
    api.provider(A, "one", VCPU={"total": 4})
    at = f"/allocations/{CONSUMER}"
    assert api.ask("GET", at).json() == {"allocations": {}}
    assert api.ask("PUT", at, allocation(None, {A: {"VCPU": 2}})).status_code == 204
    shown = api.ask("GET", at).json()
    assert shown["consumer_generation"] == 1
    assert shown["allocations"][A]["resources"] == {"VCPU": 2}
    wrong = api.ask("PUT", at, allocation(None, {A: {"VCPU": 2}}))
    assert (wrong.status_code, error_of(wrong)["code"]) == (409, "placement.concurrent_update")
    assert api.ask("PUT", at, allocation(1, {A: {"VCPU": 5}})).status_code == 409
    assert api.ask("PUT", at, allocation(1, {})).status_code == 204
    assert api.ask("GET", at).json() == {"allocations": {}}
    assert api.ask("PUT", at, allocation(2, {A: {"VCPU": 1}})).status_code == 409
    assert api.ask("PUT", at, allocation(None, {A: {"VCPU": 1}})).status_code == 204
    assert api.ask("GET", f"/resource_providers/{A}/allocations").json()["allocations"] == {
        CONSUMER: {"resources": {"VCPU": 1}, "consumer_generation": 3}
    }
    assert api.ask("DELETE", at).status_code == 204
    assert api.ask("DELETE", at).status_code == 404


def test_allocations__older_shapes__are_read(api):
    api.provider(A, "one", VCPU={"total": 4})
    at = f"/allocations/{CONSUMER}"
    listed = {"allocations": [{"resource_provider": {"uuid": A}, "resources": {"VCPU": 1}}]}
    assert api.ask("PUT", at, listed, version="1.0").status_code == 204
    assert api.ask("PUT", at, listed, version="1.8").status_code == 400
    assert api.ask("PUT", at, {**listed, "project_id": "p1", "user_id": "u1"}, version="1.8").status_code == 204
    mapped = {"allocations": {A: {"resources": {"VCPU": 2}}}, "project_id": "p1", "user_id": "u1"}
    assert api.ask("PUT", at, mapped, version="1.12").status_code == 204
    assert api.ask("PUT", at, mapped, version="1.11").status_code == 400
    assert api.ask("PUT", at, listed, version="1.12").status_code == 400
    assert api.ask("PUT", at, mapped, version="1.28").status_code == 400
    old = api.ask("GET", at, version="1.11").json()
    assert old == {"allocations": {A: {"resources": {"VCPU": 2}, "generation": old["allocations"][A]["generation"]}}}
    assert api.ask("GET", at, version="1.27").json()["project_id"] == "p1"


def test_allocations__several_at_once__move_between_consumers_or_not_at_all(api):
    api.provider(A, "one", VCPU={"total": 4})
    assert api.ask("POST", "/allocations", {CONSUMER: allocation(None, {A: {"VCPU": 4}})}).status_code == 204
    swap = {OTHER: allocation(None, {A: {"VCPU": 4}}), CONSUMER: allocation(1, {})}
    assert api.ask("POST", "/allocations", swap).status_code == 204
    both = {CONSUMER: allocation(None, {A: {"VCPU": 1}}), OTHER: allocation(1, {A: {"VCPU": 4}})}
    assert api.ask("POST", "/allocations", both).status_code == 409
    usages = api.ask("GET", "/usages?project_id=p1").json()["usages"]
    assert usages == {"INSTANCE": {"consumer_count": 1, "VCPU": 4}}
    assert api.ask("GET", "/usages?project_id=p1", version="1.9", token="reader").json() == {"usages": {"VCPU": 4}}
    assert api.ask("GET", "/usages?project_id=p2", token="reader").status_code == 403
    assert api.ask("GET", "/usages").status_code == 400


def test_candidates__at_each_shape(api):
    api.provider(A, "one", VCPU={"total": 4}, DISK_GB={"total": 10})
    api.provider(B, "two", VCPU={"total": 1})
    at = "/allocation_candidates?resources=VCPU:2"
    newest = api.ask("GET", at).json()
    assert newest["allocation_requests"] == [{"allocations": {A: {"resources": {"VCPU": 2}}}, "mappings": {"": [A]}}]
    assert newest["provider_summaries"] == {
        A: {
            "resources": {"DISK_GB": {"capacity": 10, "used": 0}, "VCPU": {"capacity": 4, "used": 0}},
            "traits": [],
            "parent_provider_uuid": None,
            "root_provider_uuid": A,
        }
    }
    oldest = api.ask("GET", at, version="1.10").json()
    assert oldest == {
        "allocation_requests": [{"allocations": [{"resource_provider": {"uuid": A}, "resources": {"VCPU": 2}}]}],
        "provider_summaries": {A: {"resources": {"VCPU": {"capacity": 4, "used": 0}}}},
    }
    assert len(api.ask("GET", "/allocation_candidates?resources=VCPU:1&limit=1").json()["allocation_requests"]) == 1
    for query in (
        "",
        "resources=VCPU",
        "resources=VCPU:0",
        "resources=VCPU:1&resources1=VCPU:1&resources2=VCPU:1",
        "resources=VCPU:1&limit=0",
    ):
        assert api.ask("GET", f"/allocation_candidates?{query}").status_code == 400, query
    assert api.ask("GET", f"{at}&limit=1", version="1.15").status_code == 400
    assert api.ask("GET", at, version="1.9").status_code == 404


def test_traits_and_classes__custom_ones_are_made_and_standard_ones_kept(api):
    assert [api.ask("PUT", "/traits/CUSTOM_X").status_code for _ in range(2)] == [201, 204]
    assert api.ask("PUT", "/traits/X").status_code == 400
    assert api.ask("GET", "/traits?name=startswith:CUSTOM").json() == {"traits": ["CUSTOM_X"]}
    assert api.ask("GET", "/traits/HW_CPU_X86_AVX2").status_code == 204
    assert api.ask("DELETE", "/traits/HW_CPU_X86_AVX2").status_code == 400
    assert [api.ask("DELETE", "/traits/CUSTOM_X").status_code for _ in range(2)] == [204, 404]
    assert api.ask("POST", "/resource_classes", {"name": "CUSTOM_Y"}).status_code == 201
    assert api.ask("PUT", "/resource_classes/CUSTOM_Y").status_code == 204
    assert (
        api.ask("PUT", "/resource_classes/CUSTOM_Y", {"name": "CUSTOM_Z"}, version="1.6").json()["name"] == "CUSTOM_Z"
    )
    listed = [one["name"] for one in api.ask("GET", "/resource_classes").json()["resource_classes"]]
    assert (listed[0], listed[-1]) == ("VCPU", "CUSTOM_Z")
    assert api.ask("DELETE", "/resource_classes/VCPU").status_code == 400
    assert api.ask("DELETE", "/resource_classes/CUSTOM_Z").status_code == 204
    assert api.ask("GET", "/resource_classes/CUSTOM_Z").status_code == 404
