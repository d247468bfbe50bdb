"""The Compute API as OpenAPI 3.1 documents, one for each microversion.

Nothing is written down twice: paths, versions and codes are those of the routes, bodies the Structs that read them and the shapes
beside the views, policies the table of rules, and what an older microversion differs in is undone by the line's changes. OpenAPI
has one operation for a method of a path, so all actions of a path are one: its body is one of theirs.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache

import msgspec

from kilonova.api import openapi_faults as faults
from kilonova.api.parameters import path_parameter, query_parameter
from kilonova.api.policies import RULES
from kilonova.api.query import ComputeRoute
from kilonova.api.shapes import ANYTHING, Gives, Takes, either, obj, shaped, told, words
from kilonova.api.struct_schema import schema_of
from kilonova.kernel.errors import NotFound
from kilonova.kernel.schemas import Schema, demand, swap
from kilonova.kernel.versions import Doc, Level, Line
from kilonova.objects.history.api import API
from kilonova.web.routing import Body

PREFIX = "/compute/v2.1"
"""Where the service is mounted by default, and its version."""

MAY_BE_EMPTY = "x-openstack-may-be-empty"
"""Marks an answer that has its body sometimes, which OpenAPI has no word for."""


class NoSuchMicroversion(NotFound):
    """There is no microversion {given}: the API has {minimum} to {maximum}."""

    code = "no-such-microversion"


class Documents:
    """The documents of all microversions; each is made when it is first asked for."""

    def __init__(self, routes: Iterable[ComputeRoute], line: Line = API) -> None:
        """Of these routes."""
        self.routes = tuple(routes)
        self.line = line
        self._encoded: dict[str, tuple[bytes, str]] = {}

    def level(self, label: str) -> Level:
        """The level of a microversion. Raises `NoSuchMicroversion`."""
        if label not in self.line.positions:
            raise NoSuchMicroversion(given=label[:20], minimum=self.line.labels[0], maximum=self.line.labels[-1])
        return self.line.level(label)

    def document(self, label: str) -> Doc:
        """The document of a microversion. Raises `NoSuchMicroversion`."""
        return document(self.routes, self.level(label))

    def encoded(self, label: str) -> tuple[bytes, str]:
        """The document as JSON, and its entity tag. Raises `NoSuchMicroversion`."""
        if label not in self._encoded:
            content = msgspec.json.encode(self.document(label))
            self._encoded[label] = content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return self._encoded[label]


def document(routes: Iterable[ComputeRoute], level: Level) -> Doc:
    """The OpenAPI document of `routes` at `level`; those that don't describe themselves (`ComputeRoute.gives`) are left out."""
    operations: dict[tuple[str, str], list[ComputeRoute]] = {}
    for route in routes:
        if route.gives is not None and route.served_at(level):
            operations.setdefault((route.path, route.method), []).append(route)
    items = item_paths(path for path, _ in operations)
    paths: dict[str, Doc] = {}
    for (path, method), together in operations.items():
        told_here = operation(together, level)
        _link(told_here, method, items.get(path))
        paths.setdefault(path, _path_item(path))[method.lower()] = told_here
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kilonova Compute API",
            "version": level.label,
            "summary": f"The OpenStack Compute API at microversion {level.label}.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": PREFIX}],
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
            "parameters": {"microversion": _version_header(level)},
            "responses": faults.responses(),
        },
    }


def operation(together: Sequence[ComputeRoute], level: Level) -> Doc:
    """The operation that these routes of one method and path are: one route, or one for each action."""
    first = together[0]
    doc: Doc = {
        "operationId": operation_id(first.method, first.path),
        "tags": [resource(first.path)],
        "summary": summary(first) if first.action is None else f"Run one of {len(together)} actions.",
        "parameters": [{"$ref": "#/components/parameters/microversion"}, *_query(first, level)],
        "responses": _responses(together, level),
    }
    if first.public:
        doc["security"] = []
    if first.body is Body.JSON:
        doc["requestBody"] = {"required": True, "content": {"application/json": {"schema": _request(together, level)}}}
    rules = [rule for route in together for rule in rules_of(route)]
    if rules:
        doc["x-openstack-policies"] = rules
    if first.action is not None:
        doc["x-openstack-actions"] = {str(route.action): summary(route) for route in together}
    if all(410 in route.faults for route in together):
        doc["deprecated"] = True
    return doc


def operation_id(method: str, path: str) -> str:
    """E.g. `get_servers_id`."""
    return "_".join([method.lower(), *re.findall(r"[a-zA-Z0-9]+", path)])


def resource(path: str) -> str:
    """The resource that a path belongs to, e.g. `servers`."""
    return path.strip("/").partition("/")[0].removeprefix("os-") or "versions"


def summary(route: ComputeRoute) -> str:
    """One sentence about a route."""
    return route.summary or (route.handler.__doc__ or "").strip().partition("\n")[0]


def rules_of(route: ComputeRoute) -> list[str]:
    """The policy rules that name this route in the table of rules."""
    wanted = _nameless(f"{route.method} {route.path}" + (f" ({route.action})" if route.action else ""))
    return _rules().get(wanted, [])


def request_schema(takes: Takes, level: Level) -> Schema:
    """The schema of a body at `level`."""
    inner = takes.schema if takes.schema is not None else schema_of(takes.kind)
    for name, schema in takes.narrowed:
        swap(inner, schema, name)
    if takes.required:
        demand(inner, *takes.required)
    if takes.shape is not None:
        inner = shaped(inner, takes.shape)
    whole = told(either(inner, {"type": "null"}) if takes.null else inner, level)
    if takes.under is None:
        return whole
    around = obj({takes.under: whole, **{f"{name}?": schema for name, schema in takes.beside}})
    return either(around, {"type": "object", "maxProperties": 0}) if takes.empty else around


def item_paths(paths: Iterable[str]) -> dict[str, list[str]]:
    """For each collection, the paths below one of its items."""
    every = list(dict.fromkeys(paths))
    found: dict[str, list[str]] = {}
    for path in every:
        for other in every:
            rest = other.removeprefix(path + "/")
            if rest != other and re.match(r"\{\w+\}(/|$)", rest) and other.count("{") == path.count("{") + 1:
                found.setdefault(path, []).append(other)
    return found


def answers_of(together: Sequence[ComputeRoute], level: Level) -> dict[int, list[Gives]]:
    """The answers of success of these routes at `level`, by status."""
    found: dict[int, list[Gives]] = {}
    for route in together:
        for answer in route.gives or ():
            if answer.told_at(level):
                found.setdefault(answer.status or route.success, []).append(answer)
    return found


def _request(together: Sequence[ComputeRoute], level: Level) -> Schema:
    bodies = []
    for route in together:
        takes = route.takes or Takes(schema=ANYTHING, under=route.action)
        titled = {} if route.action is None else {"title": route.action, "description": summary(route)}
        bodies.append({**titled, **request_schema(takes, level)})
    return bodies[0] if len(bodies) == 1 else {"oneOf": bodies}


def _responses(together: Sequence[ComputeRoute], level: Level) -> Doc:
    told_here: Doc = {}
    for status, answers in sorted(answers_of(together, level).items()):
        bodies = [told(answer.body, level) for answer in answers if answer.body is not None]
        different = [body for at, body in enumerate(bodies) if body not in bodies[:at]]
        doc: Doc = {"description": "Success, without a body." if not different else "Success."}
        if different:
            schema = different[0] if len(different) == 1 else either(*different)
            doc["content"] = {"application/json": {"schema": schema}}
            if len(bodies) < len(answers):
                doc[MAY_BE_EMPTY] = True
        told_here[str(status)] = doc
    for status in sorted({status for route in together for status in faults.statuses(route)}):
        told_here[str(status)] = faults.reference(status)
    return told_here


def _query(route: ComputeRoute, level: Level) -> list[Doc]:
    """The parameters that the route knows at `level`."""
    known = level.schema(route.query.shape, obj({f"{name}?": {} for name in route.query.names}))
    return [query_parameter(name) for name in known["properties"]]


def _path_item(path: str) -> Doc:
    names = re.findall(r"\{(\w+)\}", path)
    return {"parameters": [path_parameter(name) for name in names]} if names else {}


def _version_header(level: Level) -> Doc:
    """The header that asks for the microversion: the common one since there is one."""
    common = level.at_least("2.27")
    return {
        "name": "OpenStack-API-Version" if common else "X-OpenStack-Nova-API-Version",
        "in": "header",
        "required": True,
        "description": "Asks for the microversion of this document; without it the oldest is meant, 2.1.",
        "schema": words(f"compute {level.label}" if common else level.label),
    }


def _link(told_here: Doc, method: str, items: Sequence[str] | None) -> None:
    """Say that what a collection's POST made is found below the collection, by its id."""
    if method != "POST" or not items:
        return
    for response in told_here["responses"].values():
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        made = _made(schema.get("anyOf", [schema])[0])
        if made is not None:
            response["links"] = {
                operation_id("get", item): {
                    "operationRef": f"#/paths/{item.replace('~', '~0').replace('/', '~1')}/get",
                    "parameters": {re.findall(r"\{(\w+)\}", item)[-1]: f"$response.body#/{made}"},
                }
                for item in items
                if item.endswith("}")
            }


def _made(schema: Schema) -> str | None:
    """Where in an answer the id of what was made stands; a key pair is known by its name."""
    for name, inner in schema.get("properties", {}).items():
        fields = inner.get("properties", {})
        for field in ("id", "name"):
            if field in fields:
                return f"{name}/{field}"
    return None


@cache
def _rules() -> dict[str, list[str]]:
    """The names of rules by the operations that the table says they guard."""
    found: dict[str, list[str]] = {}
    for rule in RULES:
        for one in rule.description.split(", "):
            found.setdefault(_nameless(one), []).append(rule.name)
    return found


def _nameless(operation: str) -> str:
    """An operation without the names of its `{}`."""
    return re.sub(r"\{\w+\}", "{}", operation)
