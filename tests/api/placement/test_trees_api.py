"""Trees of providers over HTTP."""

import pytest

from tests.api.placement.documents import AGGREGATE, CONSUMER, A, B, C, allocation, error_of


def make(api, uuid, name, parent=None):
    return api.ask("POST", "/resource_providers", {"uuid": uuid, "name": name, "parent_provider_uuid": parent})


@pytest.fixture
def tree(api):
    """A over B over C."""
    for uuid, name, parent in ((A, "root", None), (B, "child", A), (C, "leaf", B)):
        assert make(api, uuid, name, parent).status_code == 200
    return api


def roots(api):
    listed = api.ask("GET", "/resource_providers").json()["resource_providers"]
    return {one["uuid"]: one["root_provider_uuid"] for one in listed}


def test_create__below_a_parent__has_its_root(tree):
    assert roots(tree) == {A: A, B: A, C: A}
    assert tree.ask("GET", f"/resource_providers/{C}").json()["parent_provider_uuid"] == B


def test_create__parent_missing_or_itself__is_refused(api):
    assert "parent provider UUID does not exist" in error_of(make(api, A, "one", B))["detail"]
    assert "cannot be same as UUID" in error_of(make(api, A, "one", A))["detail"]
    assert roots(api) == {}


def test_create__name_and_uuid_taken__says_which(tree):
    twin = error_of(make(tree, A, "another"))
    assert (twin["code"], twin["detail"]) == (
        "placement.duplicate_name",
        f"Conflicting resource provider uuid: {A} already exists.",
    )
    assert "name: leaf" in error_of(make(tree, CONSUMER, "leaf"))["detail"]


def test_move__whole_subtree_gets_the_new_root__and_back(tree):
    alone = tree.ask("PUT", f"/resource_providers/{B}", {"name": "child", "parent_provider_uuid": None})
    assert (alone.status_code, roots(tree)) == (200, {A: A, B: B, C: B})
    back = tree.ask("PUT", f"/resource_providers/{B}", {"name": "child", "parent_provider_uuid": A})
    assert (back.json()["root_provider_uuid"], roots(tree)) == (A, {A: A, B: A, C: A})


def test_move__below_itself__is_refused(tree):
    loop = tree.ask("PUT", f"/resource_providers/{A}", {"name": "root", "parent_provider_uuid": C})
    assert "creating loop" in error_of(loop)["detail"]


def test_move__before_1_37__only_roots_may(tree):
    at = f"/resource_providers/{C}"
    gone = tree.ask("PUT", at, {"name": "leaf", "parent_provider_uuid": None}, version="1.36")
    assert "un-parenting" in error_of(gone)["detail"]
    elsewhere = tree.ask("PUT", at, {"name": "leaf", "parent_provider_uuid": A}, version="1.36")
    assert "re-parenting" in error_of(elsewhere)["detail"]
    same = tree.ask("PUT", at, {"name": "leaf", "parent_provider_uuid": B}, version="1.36")
    assert same.status_code == 200


def test_rename__without_a_parent_in_the_body__stays_where_it_is(tree):
    assert tree.ask("PUT", f"/resource_providers/{C}", {"name": "twig"}).json()["parent_provider_uuid"] == B


def test_delete__with_children__is_refused(tree):
    assert error_of(tree.ask("DELETE", f"/resource_providers/{B}"))["code"].endswith("cannot_delete_parent")
    assert [tree.ask("DELETE", f"/resource_providers/{uuid}").status_code for uuid in (C, B, A)] == [204, 204, 204]


def test_list__of_a_tree__and_by_forbidden_aggregate(tree):
    make(tree, CONSUMER, "alone")
    found = tree.ask("GET", f"/resource_providers?in_tree={C}").json()["resource_providers"]
    assert {one["uuid"] for one in found} == {A, B, C}
    body = {"aggregates": [AGGREGATE], "resource_provider_generation": 0}
    assert tree.ask("PUT", f"/resource_providers/{B}/aggregates", body).status_code == 200
    found = tree.ask("GET", f"/resource_providers?in_tree={C}&member_of=!{AGGREGATE}").json()["resource_providers"]
    assert {one["uuid"] for one in found} == {A, C}


def test_candidates__of_a_tree__come_with_all_its_summaries(tree):
    body = {"resource_provider_generation": 0, "inventories": {"VCPU": {"total": 4}}}
    assert tree.ask("PUT", f"/resource_providers/{C}/inventories", body).status_code == 200
    found = tree.ask("GET", "/allocation_candidates?resources=VCPU:1").json()
    assert [list(one["allocations"]) for one in found["allocation_requests"]] == [[C]]
    assert set(found["provider_summaries"]) == {A, B, C}
    assert tree.ask("PUT", f"/allocations/{CONSUMER}", allocation(None, {C: {"VCPU": 4}})).status_code == 204
    assert tree.ask("GET", "/allocation_candidates?resources=VCPU:1").json()["allocation_requests"] == []
