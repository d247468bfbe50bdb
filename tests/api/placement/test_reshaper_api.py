"""Inventories and allocations of several providers, moved together over HTTP."""

from tests.api.placement.documents import CONSUMER, A, B, allocation, error_of


def inventories(generation, **totals):
    named = {name: {"total": total} for name, total in totals.items()}
    return {"resource_provider_generation": generation, "inventories": named}


def start(api):
    """A has everything and is used; B has nothing yet."""
    api.provider(A, "root", VCPU={"total": 4}, DISK_GB={"total": 100})
    assert api.ask("POST", "/resource_providers", {"uuid": B, "name": "child", "parent_provider_uuid": A}).is_success
    held = {A: {"VCPU": 2, "DISK_GB": 10}}
    assert api.ask("PUT", f"/allocations/{CONSUMER}", allocation(None, held)).status_code == 204


def reshape(api, body, **more):
    return api.ask("POST", "/reshaper", body, token="service", **more)


def usages(api, uuid):
    return api.ask("GET", f"/resource_providers/{uuid}/usages").json()["usages"]


def test_reshape__class_moves_to_a_child_with_what_is_held_of_it(api):
    start(api)
    moved = {
        "inventories": {A: inventories(2, DISK_GB=100), B: inventories(0, VCPU=4)},
        "allocations": {CONSUMER: allocation(1, {A: {"DISK_GB": 10}, B: {"VCPU": 2}})},
    }
    assert reshape(api, moved).status_code == 204
    assert (usages(api, A), usages(api, B)) == ({"DISK_GB": 10}, {"VCPU": 2})
    assert api.ask("GET", f"/allocations/{CONSUMER}").json()["consumer_generation"] == 2


def test_reshape__held_inventory_would_go__nothing_is_changed(api):
    start(api)
    answer = reshape(
        api, {"inventories": {A: inventories(2, DISK_GB=100), B: inventories(0, VCPU=4)}, "allocations": {}}
    )
    assert (answer.status_code, error_of(answer)["code"]) == (409, "placement.inventory.inuse")
    assert (usages(api, A), usages(api, B)) == ({"DISK_GB": 10, "VCPU": 2}, {})


def test_reshape__what_is_stale_or_unknown_or_too_much__is_refused(api):
    start(api)
    empty = {"allocations": {}}
    stale = reshape(api, {"inventories": {A: inventories(7)}, **empty})
    assert "actual: 2, given: 7" in error_of(stale)["detail"]
    unknown = reshape(api, {"inventories": {CONSUMER: inventories(0)}, **empty})
    assert (unknown.status_code, error_of(unknown)["code"]) == (400, "placement.resource_provider.not_found")
    nonsense = reshape(api, {"inventories": {B: inventories(0, NONSENSE=1)}, **empty})
    assert "No such resource class NONSENSE" in error_of(nonsense)["detail"]
    too_much = {CONSUMER: allocation(1, {B: {"VCPU": 5}})}
    full = reshape(api, {"inventories": {B: inventories(0, VCPU=4)}, "allocations": too_much})
    assert (full.status_code, "exceed the capacity" in error_of(full)["detail"]) == (409, True)
    assert usages(api, B) == {}


def test_reshape__is_for_services__since_1_30(api):
    start(api)
    body = {"inventories": {B: inventories(0)}, "allocations": {}}
    assert api.ask("POST", "/reshaper", body).status_code == 403
    assert reshape(api, body, version="1.29").status_code == 404
    assert reshape(api, {"inventories": {}, "allocations": {}}).status_code == 400
