"""Limits, quota sets and quota classes."""

from typing import Any

import pytest

from api.compute_rig import ADMIN, MEMBER, OTHER_PROJECT, PROJECT, READER, Rig

COMPUTE = {"instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members"}
FILES = {"injected_files", "injected_file_content_bytes", "injected_file_path_bytes"}
NETWORK = {"fixed_ips", "floating_ips", "security_groups", "security_group_rules"}
GROUPS = {"server_groups", "server_group_members"}

LIMITS = {
    "maxTotalInstances", "maxTotalCores", "maxTotalRAMSize", "maxServerMeta", "maxTotalKeypairs", "maxServerGroups",
    "maxServerGroupMembers", "totalInstancesUsed", "totalCoresUsed", "totalRAMUsed", "totalServerGroupsUsed",
}  # fmt: skip
LIMITS_FILES = {"maxPersonality", "maxPersonalitySize"}
LIMITS_NETWORK = {
    "maxSecurityGroups", "maxSecurityGroupRules", "maxTotalFloatingIps", "totalFloatingIpsUsed", "totalSecurityGroupsUsed",
}  # fmt: skip


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("2.1", LIMITS | LIMITS_FILES | LIMITS_NETWORK | {"maxImageMeta"}),
        ("2.36", LIMITS | LIMITS_FILES | {"maxImageMeta"}),
        ("2.39", LIMITS | LIMITS_FILES),
        ("2.57", LIMITS),
        ("2.104", LIMITS),
    ],
)
def test_limits__at_each_version__their_keys(rig: Rig, version: str, keys: set[str]) -> None:
    limits = rig.ok("GET", "/limits", version=version, token=READER)["limits"]
    assert limits["rate"] == []
    assert set(limits["absolute"]) == keys
    assert limits["absolute"]["maxTotalCores"] == 20


def test_limits__of_another_project__admin_only(rig: Rig) -> None:
    rig.ok("PUT", f"/os-quota-sets/{OTHER_PROJECT}", {"quota_set": {"cores": 7}})
    assert rig.ok("GET", f"/limits?tenant_id={OTHER_PROJECT}")["limits"]["absolute"]["maxTotalCores"] == 7
    assert rig.ask("GET", f"/limits?tenant_id={OTHER_PROJECT}", token=MEMBER).status_code == 403


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("2.1", COMPUTE | FILES | NETWORK),
        ("2.35", COMPUTE | FILES | NETWORK),
        ("2.36", COMPUTE | FILES),
        ("2.57", COMPUTE),
    ],
)
def test_quota_set__at_each_version__its_keys(rig: Rig, version: str, keys: set[str]) -> None:
    for path in ("", "/defaults", "/detail"):
        shown = rig.ok("GET", f"/os-quota-sets/{PROJECT}{path}", version=version, token=READER)["quota_set"]
        assert set(shown) == keys | {"id"}
    updated = rig.ok("PUT", f"/os-quota-sets/{PROJECT}", {"quota_set": {"cores": 9}}, version=version)["quota_set"]
    assert set(updated) == keys
    assert updated["cores"] == 9


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("2.1", (COMPUTE - GROUPS) | FILES | NETWORK),
        ("2.50", COMPUTE | FILES),
        ("2.57", COMPUTE),
    ],
)
def test_quota_class__at_each_version__its_keys(rig: Rig, version: str, keys: set[str]) -> None:
    path = "/os-quota-class-sets/default"
    assert set(rig.ok("GET", path, version=version)["quota_class_set"]) == keys | {"id"}
    updated = rig.ok("PUT", path, {"quota_class_set": {"ram": 1}}, version=version)["quota_class_set"]
    assert (set(updated), updated["ram"]) == (keys, 1)


@pytest.mark.parametrize(
    ("version", "field"), [("2.36", "floating_ips"), ("2.57", "injected_files"), ("2.104", "surprise")]
)
def test_update__field_of_another_version__400(rig: Rig, version: str, field: str) -> None:
    answer = rig.ask("PUT", f"/os-quota-sets/{PROJECT}", {"quota_set": {field: 1}}, version=version)
    assert answer.status_code == 400
    assert field in answer.json()["badRequest"]["message"]


@pytest.mark.parametrize("value", [-2, "many", 2**31, None, 1.5, [], True])
def test_update__bad_value__400(rig: Rig, value: Any) -> None:
    assert rig.ask("PUT", f"/os-quota-sets/{PROJECT}", {"quota_set": {"cores": value}}).status_code == 400


@pytest.mark.parametrize("version", ["2.1", "2.35"])
@pytest.mark.parametrize("of", ["quota_set", "quota_class_set"])
def test_network_quotas__set_where_there_are_some__kept(rig: Rig, of: str, version: str) -> None:
    path = {"quota_set": f"/os-quota-sets/{PROJECT}", "quota_class_set": "/os-quota-class-sets/default"}[of]
    wish = dict.fromkeys(sorted(NETWORK), 99)
    rig.ok("PUT", path, {of: wish}, version=version)
    shown = rig.ok("GET", path, version=version)[of]
    assert {name: shown[name] for name in wish} == wish
    assert rig.ok("GET", "/limits", version=version)["limits"]["absolute"]["maxTotalFloatingIps"] == 99


def test_limits__fall_back_from_user_to_project_to_class(rig: Rig) -> None:
    path = f"/os-quota-sets/{PROJECT}"

    def cores(user: str | None = None) -> int:
        query = f"?user_id={user}" if user else ""
        return rig.ok("GET", path + query)["quota_set"]["cores"]

    assert cores() == 20
    rig.ok("PUT", "/os-quota-class-sets/default", {"quota_class_set": {"cores": 30}})
    assert (cores(), cores("ann")) == (30, 30)
    rig.ok("PUT", path, {"quota_set": {"cores": 40}})
    assert (cores(), cores("ann")) == (40, 40)
    rig.ok("PUT", f"{path}?user_id=ann", {"quota_set": {"cores": 5}})
    assert (cores(), cores("ann"), cores("eve")) == (40, 5, 40)
    assert rig.ok("GET", f"{path}/defaults")["quota_set"]["cores"] == 30
    rig.ok("DELETE", f"{path}?user_id=ann", status=202)
    assert cores("ann") == 40
    rig.ok("DELETE", path, status=202)
    assert cores() == 30


def test_update__user_above_project__400(rig: Rig) -> None:
    assert rig.ask("PUT", f"/os-quota-sets/{PROJECT}?user_id=ann", {"quota_set": {"cores": 21}}).status_code == 400
    assert rig.ask("PUT", f"/os-quota-sets/{PROJECT}?user_id=ann", {"quota_set": {"cores": -1}}).status_code == 400


def test_update__users_beyond_what_the_project_leaves__400_unless_forced(rig: Rig) -> None:
    path = f"/os-quota-sets/{PROJECT}"

    def put(cores: int, user: str | None = None, **more: Any) -> int:
        query = f"?user_id={user}" if user else ""
        return rig.ask("PUT", path + query, {"quota_set": {"cores": cores, **more}}).status_code

    assert [put(12, "ann"), put(9, "eve"), put(8, "eve"), put(9, "ann")] == [200, 400, 200, 200]
    assert [put(16), put(17), put(-1), put(10, force=True)] == [400, 200, 200, 200]
    assert [put(11, "eve"), put(11, "eve", force=True)] == [400, 200]


def test_delete__of_a_project__forgets_its_users_limits_and_no_others(rig: Rig) -> None:
    for project in (PROJECT, OTHER_PROJECT):
        rig.ok("PUT", f"/os-quota-sets/{project}?user_id=ann", {"quota_set": {"cores": 5}})
    rig.ok("DELETE", f"/os-quota-sets/{PROJECT}", status=202)
    left = [
        rig.ok("GET", f"/os-quota-sets/{project}?user_id=ann")["quota_set"]["cores"]
        for project in (PROJECT, OTHER_PROJECT)
    ]
    assert left == [20, 5]


def test_update__below_usage__400_unless_forced(rig: Rig) -> None:
    for name in "ab":
        rig.ok("POST", "/os-server-groups", {"server_group": {"name": name, "policies": ["affinity"]}}, token=MEMBER)
    path = f"/os-quota-sets/{PROJECT}"
    assert rig.ask("PUT", path, {"quota_set": {"server_groups": 1}}).status_code == 400
    assert rig.ok("PUT", path, {"quota_set": {"server_groups": 1, "force": True}})["quota_set"]["server_groups"] == 1
    detail = rig.ok("GET", f"{path}/detail", token=ADMIN)["quota_set"]
    assert detail["server_groups"] == {"limit": 1, "in_use": 2, "reserved": 0}


@pytest.mark.parametrize("path", ["", "/detail", "/defaults"])
def test_show__no_such_project__400(rig: Rig, path: str) -> None:
    assert rig.ask("GET", f"/os-quota-sets/nobody{path}").status_code == 400


def test_show__other_project__403_for_members(rig: Rig) -> None:
    assert rig.ask("GET", f"/os-quota-sets/{OTHER_PROJECT}", token=MEMBER).status_code == 403
    assert rig.ask("PUT", f"/os-quota-sets/{PROJECT}", {"quota_set": {}}, token=MEMBER).status_code == 403


@pytest.mark.parametrize(("version", "status"), [("2.74", 200), ("2.75", 400)])
def test_unknown_parameter__refused_since_2_75(rig: Rig, version: str, status: int) -> None:
    assert rig.ask("GET", f"/os-quota-sets/{PROJECT}?x=1", version=version).status_code == status
    assert rig.ask("GET", f"/os-quota-sets/{PROJECT}/defaults?x=1", version=version).status_code == 200
