"""Server groups."""

from typing import Any

import pytest

from api.compute_rig import ADMIN, MEMBER, OTHER, OTHER_PROJECT, PROJECT, READER, Rig

OLD = {"id", "name", "policies", "members", "metadata"}
OWNED = OLD | {"project_id", "user_id"}
NEW = {"id", "name", "policy", "rules", "members", "project_id", "user_id"}


def create(rig: Rig, name: str = "g", *, version: str = "2.64", token: str = MEMBER, **fields: Any) -> Any:
    body = {"server_group": {"name": name, "policy": "anti-affinity", **fields}}
    return rig.ok("POST", "/os-server-groups", body, version=version, token=token)["server_group"]


@pytest.mark.parametrize(
    ("version", "keys"), [("2.1", OLD), ("2.12", OLD), ("2.13", OWNED), ("2.63", OWNED), ("2.64", NEW), ("2.104", NEW)]
)
def test_show__at_each_version__its_keys(rig: Rig, version: str, keys: set[str]) -> None:
    group = create(rig)
    shown = rig.ok("GET", f"/os-server-groups/{group['id']}", version=version, token=READER)["server_group"]
    assert set(shown) == keys
    assert rig.ok("GET", "/os-server-groups", version=version, token=READER)["server_groups"] == [shown]


def test_create__old_form__policies(rig: Rig) -> None:
    body = {"server_group": {"name": "g", "policies": ["affinity"]}}
    group = rig.ok("POST", "/os-server-groups", body, version="2.63", token=MEMBER)["server_group"]
    assert (group["policies"], group["metadata"], group["members"]) == (["affinity"], {}, [])
    assert rig.ok("GET", f"/os-server-groups/{group['id']}", version="2.64")["server_group"]["policy"] == "affinity"


def test_create__rules__kept(rig: Rig) -> None:
    assert create(rig, rules={"max_server_per_host": "3"})["rules"] == {"max_server_per_host": 3}


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("2.14", {"policies": ["soft-affinity"]}),
        ("2.63", {"policies": []}),
        ("2.63", {"policies": ["affinity", "anti-affinity"]}),
        ("2.63", {"policies": "affinity"}),
        ("2.63", {"policies": [["affinity"]]}),
        ("2.63", {"policy": "affinity"}),
        ("2.63", {"policies": ["affinity"], "rules": {}}),
        ("2.64", {"policies": ["affinity"]}),
        ("2.64", {}),
        ("2.64", {"policy": "nearby"}),
        ("2.64", {"policy": "affinity", "rules": {"max_server_per_host": 2}}),
        ("2.64", {"policy": "anti-affinity", "rules": {"max_server_per_host": 0}}),
        ("2.64", {"policy": "anti-affinity", "rules": {"surprise": 1}}),
        ("2.64", {"policy": "anti-affinity", "rules": 7}),
        ("2.64", {"policy": "affinity", "name": ""}),
    ],
)
def test_create__bad_field__400(rig: Rig, version: str, fields: dict[str, Any]) -> None:
    body = {"server_group": {"name": "g", **fields}}
    assert rig.ask("POST", "/os-server-groups", body, version=version, token=MEMBER).status_code == 400


@pytest.mark.parametrize("policy", ["soft-affinity", "soft-anti-affinity"])
def test_create__soft_policy__since_2_15(rig: Rig, policy: str) -> None:
    body = {"server_group": {"name": "g", "policies": [policy]}}
    assert rig.ok("POST", "/os-server-groups", body, version="2.15")["server_group"]["policies"] == [policy]


def test_create__over_quota__403(rig: Rig) -> None:
    rig.ok("PUT", f"/os-quota-sets/{PROJECT}", {"quota_set": {"server_groups": 1}})
    create(rig)
    body = {"server_group": {"name": "g", "policy": "affinity"}}
    assert rig.ask("POST", "/os-server-groups", body, version="2.64", token=MEMBER).status_code == 403
    create(rig, token=OTHER)


def test_list__all_projects__for_admins_only(rig: Rig) -> None:
    create(rig, "mine")
    create(rig, "theirs", token=OTHER)

    def names(query: str, token: str) -> list[str]:
        groups = rig.ok("GET", f"/os-server-groups{query}", token=token)["server_groups"]
        return sorted(group["name"] for group in groups)

    assert names("", MEMBER) == ["mine"]
    assert names("?all_projects=1", MEMBER) == ["mine"]
    assert names("?all_projects=1", ADMIN) == ["mine", "theirs"]
    assert names("?all_projects=1&limit=1&offset=1", ADMIN) == ["theirs"]


def test_others_group__403_and_stays(rig: Rig) -> None:
    group = create(rig)
    assert group["project_id"] != OTHER_PROJECT
    assert rig.ask("GET", f"/os-server-groups/{group['id']}", token=OTHER).status_code == 403
    assert rig.ask("DELETE", f"/os-server-groups/{group['id']}", token=OTHER).status_code == 403
    assert rig.ask("DELETE", f"/os-server-groups/{group['id']}", token=READER).status_code == 403
    rig.ok("DELETE", f"/os-server-groups/{group['id']}", token=MEMBER, status=204)
    assert rig.ask("GET", f"/os-server-groups/{group['id']}").status_code == 404
