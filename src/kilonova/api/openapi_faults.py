"""The refusals of the Compute API in its OpenAPI documents: which status a route may answer, and how it is worded."""

from kilonova.api.faults import NAMES, OTHER
from kilonova.api.query import ComputeRoute
from kilonova.api.shapes import TEXT, obj, words
from kilonova.kernel.versions import Doc
from kilonova.web.errors import TITLES
from kilonova.web.routing import Body


def statuses(route: ComputeRoute) -> set[int]:
    """The codes that a route may refuse with."""
    found = {400, 404, 503, *route.faults}
    if not route.public:
        found |= {401, 403}
    if route.method != "GET":
        found.add(409)
    if route.body is Body.JSON:
        found |= {413, 415}
    return found


def reference(status: int) -> Doc:
    """What an operation says of a status."""
    return {"$ref": f"#/components/responses/fault-{status}"}


def responses() -> Doc:
    """All of them, as components."""
    return {f"fault-{status}": _response(status, title) for status, title in TITLES.items()}


def _response(status: int, title: str) -> Doc:
    fault = {"code": words(status), "message": TEXT}
    around = {"error": obj({**fault, "title": TEXT})} if status == 401 else {NAMES.get(status, OTHER): obj(fault)}
    return {"description": title, "content": {"application/json": {"schema": obj(around)}}}
