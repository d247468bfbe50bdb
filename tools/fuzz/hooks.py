"""What the judge loads: ids of things that are there, one more check, and a tally. Runs in the judge's environment."""

import atexit
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

ROUND = json.loads(Path(os.environ["KILONOVA_FUZZ_ROUND"]).read_text())
POOL: dict[str, list[str]] = ROUND["pool"]
statuses: Counter[str] = Counter()
operations: Counter[str] = Counter()


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Ask at the round's microversion, and lend every other request real ids; the rest goes as the judge made it."""
    case.headers.update(ROUND["version"])
    turn = sum(operations.values())
    if turn % 2:
        collection = case.path.strip("/").split("/")[0]
        for name in case.path_parameters or {}:
            known = POOL.get(name) or (POOL.get(collection) if name in {"id", "flavor_id"} else None)
            if known:
                case.path_parameters[name] = known[turn // 2 % len(known)]
        _lend(case.body, turn)


@schemathesis.hook
def after_call(_context: Any, case: Any, response: Any) -> None:
    """Count it."""
    statuses[str(response.status_code)] += 1
    operations[f"{case.method} {case.path}"] += 1


@schemathesis.check
def no_unexpected_failure(_ctx: Any, response: Any, _case: Any) -> None:
    """5xx are failures, but for what is documented not to be there (501)."""
    if response.status_code >= 500 and response.status_code != 501:
        raise AssertionError(f"{response.status_code}: {response.text[:500]}")


@schemathesis.check
def body_as_documented(ctx: Any, response: Any, case: Any) -> None:
    """The judge's own checks of bodies, but for those that the document says may be empty and that are."""
    documented = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    if response.content or not documented.get("x-openstack-may-be-empty"):
        content_type_conformance(ctx, response, case)
        response_schema_conformance(ctx, response, case)


def _lend(body: object, turn: int) -> None:
    """Put ids into the fields of a body that name things."""
    if isinstance(body, list):
        for item in body:
            _lend(item, turn)
    if isinstance(body, dict):
        for field, value in body.items():
            known = POOL.get(re.sub(r"Ref$|_id$|Id$", "", field))
            if known and isinstance(value, str):
                body[field] = known[turn // 2 % len(known)]
            else:
                _lend(value, turn)


@atexit.register
def _write() -> None:
    Path(ROUND["tally"]).write_text(json.dumps({"statuses": statuses, "operations": operations}))
