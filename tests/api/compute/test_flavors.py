"""Flavors, their access and their extra specs."""

from typing import Any

import pytest

from api.compute_rig import ADMIN, MEMBER, OTHER, OTHER_PROJECT, PROJECT, Rig, flavor_body

CORE = {
    "id", "name", "ram", "disk", "swap", "vcpus", "links",
    "OS-FLV-EXT-DATA:ephemeral", "os-flavor-access:is_public",
}  # fmt: skip
IDLE = {"OS-FLV-DISABLED:disabled", "rxtx_factor"}


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("2.1", CORE | IDLE),
        ("2.54", CORE | IDLE),
        ("2.55", CORE | IDLE | {"description"}),
        ("2.61", CORE | IDLE | {"description", "extra_specs"}),
        ("2.101", CORE | IDLE | {"description", "extra_specs"}),
        ("2.102", CORE | {"description", "extra_specs"}),
        ("2.104", CORE | {"description", "extra_specs"}),
    ],
)
def test_show__at_each_version__its_keys(rig: Rig, version: str, keys: set[str]) -> None:
    created = rig.ok("POST", "/flavors", flavor_body(), version=version)["flavor"]
    shown = rig.ok("GET", "/flavors/1", version=version)["flavor"]
    (listed,) = rig.ok("GET", "/flavors/detail", version=version)["flavors"]
    assert set(shown) == keys
    assert created == shown == listed


def test_index__description__since_2_55(rig: Rig) -> None:
    rig.ok("POST", "/flavors", flavor_body(description="small"), version="2.55")
    assert set(rig.ok("GET", "/flavors", version="2.54")["flavors"][0]) == {"id", "name", "links"}
    assert rig.ok("GET", "/flavors", version="2.55")["flavors"][0]["description"] == "small"


@pytest.mark.parametrize(("version", "shown"), [("2.74", ""), ("2.75", 0)])
def test_show__no_swap__text_before_2_75(rig: Rig, version: str, shown: Any) -> None:
    rig.ok("POST", "/flavors", flavor_body())
    assert rig.ok("GET", "/flavors/1", version=version)["flavor"]["swap"] == shown


def test_show__extra_specs__not_for_strangers(rig: Rig) -> None:
    rig.ok("POST", "/flavors", flavor_body())
    rig.ok("POST", "/flavors/1/os-extra_specs", {"extra_specs": {"a": "b"}})
    assert rig.ok("GET", "/flavors/1", version="2.61", token=MEMBER)["flavor"]["extra_specs"] == {"a": "b"}
    assert "extra_specs" not in rig.ok("GET", "/flavors/1", version="2.61", token=f"stranger:{PROJECT}:x")["flavor"]


@pytest.mark.parametrize(
    ("version", "changed"),
    [
        ("2.54", {"description": "d"}),
        ("2.102", {"rxtx_factor": 1.0}),
        ("2.104", {"surprise": 1}),
        ("2.104", {"vcpus": 0}),
        ("2.104", {"ram": "many"}),
        ("2.104", {"ram": True}),
        ("2.104", {"disk": -1}),
        ("2.104", {"disk": 2**31}),
        ("2.104", {"name": " padded"}),
        ("2.104", {"name": ""}),
        ("2.104", {"name": "n" * 256}),
        ("2.104", {"name": None}),
        ("2.104", {"id": "a/b"}),
        ("2.104", {"id": " "}),
        ("2.104", {"os-flavor-access:is_public": "perhaps"}),
        ("2.101", {"rxtx_factor": 0}),
        ("2.104", {"description": "d" * 65536}),
        ("2.104", {"description": "\x00"}),
    ],
)
def test_create__bad_field__400_and_nothing_made(rig: Rig, version: str, changed: dict[str, Any]) -> None:
    answer = rig.ask("POST", "/flavors", flavor_body(**changed), version=version)
    assert answer.status_code == 400
    assert len(answer.json()["badRequest"]["message"]) <= 2000
    assert rig.ok("GET", "/flavors")["flavors"] == []


def test_create__wrong_value__message_names_field_value_and_reason(rig: Rig) -> None:
    message = rig.ask("POST", "/flavors", flavor_body(ram="many")).json()["badRequest"]["message"]
    assert message == "Invalid input for field/attribute ram. Value: many. It must be a whole number"


def test_create__missing_field__message_names_it(rig: Rig) -> None:
    body = flavor_body()
    del body["flavor"]["vcpus"]
    assert "'vcpus' is a required property" in rig.ask("POST", "/flavors", body).json()["badRequest"]["message"]


def test_create__digits_as_text__taken(rig: Rig) -> None:
    flavor = rig.ok("POST", "/flavors", flavor_body(ram="64", vcpus="2", disk="0", swap="8", id=7))["flavor"]
    assert (flavor["ram"], flavor["vcpus"], flavor["disk"], flavor["swap"], flavor["id"]) == (64, 2, 0, 8, "7")


@pytest.mark.parametrize("flavor_id", [None, "auto"])
def test_create__no_id__chosen(rig: Rig, flavor_id: str | None) -> None:
    assert len(rig.ok("POST", "/flavors", flavor_body(id=flavor_id))["flavor"]["id"]) == 36


@pytest.mark.parametrize("changed", [{"id": "2"}, {"name": "other"}])
def test_create__id_or_name_taken__409(rig: Rig, changed: dict[str, Any]) -> None:
    rig.ok("POST", "/flavors", flavor_body())
    assert "conflictingRequest" in rig.ask("POST", "/flavors", flavor_body(**changed)).json()


def test_update__description__changed_and_nothing_else(rig: Rig) -> None:
    before = rig.ok("POST", "/flavors", flavor_body(), version="2.104")["flavor"]
    after = rig.ok("PUT", "/flavors/1", {"flavor": {"description": "new"}}, version="2.104")["flavor"]
    assert after == before | {"description": "new"}
    assert rig.ask("PUT", "/flavors/1", {"flavor": {"name": "x"}}, version="2.104").status_code == 400
    assert rig.ask("PUT", "/flavors/9", {"flavor": {"description": None}}, version="2.104").status_code == 404


def test_delete__then_again__404(rig: Rig) -> None:
    rig.ok("POST", "/flavors", flavor_body())
    rig.ok("DELETE", "/flavors/1", status=202)
    assert rig.ask("DELETE", "/flavors/1").status_code == 404
    assert rig.ask("GET", "/flavors/1").status_code == 404


def make_some(rig: Rig) -> None:
    for number, (ram, disk, public) in enumerate([(512, 1, True), (2048, 20, True), (4096, 5, False)], 1):
        fields = {"id": str(number), "name": f"f{4 - number}", "ram": ram, "disk": disk}
        rig.ok("POST", "/flavors", flavor_body(**fields, **{"os-flavor-access:is_public": public}))


def ids(answer: Any) -> list[str]:
    return [flavor["id"] for flavor in answer["flavors"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["1", "2"]),
        ("?is_public=none", ["1", "2", "3"]),
        ("?is_public=None&minRam=1000", ["2", "3"]),
        ("?is_public=false", ["3"]),
        ("?is_public=none&minDisk=5", ["2", "3"]),
        ("?is_public=none&sort_key=name", ["3", "2", "1"]),
        ("?is_public=none&sort_key=memory_mb&sort_dir=desc", ["3", "2", "1"]),
        ("?limit=1", ["1"]),
        ("?marker=1", ["2"]),
        ("?limit=0", []),
        ("?name=f3", ["1"]),
    ],
)
def test_list__filters_sorting_paging(rig: Rig, query: str, expected: list[str]) -> None:
    make_some(rig)
    assert ids(rig.ok("GET", "/flavors" + query, version="2.102")) == expected
    assert ids(rig.ok("GET", "/flavors/detail" + query, version="2.102")) == expected


def test_list__name_filter__ignored_then_refused_before_2_102(rig: Rig) -> None:
    make_some(rig)
    assert ids(rig.ok("GET", "/flavors?name=f3", version="2.74")) == ["1", "2"]
    assert rig.ask("GET", "/flavors?name=f3", version="2.75").status_code == 400


@pytest.mark.parametrize(
    "query",
    ["limit=-1", "limit=x", "minRam=x", "minDisk=x", "is_public=perhaps", "sort_key=ram", "sort_dir=up", "marker=9"],
)
def test_list__bad_parameter__400(rig: Rig, query: str) -> None:
    assert rig.ask("GET", f"/flavors?{query}").status_code == 400


@pytest.mark.parametrize(("version", "status"), [("2.1", 200), ("2.74", 200), ("2.75", 400), ("2.104", 400)])
def test_list__unknown_parameter__refused_since_2_75(rig: Rig, version: str, status: int) -> None:
    assert rig.ask("GET", "/flavors?surprise=1", version=version).status_code == status


@pytest.mark.parametrize(("version", "status"), [("2.101", 200), ("2.102", 400)])
def test_show__unknown_parameter__refused_since_2_102(rig: Rig, version: str, status: int) -> None:
    rig.ok("POST", "/flavors", flavor_body())
    assert rig.ask("GET", "/flavors/1?surprise=1", version=version).status_code == status


def test_list__full_page__links_to_the_next(rig: Rig) -> None:
    make_some(rig)
    seen, path = [], "/flavors?limit=1&is_public=none"
    while path:
        answer = rig.ok("GET", path)
        seen += ids(answer)
        path = answer["flavors_links"][0]["href"].partition("/v2.1")[2] if "flavors_links" in answer else ""
    assert seen == ["1", "2", "3"]


def test_private_flavor__others__not_there_until_given_access(rig: Rig) -> None:
    make_some(rig)
    assert rig.ask("GET", "/flavors/3", token=OTHER).status_code == 404
    assert ids(rig.ok("GET", "/flavors?is_public=none", token=OTHER)) == ["1", "2"]
    given = rig.ok("POST", "/flavors/3/action", {"addTenantAccess": {"tenant": OTHER_PROJECT}})
    assert given == {"flavor_access": [{"flavor_id": "3", "tenant_id": OTHER_PROJECT}]}
    assert ids(rig.ok("GET", "/flavors", token=OTHER)) == ["1", "2", "3"]
    assert rig.ok("GET", "/flavors/3/os-flavor-access") == given
    taken = rig.ok("POST", "/flavors/3/action", {"removeTenantAccess": {"tenant": OTHER_PROJECT}})
    assert taken == {"flavor_access": []}
    assert rig.ask("GET", "/flavors/3", token=OTHER).status_code == 404


@pytest.mark.parametrize(
    ("flavor", "action", "project", "version", "status"),
    [
        ("1", "addTenantAccess", PROJECT, "2.6", 200),
        ("1", "addTenantAccess", PROJECT, "2.7", 409),
        ("3", "addTenantAccess", "nobody", "2.7", 400),
        ("3", "addTenantAccess", "a/b", "2.7", 400),
        ("3", "removeTenantAccess", PROJECT, "2.7", 404),
        ("9", "addTenantAccess", PROJECT, "2.7", 404),
    ],
)
def test_access__what_cannot_be__refused(
    rig: Rig, flavor: str, action: str, project: str, version: str, status: int
) -> None:
    make_some(rig)
    assert (
        rig.ask("POST", f"/flavors/{flavor}/action", {action: {"tenant": project}}, version=version).status_code
        == status
    )


def test_access__twice__409(rig: Rig) -> None:
    make_some(rig)
    body = {"addTenantAccess": {"tenant": PROJECT}}
    rig.ok("POST", "/flavors/3/action", body)
    assert rig.ask("POST", "/flavors/3/action", body).status_code == 409


def test_access__of_public_flavor__404(rig: Rig) -> None:
    make_some(rig)
    assert rig.ask("GET", "/flavors/1/os-flavor-access").status_code == 404


def test_extra_specs__life(rig: Rig) -> None:
    rig.ok("POST", "/flavors", flavor_body())
    path = "/flavors/1/os-extra_specs"
    assert rig.ok("POST", path, {"extra_specs": {"a": "1", "b": 2}}) == {"extra_specs": {"a": "1", "b": "2"}}
    assert rig.ok("PUT", f"{path}/a", {"a": "3"}) == {"a": "3"}
    assert rig.ok("GET", f"{path}/a", token=MEMBER) == {"a": "3"}
    rig.ok("DELETE", f"{path}/b")
    assert rig.ok("GET", path) == {"extra_specs": {"a": "3"}}
    assert rig.ask("DELETE", f"{path}/b").status_code == 404
    assert rig.ask("GET", f"{path}/b").status_code == 404
    assert rig.ask("PUT", f"{path}/a", {"b": "3"}).status_code == 400


@pytest.mark.parametrize(
    "specs", [{"a/b": "1"}, {"": "1"}, {"k" * 256: "1"}, {"a": "v" * 256}, {"a": None}, {"a": {}}, {"a": True}, []]
)
def test_extra_specs__bad__400(rig: Rig, specs: Any) -> None:
    rig.ok("POST", "/flavors", flavor_body())
    assert rig.ask("POST", "/flavors/1/os-extra_specs", {"extra_specs": specs}).status_code == 400


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({"hw:cpu_policy": "dedicated"}, 200),
        ({"hw:cpu_policy": "nonsense"}, 400),
        ({"hw:surprise": "1"}, 400),
        ({"resources:CUSTOM_GOLD": "1"}, 200),
        ({"resources1:VCPU": "two"}, 400),
        ({"trait:HW_CPU_X86_AVX": "required"}, 200),
        ({"quota:cpu_shares": "100"}, 200),
        ({"mine:anything": "goes"}, 200),
        ({"plain": "goes"}, 200),
    ],
)
def test_extra_specs__known_namespaces__validated_since_2_86(rig: Rig, spec: dict[str, str], status: int) -> None:
    rig.ok("POST", "/flavors", flavor_body())
    path = "/flavors/1/os-extra_specs"
    assert rig.ask("POST", path, {"extra_specs": spec}, version="2.86", token=ADMIN).status_code == status
    assert rig.ask("POST", path, {"extra_specs": spec}, version="2.85").status_code == 200
