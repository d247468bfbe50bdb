"""The documents against the contract: which fields a body has and which parameters a query, wherever that changes.

`microversions.json` has for each microversion the operations that start or end, and those whose bodies or queries change.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from api.compute.test_contract import OPERATIONS, boundaries, fields_of, holds, name
from kilonova.api.changes import Kind, at
from kilonova.api.openapi import Documents, request_schema
from kilonova.api.query import ComputeRoute
from kilonova.api.service import described
from kilonova.api.shapes import obj
from kilonova.kernel.schemas import objects
from kilonova.objects.history.api import API

ROUTES = described()
DOCUMENTS = Documents(ROUTES)
MICROVERSIONS: dict[str, Any] = json.loads((Path(__file__).parent / "microversions.json").read_text())
NO_SHAPE = {"2.51", "2.95"}
"""Here the same bodies mean something else: who sees events, and how an evacuated server is left."""
LEFT_OPEN = {
    ("POST", "/flavors/{}/os-extra_specs", None): "keys of any name",
    ("PUT", "/flavors/{}/os-extra_specs/{}", None): "keys of any name",
}
"""Bodies whose fields have no names."""


def ours(operation: dict[str, Any], label: str) -> ComputeRoute:
    wanted = (operation["method"], _nameless(operation["path"]), operation["action"])
    level = API.level(label)
    return next(
        route
        for route in ROUTES
        if (route.method, _nameless(route.path), route.action) == wanted and route.served_at(level)
    )


def _nameless(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one["request"]], ids=name)
def test_body__at_each_boundary__the_fields_of_the_contract(operation: dict[str, Any]) -> None:
    if (operation["method"], _nameless(operation["path"]), operation["action"]) in LEFT_OPEN:
        return
    for edge in boundaries(operation, "request"):
        wanted = next((entry[2] for entry in operation["request"] if holds(entry, edge)), None)
        takes = ours(operation, API.labels[edge]).takes
        if wanted is None or takes is None:
            continue
        top, fields = fields_of(wanted)
        schema = request_schema(takes, API.level(API.labels[edge]))
        inner = [field for one in objects(schema, *([] if top is None else [top])) for field in one["properties"]]
        if fields:
            assert set(inner) == fields, API.labels[edge]


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one["query"]], ids=name)
def test_query__at_each_boundary__the_parameters_of_the_contract(operation: dict[str, Any]) -> None:
    for edge in boundaries(operation, "query"):
        _, _, wanted, _ = next(entry for entry in operation["query"] if holds(entry, edge))
        query = ours(operation, API.labels[edge]).query
        known = API.level(API.labels[edge]).schema(query.shape, obj({f"{one}?": {} for one in query.names}))
        assert {one for one in wanted if "~" not in one} <= set(known["properties"]), API.labels[edge]


def served(operation: str) -> bool:
    """Whether a route of ours is what the contract calls `METHOD /path action`."""
    method, path, *action = operation.split(" ")
    wanted = (method, path, action[0] if action else None)
    return any((route.method, _nameless(route.path), route.action) == wanted for route in ROUTES)


def routes_told(label: str, ending: str) -> set[str]:
    told = [one.about for one in at(DOCUMENTS, label) if one.kind is Kind.ROUTE and ending in one.text]
    return {re.sub(r" \((.*)\)", r" \1", _nameless(one)) for one in told}


@pytest.mark.parametrize("label", [label for label in API.labels if label != "2.1"])
def test_changes__each_microversion__the_kinds_of_the_contract(label: str) -> None:
    facts = MICROVERSIONS[label]
    assert {one for one in facts.get("starts", ()) if served(one)} <= routes_told(label, " is new.")
    assert {one for one in facts.get("ends", ()) if served(one)} <= routes_told(label, " is gone.")
    kinds = {one.kind for one in at(DOCUMENTS, label)}
    started = facts.get("starts", ())
    looks_different = [one for part in ("bodies", "queries") for one in facts.get(part, ()) if one not in started]
    if any(served(one) for one in looks_different) and label not in NO_SHAPE:
        assert Kind.SHAPE in kinds
