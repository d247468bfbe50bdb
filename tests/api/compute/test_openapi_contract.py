"""The documents against the contract: which fields a body has and which parameters a query, wherever that changes."""

import re
from typing import Any

import pytest

from api.compute.test_contract import OPERATIONS, boundaries, fields_of, holds, name
from kilonova.api.openapi import request_schema
from kilonova.api.query import ComputeRoute
from kilonova.api.service import described
from kilonova.api.shapes import obj
from kilonova.kernel.schemas import objects
from kilonova.objects.history.api import API

ROUTES = described()
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
    for at in boundaries(operation, "request"):
        wanted = next((entry[2] for entry in operation["request"] if holds(entry, at)), None)
        takes = ours(operation, API.labels[at]).takes
        if wanted is None or takes is None:
            continue
        top, fields = fields_of(wanted)
        schema = request_schema(takes, API.level(API.labels[at]))
        inner = [field for one in objects(schema, *([] if top is None else [top])) for field in one["properties"]]
        if fields:
            assert set(inner) == fields, API.labels[at]


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one["query"]], ids=name)
def test_query__at_each_boundary__the_parameters_of_the_contract(operation: dict[str, Any]) -> None:
    for at in boundaries(operation, "query"):
        _, _, wanted, _ = next(entry for entry in operation["query"] if holds(entry, at))
        query = ours(operation, API.labels[at]).query
        known = API.level(API.labels[at]).schema(query.shape, obj({f"{one}?": {} for one in query.names}))
        assert {one for one in wanted if "~" not in one} <= set(known["properties"]), API.labels[at]
