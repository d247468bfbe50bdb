"""What holds for allocations whoever writes them."""

from tests.api.placement.documents import CONSUMER, OTHER, A, allocation, error_of


def generation(api, uuid):
    return api.ask("GET", f"/allocations/{uuid}").json().get("consumer_generation")


def test_generation__emptied_and_filled_anew__older_writers_are_refused(api):
    """Somebody who slept meanwhile must not take the new consumer for the one that they knew."""
    api.provider(A, "one", VCPU={"total": 4})
    at = f"/allocations/{CONSUMER}"
    assert api.ask("PUT", at, allocation(None, {A: {"VCPU": 1}})).status_code == 204
    assert generation(api, CONSUMER) == 1
    assert api.ask("PUT", at, allocation(1, {})).status_code == 204
    assert api.ask("PUT", at, allocation(None, {A: {"VCPU": 2}})).status_code == 204
    assert generation(api, CONSUMER) == 3
    slept = api.ask("PUT", at, allocation(1, {A: {"VCPU": 4}}))
    assert error_of(slept)["detail"].startswith("consumer generation conflict - expected 3 but got 1")


def test_over_capacity__what_one_gives_back_another_may_take__and_no_more(api):
    api.provider(A, "one", VCPU={"total": 4})
    assert api.ask("PUT", f"/allocations/{CONSUMER}", allocation(None, {A: {"VCPU": 4}})).status_code == 204
    shrunk = {"resource_provider_generation": 2, "inventories": {"VCPU": {"total": 2, "max_unit": 9}}}
    assert api.ask("PUT", f"/resource_providers/{A}/inventories", shrunk).status_code == 200
    more = {OTHER: allocation(None, {A: {"VCPU": 4}}), CONSUMER: allocation(1, {A: {"VCPU": 1}})}
    assert "exceed the capacity" in error_of(api.ask("POST", "/allocations", more))["detail"]
    same = {OTHER: allocation(None, {A: {"VCPU": 4}}), CONSUMER: allocation(1, {})}
    assert api.ask("POST", "/allocations", same).status_code == 204
    assert api.ask("GET", f"/resource_providers/{A}/usages").json()["usages"] == {"VCPU": 4}


def test_refusals__say_why(api):
    api.provider(A, "one", VCPU={"total": 8, "step_size": 2})
    for held, why in (
        ({"VCPU": 3}, "violate inventory constraints"),
        ({"VCPU": 10}, "exceed the capacity"),
        ({"DISK_GB": 1}, f"Inventory for 'DISK_GB' on resource provider '{A}' invalid"),
    ):
        answer = api.ask("PUT", f"/allocations/{CONSUMER}", allocation(None, {A: held}))
        assert (answer.status_code, why in error_of(answer)["detail"]) == (409, True), answer.text
    unknown = api.ask("PUT", f"/allocations/{CONSUMER}", allocation(None, {A: {"NONSENSE": 1}}))
    assert (unknown.status_code, "No such resource class NONSENSE" in unknown.text) == (400, True)
    nowhere = api.ask("PUT", f"/allocations/{CONSUMER}", allocation(None, {OTHER: {"VCPU": 2}}))
    assert (nowhere.status_code, "that does not exist" in nowhere.text) == (400, True)


def test_mappings__are_taken_back_since_1_34__and_checked(api):
    api.provider(A, "one", VCPU={"total": 8})
    body = {**allocation(None, {A: {"VCPU": 1}}), "mappings": {"": [A], "_net": [A]}}
    at = f"/allocations/{CONSUMER}"
    body.pop("consumer_type")
    assert "Additional properties" in api.ask("PUT", at, dict(body), version="1.33").text
    assert "is not of type 'array'" in api.ask("PUT", at, {**body, "mappings": {"a": "x"}}, version="1.34").text
    assert api.ask("PUT", at, dict(body), version="1.34").status_code == 204
    assert api.ask("GET", at).json()["consumer_type"] == "unknown"


def test_usages__by_consumer_type__all_and_unknown(api):
    api.provider(A, "one", VCPU={"total": 8})
    old = {key: value for key, value in allocation(None, {A: {"VCPU": 1}}).items() if key != "consumer_type"}
    assert api.ask("PUT", f"/allocations/{CONSUMER}", old, version="1.37").status_code == 204
    assert api.ask("PUT", f"/allocations/{OTHER}", allocation(None, {A: {"VCPU": 2}})).status_code == 204
    at = "/usages?project_id=p1"
    known, unknown = {"consumer_count": 1, "VCPU": 2}, {"consumer_count": 1, "VCPU": 1}
    assert api.ask("GET", at).json()["usages"] == {"INSTANCE": known, "unknown": unknown}
    assert api.ask("GET", f"{at}&consumer_type=unknown").json()["usages"] == {"unknown": unknown}
    assert api.ask("GET", f"{at}&consumer_type=all").json()["usages"] == {"all": {"consumer_count": 2, "VCPU": 3}}
    assert api.ask("GET", f"{at}&consumer_type=instance").status_code == 400
