"""Fingerprints: what bodies hold may change only together with an entry in `objects/history`.

`shapes.json` keeps, for each shape, what it holds and the names of its changes. After a change of a shape that has its entry:
`KILONOVA_REGEN=1 pytest tests/api/compute/test_shapes.py`.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.compute_rig import PROJECT, Rig, flavor_body, keys_of
from kilonova.api import (
    aggregates,
    flavors,
    keypairs,
    quota_fields,
    quota_sets,
    server_external_events,
    server_groups,
    services,
)
from kilonova.objects.history.api import API

STORE = Path(__file__).parent / "shapes.json"
REGENERATE = os.environ.get("KILONOVA_REGEN") == "1"

REQUESTS: dict[str, type[msgspec.Struct]] = {
    "flavor_create": flavors.FlavorCreate,
    "flavor_update": flavors.FlavorUpdate,
    "keypair_create": keypairs.KeypairCreate,
    "server_group_create": server_groups.GroupCreate,
    "server_group_rules": server_groups.Rules,
    "quota_set_update": quota_sets.QuotaUpdate,
    "quota_class_set_update": quota_fields.QuotaValues,
    "aggregate_create": aggregates.AggregateCreate,
    "aggregate_update": aggregates.AggregateUpdate,
    "service_update": services.ServiceAction,
    "service_update_by_uuid": services.ServiceUpdate,
    "external_events": server_external_events.Event,
}
RESPONSES = {
    "flavor": ("/flavors/1", "flavor"),
    "flavor_summary": ("/flavors", "flavors"),
    "keypair": ("/os-keypairs/k", "keypair"),
    "server_group": ("/os-server-groups", "server_groups"),
    "limits": ("/limits", "limits"),
    "quota_set": (f"/os-quota-sets/{PROJECT}", "quota_set"),
    "quota_class_set": ("/os-quota-class-sets/default", "quota_class_set"),
    "availability_zone": ("/os-availability-zone/detail", "availabilityZoneInfo"),
    "aggregate": ("/os-aggregates/1", "aggregate"),
    "hypervisor": ("/os-hypervisors/detail?with_servers=1", "hypervisors"),
    "service": ("/os-services", "services"),
    "extension": ("/extensions/os-keypairs", "extension"),
}


def changes_of(shape: str) -> list[str]:
    return [change.name for _, change in API.changes() if change.shape == shape]


def fields_of(struct: type[msgspec.Struct]) -> dict[str, str]:
    return {field.encode_name: kind_of(field) for field in msgspec.structs.fields(struct)}


def kind_of(field: msgspec.structs.FieldInfo) -> str:
    named = getattr(field.type, "__name__", None)
    kind = named if isinstance(field.type, type) and named else str(field.type).replace("typing.", "")
    return kind + (" (required)" if field.required else "")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("shapes"), hosts=1) as rig:
        rig.ok("POST", "/flavors", flavor_body(description="d"), version="2.55")
        rig.ok("POST", "/os-keypairs", {"keypair": {"name": "k"}})
        rig.ok("POST", "/os-server-groups", {"server_group": {"name": "g", "policies": ["affinity"]}})
        rig.ok("POST", "/os-aggregates", {"aggregate": {"name": "a", "availability_zone": "z"}})
        yield rig


def check(shape: str, holds: Any) -> None:
    stored: dict[str, Any] = json.loads(STORE.read_text()) if STORE.exists() else {}
    now = {"changes": changes_of(shape), "holds": holds}
    if REGENERATE:
        before = stored.get(shape)
        assert before is None or before["holds"] == holds or before["changes"] != now["changes"], (
            f"{shape} changed without a Change in objects/history"
        )
        STORE.write_text(json.dumps({**stored, shape: now}, indent=1, sort_keys=True) + "\n")
        return
    assert shape in stored, f"{shape} is new: KILONOVA_REGEN=1 writes it down"
    assert stored[shape] == now, f"{shape} changed: add a Change to objects/history, then KILONOVA_REGEN=1"


@pytest.mark.parametrize("shape", REQUESTS)
def test_request__fields__as_stored(shape: str) -> None:
    check(shape, fields_of(REQUESTS[shape]))


@pytest.mark.parametrize("shape", RESPONSES)
def test_response__keys__as_stored(shared: Rig, shape: str) -> None:
    path, key = RESPONSES[shape]
    version = API.labels[-1]
    if shape == "aggregate":
        path = f"/os-aggregates/{shared.ok('GET', '/os-aggregates')['aggregates'][0]['id']}"
    check(shape, keys_of(shared.ok("GET", path, version=version)[key]))
