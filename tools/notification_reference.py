"""`docs/reference/notifications.md`: every event, and samples made by the program itself."""

import json
from collections import defaultdict

import msgspec

from kilonova.kernel.ids import HostName, OperationId, ProjectId, ServerId, UserId
from kilonova.notifications import payloads
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import PowerState
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Nic, NicAddress, Server, VmState
from kilonova.operations.notices import EVENTS

AT = 1_700_000_000.0
OTHERS = (
    ("instance.update", "InstanceUpdatePayload 2.1", "its states, its name or its tags change"),
    ("instance.lock, instance.unlock", "InstanceActionPayload 1.9", "a lock is put on or taken off"),
    (
        "service.create, .update, .delete",
        "ServiceStatusPayload 1.1",
        "a host appears, goes, or is enabled, disabled or forced down",
    ),
    ("flavor.create, .update, .delete", "FlavorPayload 1.4", "a flavor, its extra specs or its access change"),
    (
        "aggregate.create, .update_prop, .update_metadata, .add_host, .remove_host, .delete, each with .start and .end",
        "AggregatePayload 1.1",
        "an aggregate changes",
    ),
    ("keypair.create, .import, .delete, each with .start and .end", "KeypairPayload 1.0", "a key pair comes or goes"),
    ("server_group.create, .delete", "ServerGroupPayload 1.1", "a group comes or goes"),
)


def page() -> str:
    """The generated part."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for kind, event in EVENTS.items():
        if kind not in {"schedule", "cancel"}:
            kinds[event].append(kind)
    rows = "\n".join(
        f"| `instance.{event}` | {_name(names[0])} | {', '.join(f'`{name}`' for name in names)} |"
        for event, names in sorted(kinds.items())
    )
    others = "\n".join(f"| `{events}` | {name} | {when} |" for events, name, when in OTHERS)
    return (
        "## Operations on servers\n\nEach with `.start`, and then `.end` or `.error`.\n\n"
        f"| event | payload | kinds of operation |\n|---|---|---|\n{rows}\n\n"
        f"## Other events\n\n| event | payload | when |\n|---|---|---|\n{others}\n\n"
        f"## A sample\n\n```json\n{_sample()}\n```\n"
    )


def _name(kind: str) -> str:
    made = payloads.created if EVENTS[kind] == "create" else payloads.acted
    told = made(_server(), _operation(kind), None)
    return f"{told['nova_object.name']} {told['nova_object.version']}"


def _sample() -> str:
    message = {
        "message_id": "b37e9f0f-6709-5b14-aa03-84051a62468c",
        "publisher_id": "nova-compute:host-1",
        "timestamp": payloads.stamp(AT),
        "priority": "INFO",
        "event_type": "instance.create.end",
        "payload": payloads.created(_server(), _operation("boot"), None),
    }
    return json.dumps(json.loads(msgspec.json.encode(message)), indent=2)


def _server() -> Server:
    return Server(
        id=ServerId("0e44cc9c-e052-415d-afbf-469b0d384170"),
        project_id=ProjectId("6f70656e737461636b20342065766572"),
        user_id=UserId("a0f4"),
        name="web",
        hostname="web",
        flavor=Flavor(id="42", name="m1.tiny", vcpus=1, memory_mb=512, disk_gb=1),
        image_id="70a599e0-31e7-49b7-b260-868f441e862b",
        host=HostName("host-1"),
        availability_zone="nova",
        vm_state=VmState.ACTIVE,
        power_state=PowerState.RUNNING,
        nics=(
            Nic(
                port_id="ce531f90-199f-48c0-816c-13e38010b442",
                network_id="6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c0002",
                network_name="private",
                mac="fa:16:3e:4c:2c:30",
                addresses=(NicAddress(address="192.0.2.3", version=4),),
                owned=True,
            ),
        ),
        reservation_id="r-npxv0e40",
        created_at=AT,
        updated_at=AT,
        launched_at=AT,
    )


def _operation(kind: str) -> Operation:
    return Operation(
        id=OperationId("b"),
        server_id=ServerId("0e44cc9c-e052-415d-afbf-469b0d384170"),
        project_id=ProjectId("6f70656e737461636b20342065766572"),
        user_id=UserId("a0f4"),
        request_id="req-5b6c791d-5709-4f36-8fbe-c3e02869e35d",
        kind=kind,
        params={"volume_id": "1", "new_volume_id": "2"},
        state=OperationState.DONE,
        deadline=AT,
        created_at=AT,
        updated_at=AT,
    )
