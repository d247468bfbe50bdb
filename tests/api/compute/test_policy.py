"""Who may do what: every operation for every role, generated from the contract's rules and their defaults.

`policies.json` has of each operation the method, path, action, last microversion and rules, the first of which guards all of it.
Nothing is ever done: a gate ends each request at the rule in question, or the rule refuses it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typing_extensions import override

from api.compute_rig import CELL, OTHER_PROJECT, PROJECT, Rig, flavor_body
from kilonova.api.policies import RULES
from kilonova.api.service import routes
from kilonova.cells.server_map import mapping_add_txn, mapping_set_cell_txn
from kilonova.engine.store import operation_insert_txn
from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import OperationId, UserId
from kilonova.objects.caller import Caller
from kilonova.objects.history.api import API
from kilonova.objects.operation import Operation
from kilonova.operations.store import server_insert_txn
from kilonova.web.policy import Policy, Target
from unit.api.servers_double import server

FACTS = Path(__file__).parent / "policies.json"
ROLES = ("stranger", "reader", "member", "manager", "admin", "service")
ALLOWED = {
    "rule:context_is_admin": {"admin"},
    "rule:project_member_or_admin": {"member", "manager", "admin"},
    "rule:project_manager_or_admin": {"manager", "admin"},
    "rule:project_reader_or_admin": {"reader", "member", "manager", "admin"},
    "rule:service_or_admin": {"service", "admin"},
    "(rule:context_is_admin) or user_id:%(user_id)s": set(ROLES),
    "@": set(ROLES),
    "!": set(),
}
CHECKS = {rule.name: rule.check for rule in RULES}
VOLUME = "6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c0009"
BODIES: dict[str, Any] = {
    "POST /flavors": {"flavor": {"name": "f", "ram": 0, "vcpus": 1, "disk": 1}},
    "PUT /os-quota-sets/{id}": {"quota_set": {}},
    "POST /os-keypairs": {"keypair": {"name": "k", "public_key": "none"}},
    "PUT /servers/{id}": {"server": {"name": "n"}},
    "POST /servers/{id}/action changePassword": {"adminPass": "secret"},
    "POST /servers/{id}/action createBackup": {"name": "n", "backup_type": "daily", "rotation": 1},
    "POST /servers/{id}/action createImage": {"name": "n"},
    "POST /servers/{id}/action os-migrateLive": {"block_migration": "auto", "host": None},
    "POST /servers/{id}/action os-resetState": {"state": "active"},
    "POST /servers/{id}/action reboot": {"type": "SOFT"},
    "POST /servers/{id}/action rebuild": {"imageRef": "70a599e0-31e7-49b7-b260-868f441e862b"},
    "POST /servers/{id}/action resize": {"flavorRef": "1"},
    "POST /servers/{server_id}/metadata": {"metadata": {}},
    "PUT /servers/{server_id}/metadata": {"metadata": {}},
    "PUT /servers/{server_id}/metadata/{id}": {"meta": {"1": "x"}},
    "POST /servers/{server_id}/migrations/{id}/action force_complete": None,
    "POST /servers/{server_id}/os-volume_attachments": {"volumeAttachment": {"volumeId": VOLUME}},
    "PUT /servers/{server_id}/os-volume_attachments/{id}": {"volumeAttachment": {"volumeId": VOLUME}},
    "PUT /servers/{server_id}/tags": {"tags": []},
}
"""What is sent where a body is read before it is asked who sent it; others are refused for their senders alone."""
SHAPES = {(route.method, re.sub(r"\{[^}]*\}", "{}", route.path), route.action) for route in routes(None)}  # type: ignore[arg-type]
OPERATIONS = [
    operation
    for operation in json.loads(FACTS.read_text())
    if (operation[0], re.sub(r"\{[^}]*\}", "{}", operation[1]), operation[2]) in SHAPES
]


class Passed(Conflict):
    """The rule in question was asked and said yes."""


class Gate(Policy):
    """Ends each request with `Passed` where `rule` says yes."""

    rule = ""

    @override
    def enforce(self, rule: str, caller: Caller, target: Target | None = None) -> None:
        super().enforce(rule, caller, target)
        if rule == self.rule:
            raise Passed


def name(operation: list[Any]) -> str:
    method, path, action, *_ = operation
    return " ".join(filter(None, (method, path, action)))


class Door:
    """A rig whose policy is a gate, with something of everything that operations look for before they ask the policy."""

    def __init__(self, rig: Rig, gate: Gate) -> None:
        self.rig, self.gate = rig, gate
        one = server(project_id=PROJECT, host="host-1", nics=(), group_id=None)
        rig.run(rig.databases["api"].write(mapping_add_txn, one, OperationId("")))
        rig.run(rig.databases["api"].write(mapping_set_cell_txn, one.id, CELL))
        rig.run(rig.databases["cell1"].write(server_insert_txn, one))
        boot = Operation(
            id=OperationId("b"),
            server_id=one.id,
            project_id=one.project_id,
            user_id=UserId("ann"),
            request_id="req-1",
            kind="boot",
            deadline=1.0,
            created_at=0.0,
            updated_at=0.0,
        )
        rig.run(rig.databases["cell1"].write(operation_insert_txn, boot))
        rig.ok("POST", "/flavors", flavor_body())
        group = {"server_group": {"name": "g", "policies": ["affinity"]}}
        self.known = {
            "/servers": one.id,
            "/os-quota-sets": PROJECT,
            "/os-simple-tenant-usage": PROJECT,
            "/os-server-groups": rig.ok("POST", "/os-server-groups", group)["server_group"]["id"],
        }

    def ask(self, operation: list[Any], token: str | None) -> httpx.Response:
        """The answer to `operation`."""
        method, path, action, until, rules = operation
        self.gate.rule = rules[0]
        for prefix, value in self.known.items():
            if path.startswith(prefix + "/{"):
                path = re.sub(r"\{[^}]*\}", value, path, count=1)
        path = re.sub(r"\{[^}]*\}", "1", path)
        body = {action: BODIES.get(name(operation), {})} if action else BODIES.get(name(operation), {})
        sent = body if method in {"POST", "PUT"} else None
        return self.rig.ask(method, path, sent, version=until or API.labels[-1], token=token)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    gate = Gate(RULES)
    with Rig(tmp_path_factory.mktemp("policy"), policy=gate) as rig:
        yield Door(rig, gate)


def verdict(answer: httpx.Response) -> str:
    """`passed`, `refused`, or that the body or the action is at fault whoever asks."""
    if answer.status_code == 403:
        assert re.fullmatch(r"Policy doesn't allow \S+ to be performed\.", answer.json()["forbidden"]["message"])
    return {409: "passed", 403: "refused", 404: "hidden", 400: "body", 501: "to come"}[answer.status_code]


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_operation__each_role__as_its_rule_says(door: Door, operation: list[Any]) -> None:
    said = {role: verdict(door.ask(operation, f"{role}:{PROJECT}:somebody")) for role in ROLES}
    if name(operation) not in BODIES and said["admin"] in {"body", "to come"}:
        assert "passed" not in said.values()
        return
    allowed = ALLOWED[CHECKS[operation[4][0]]]
    assert said == {role: "passed" if role in allowed else "refused" for role in ROLES}


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_operation__no_token__401(door: Door, operation: list[Any]) -> None:
    assert door.ask(operation, None).status_code == 401


@pytest.mark.parametrize(
    "operation",
    [o for o in OPERATIONS if re.match(r"/(servers|os-quota-sets|os-server-groups|os-simple-tenant-usage)/\{", o[1])],
    ids=name,
)
def test_operation__on_something_of_another_project__only_for_administrators(door: Door, operation: list[Any]) -> None:
    said = {role: verdict(door.ask(operation, f"{role}:{OTHER_PROJECT}:somebody")) for role in ROLES}
    check = CHECKS[operation[4][0]]
    for role in ROLES:
        anywhere = check == "@" and role in ALLOWED[check]
        expected = {"passed"} if role == "admin" or anywhere else {"refused", "hidden"}
        assert said[role] in expected | {"body", "to come"}, role


def test_rules__all_of_the_contract() -> None:
    asked = {rule for operation in json.loads(FACTS.read_text()) for rule in operation[4]}
    assert asked <= CHECKS.keys()
    assert len(CHECKS) == len(RULES) == 214


def test_rules__oslo_policy_reads_them_all() -> None:
    policy = pytest.importorskip("oslo_policy.policy")
    for rule in RULES:
        policy.RuleDefault(rule.name, rule.check)
