"""Who may do what: every operation of these resources for every role, generated from the contract's default rules."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.compute_rig import OTHER_PROJECT, PROJECT, Rig, flavor_body
from kilonova.api.policies import RULES
from kilonova.objects.history.api import API

ROLES = ("stranger", "reader", "member", "manager", "admin", "service")
ALLOWED = {
    "rule:context_is_admin": {"admin"},
    "rule:project_member_or_admin": {"member", "manager", "admin"},
    "rule:project_manager_or_admin": {"manager", "admin"},
    "rule:project_reader_or_admin": {"reader", "member", "manager", "admin"},
    "(rule:context_is_admin) or user_id:%(user_id)s": set(ROLES),
    "@": set(ROLES),
    "rule:service_or_admin": {"service", "admin"},
}
UUID = "99999999-9999-4999-8999-999999999999"
GROUP = {"security_group": {"name": "g", "description": "d"}}
SNAPSHOT_INFO = {"snapshot_id": "s", "type": "qcow2", "new_file": "f"}
BODIES: dict[str, Any] = {
    "POST /flavors": {"flavor": {"name": "f", "ram": 0, "vcpus": 1, "disk": 1}},
    "PUT /os-quota-sets/{id}": {"quota_set": {}},
    "POST /os-keypairs": {"keypair": {"name": "k", "public_key": "none"}},
    "POST /os-aggregates/{id}/images": {"cache": [{"id": UUID}]},
    "POST /os-assisted-volume-snapshots": {"snapshot": {"volume_id": UUID, "create_info": SNAPSHOT_INFO}},
    "POST /os-security-groups": GROUP,
    "PUT /os-security-groups/{id}": GROUP,
    "POST /os-security-group-rules": {"security_group_rule": {"parent_group_id": UUID}},
    "POST /os-snapshots": {"snapshot": {"volume_id": UUID}},
    "POST /os-volumes": {"volume": {"size": 1}},
    "PUT /os-hosts/{id}": {"status": "enable"},
}
OPERATIONS = [
    operation
    for operation in json.loads((Path(__file__).parent / "contract.json").read_text())
    if not operation["path"].startswith(("/servers", "/os-volumes_boot")) and operation["policies"]
]


def main_rule(operation: dict[str, Any]) -> tuple[str, str]:
    """The rule that guards the whole operation, and its default; others guard parts of answers."""
    found: tuple[str, str] = tuple(operation["policies"][0])  # type: ignore[assignment]
    return found


def guarded(operation: dict[str, Any]) -> bool:
    """Flavors are for everybody to see: their only rule is about extra specs in the answer."""
    return not (operation["method"] == "GET" and operation["path"] in {"/flavors/detail", "/flavors/{id}"})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("policy")) as rig:
        rig.ok("POST", "/flavors", flavor_body())
        rig.ok("PUT", "/os-quota-class-sets/default", {"quota_class_set": {"server_groups": -1}})
        yield rig


@pytest.fixture
def group(shared: Rig) -> str:
    body = {"server_group": {"name": "g", "policies": ["affinity"]}}
    created: str = shared.ok("POST", "/os-server-groups", body)["server_group"]["id"]
    return created


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "operation", [o for o in OPERATIONS if guarded(o)], ids=lambda o: f"{o['method']} {o['path']} {o['action'] or ''}"
)
def test_operation__each_role__403_or_not(shared: Rig, group: str, operation: dict[str, Any], role: str) -> None:
    _, check = main_rule(operation)
    path = operation["path"].replace("/os-server-groups/{id}", f"/os-server-groups/{group}")
    path = path.replace("/os-quota-sets/{id}", f"/os-quota-sets/{PROJECT}")
    path = path.replace("/os-simple-tenant-usage/{id}", f"/os-simple-tenant-usage/{PROJECT}")
    path = re.sub(r"\{[^}]*\}", "nothing", path)
    body = BODIES.get(f"{operation['method']} {operation['path']}", {})
    if operation["action"]:
        body = {operation["action"]: {}}
    version = operation["until"] or API.labels[-1]
    answer = shared.ask(
        operation["method"],
        path,
        body if operation["method"] in {"POST", "PUT"} else None,
        version=version,
        token=f"{role}:{PROJECT}:somebody",
    )
    assert (answer.status_code != 403) == (role in ALLOWED[check]), answer.text
    if answer.status_code == 403:
        assert re.fullmatch(r"Policy doesn't allow \S+ to be performed\.", answer.json()["forbidden"]["message"])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{o['method']} {o['path']} {o['action'] or ''}")
def test_operation__no_token__401(shared: Rig, operation: dict[str, Any]) -> None:
    path = re.sub(r"\{[^}]*\}", "nothing", operation["path"])
    assert shared.ask(operation["method"], path, token=None).status_code == 401


@pytest.mark.parametrize("role", ["reader", "member", "manager"])
@pytest.mark.parametrize(
    "path", [f"/os-quota-sets/{PROJECT}", f"/os-quota-sets/{PROJECT}/detail", "/os-server-groups/{group}"]
)
def test_other_project__any_role_but_admin__403(shared: Rig, group: str, path: str, role: str) -> None:
    token = f"{role}:{OTHER_PROJECT}:somebody"
    assert shared.ask("GET", path.format(group=group), token=token).status_code == 403
    assert shared.ask("GET", path.format(group=group), token=f"admin:{OTHER_PROJECT}:x").status_code == 200


def test_rules__no_name_twice() -> None:
    names = [rule.name for rule in RULES]
    assert sorted(set(names)) == sorted(names)


def test_rules__oslo_policy_reads_them_all() -> None:
    policy = pytest.importorskip("oslo_policy.policy")
    for rule in RULES:
        policy.RuleDefault(rule.name, rule.check)
