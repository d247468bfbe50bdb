"""The contract: what each route takes at each microversion where that changes. `contract.json` holds the facts.

Each entry has the method, path and action of one operation, its first and last microversion, its success codes, its policy
rules, and for each range of microversions the fields of its body and the parameters of its query.
"""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.compute_rig import PROJECT, Rig, flavor_body
from kilonova.api.policies import RULES
from kilonova.api.service import routes
from kilonova.objects.history.api import API

OPERATIONS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "contract.json").read_text())
POSITIONS = API.positions
ROUTES = routes(None)  # type: ignore[arg-type]
WRONG = [[]]
"""A value that no field takes, so that nothing is ever done."""


OF_SERVERS = ("/servers/{", "/os-volumes_boot")
"""What these take is tested where there are servers; the second is another name of the first."""


def on_its_own(operation: dict[str, Any]) -> bool:
    return not operation["path"].startswith(OF_SERVERS)


def name(operation: dict[str, Any]) -> str:
    return " ".join(filter(None, (operation["method"], operation["path"], operation["action"])))


def position(label: str | None, default: int) -> int:
    return default if label is None or label == "2.0" else POSITIONS[label]


def window(operation: dict[str, Any]) -> range:
    newest = len(API.labels) - 1
    return range(position(operation["since"], 0), position(operation["until"], newest) + 1)


def holds(entry: list[Any], at: int) -> bool:
    return position(entry[0], 0) <= at <= position(entry[1], len(API.labels) - 1)


def boundaries(operation: dict[str, Any], part: str) -> Iterator[int]:
    """The positions in the operation's window where `part` changes, on both sides of each change, and the ends."""
    served = window(operation)
    edges = {served[0], served[-1]}
    for low, high, *_ in operation[part]:
        edges |= {position(low, 0), position(high, len(API.labels) - 1)}
    yield from sorted(edge for edge in edges if edge in served)


def fields_of(keys: dict[str, Any]) -> tuple[str | None, set[str]]:
    """The key that a body's fields stand under, None for the top, and their names."""
    plain = {key.rstrip("*"): value for key, value in keys.items() if not key.startswith("~")}
    inner = [(key, value) for key, value in plain.items() if isinstance(value, dict)]
    if inner:
        return inner[0][0], {key.rstrip("*") for key in inner[0][1] if not key.startswith("~")}
    return None, set(plain)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("contract")) as rig:
        rig.ok("POST", "/flavors", flavor_body())
        yield rig


def path_of(rig: Rig, operation: dict[str, Any], at: int) -> str:
    """The operation's path, with ids of things that are there."""
    path: str = operation["path"]
    label = API.labels[at]
    if path.startswith("/os-services/"):
        if at < POSITIONS["2.53"]:
            return "/os-services/force-down" if at >= POSITIONS["2.11"] else "/os-services/disable"
        return f"/os-services/{rig.ok('GET', '/os-services', version=label)['services'][0]['id']}"
    if path.startswith("/os-hypervisors/{"):
        found = rig.ok("GET", "/os-hypervisors", version=label)["hypervisors"][0]["id"]
        return path.replace("{id}", str(found))
    known = {"/flavors": "1", "/os-quota-sets": PROJECT, "/os-quota-class-sets": "default"}
    for prefix, value in known.items():
        if path.startswith(prefix + "/{"):
            return re.sub(r"\{[^}]*\}", value, path, count=1).replace("{id}", "key")
    return re.sub(r"\{[^}]*\}", "1", path)


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_window__as_the_contract_says(operation: dict[str, Any]) -> None:
    method, action = operation["method"], operation["action"]
    shape = re.sub(r"\{[^}]*\}", "{}", operation["path"])
    ours = [
        route
        for route in ROUTES
        if (route.method, re.sub(r"\{[^}]*\}", "{}", route.path), route.action) == (method, shape, action)
    ]
    assert ours, f"{name(operation)} is not served"
    for at, label in enumerate(API.labels):
        assert any(route.served_at(API.level(label)) for route in ours) == (at in window(operation)), label


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o["request"] and on_its_own(o)], ids=name)
def test_body__each_field__known_where_the_contract_says(shared: Rig, operation: dict[str, Any]) -> None:
    every = set(itertools.chain.from_iterable(fields_of(entry[2])[1] for entry in operation["request"])) | {"surprise"}
    for at in boundaries(operation, "request"):
        schema = next((entry[2] for entry in operation["request"] if holds(entry, at)), None)
        if schema is None:
            continue
        top, known = fields_of(schema)
        if not known:
            continue
        for field in sorted(every):
            body = {field: WRONG} if top is None else {top: {field: WRONG}}
            answer = shared.ask(operation["method"], path_of(shared, operation, at), body, version=API.labels[at])
            assert answer.status_code == 400, f"{API.labels[at]} {body}: {answer.status_code} {answer.text}"
            refused = "was unexpected" in answer.json()["badRequest"]["message"]
            assert refused == (field not in known), f"{API.labels[at]} {body}: {answer.text}"


@pytest.mark.parametrize(
    "operation",
    [o for o in OPERATIONS if o["query"] and o["method"] == "GET" and on_its_own(o)],
    ids=name,
)
def test_query__each_parameter__known_where_the_contract_says(shared: Rig, operation: dict[str, Any]) -> None:
    every = set(itertools.chain.from_iterable(entry[2] for entry in operation["query"])) | {"surprise"}
    for at in boundaries(operation, "query"):
        _, _, known, additional = next(entry for entry in operation["query"] if holds(entry, at))
        for parameter in sorted(name for name in every if "~" not in name):
            path = f"{path_of(shared, operation, at)}?{parameter}=1"
            answer = shared.ask("GET", path, version=API.labels[at])
            assert answer.status_code < 500 or answer.status_code == 501, f"{path}: {answer.text}"
            refused = answer.status_code == 400 and "was unexpected" in answer.text
            assert refused == (not additional and parameter not in known), f"{API.labels[at]} {path}: {answer.text}"


def test_removed__every_one__410_at_both_ends(shared: Rig) -> None:
    removed = [operation for operation in OPERATIONS if operation["success"] == [[410, None, None]]]
    for operation, label in itertools.product(removed, (API.labels[0], API.labels[-1])):
        path = re.sub(r"\{[^}]*\}", "1", operation["path"])
        body = {operation["action"]: None} if operation["action"] else None
        answer = shared.ask(operation["method"], path, body, version=label)
        assert answer.status_code == 410, f"{name(operation)} at {label}: {answer.status_code} {answer.text}"
    assert len(removed) == 54


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_policies__every_rule_is_known_with_its_default(operation: dict[str, Any]) -> None:
    checks = {rule.name: rule.check for rule in RULES}
    for rule, check in operation["policies"]:
        if rule in checks:
            assert checks[rule] == check
    assert all(rule in checks for rule, _ in operation["policies"][:1])


def test_labels__one_for_each_microversion() -> None:
    assert API.labels == tuple(f"2.{minor}" for minor in range(1, 105))
