"""The wire between gateways and agents: everything crosses unchanged, old and new understand each other, shapes are pinned."""

import hashlib
from typing import Any

import msgspec
import pytest

from kilonova.kernel.ids import CellId, HostName, OperationId, ServerId
from kilonova.objects.guest import (
    Guest,
    GuestAddress,
    GuestImage,
    GuestNic,
    GuestSpec,
    HostDescription,
    PowerState,
)
from kilonova.objects.history import wire
from kilonova.objects.history.wire import SHAPES, WIRE, BadMessage
from kilonova.objects.host_action import Destroy, HostAction, Reboot, Snapshot, Spawn, Start, Stop
from kilonova.objects.host_step import HostReport, HostStep, Order
from kilonova.objects.numa import GuestCell, HostNode

SERVER, HOST, OPERATION = ServerId("s" * 36), HostName("host-1"), OperationId("o" * 36)
IMAGE = GuestImage(id="i", disk_format="qcow2", size=10, sha512="ab")
NIC = GuestNic(
    port_id="p",
    network_id="n",
    mac="fa:16:3e:00:00:01",
    mtu=1500,
    addresses=(GuestAddress(address="10.0.0.4", version=4, cidr="10.0.0.0/24", gateway=None, dns=("1.1.1.1",)),),
)
SPEC = GuestSpec(
    server_id=SERVER,
    generation=3,
    name="n",
    hostname="h",
    vcpus=1,
    memory_mb=512,
    disk_gb=1,
    image=IMAGE,
    kernel=None,
    ramdisk=IMAGE,
    cmdline="",
    nics=(NIC,),
    config_drive={"openstack/latest/user_data": b"\x00\xff binary"},
    project_id="p",
    user_id="u",
    flavor_name="f",
)
GUEST = Guest(server_id=SERVER, host=HOST, generation=3, power_state=PowerState.RUNNING, ssh_port=2222)
STEP = HostStep(
    operation_id=OPERATION,
    epoch=2,
    kind="boot",
    step="spawn",
    undo=False,
    server_id=SERVER,
    host=HOST,
    generation=3,
    timeout_s=600.0,
    action=Spawn(spec=SPEC),
)
DESCRIPTION = HostDescription(
    name=HOST,
    hypervisor_type="QEMU",
    hypervisor_version=8002000,
    vcpus=2,
    memory_mb=4096,
    disk_gb=10,
    host_ip="127.0.0.1",
    cpu_info={"arch": "x86_64", "topology": {"cores": 2}},
)
SAMPLES: tuple[msgspec.Struct, ...] = (
    STEP,
    *(
        msgspec.structs.replace(STEP, action=action)
        for action in (Stop(grace_s=60.0), Reboot(hard=True), Snapshot(image_id="i", disk_format="raw"))
    ),
    HostReport(operation_id=OPERATION, epoch=2, guest=GUEST),
    HostReport(operation_id=OPERATION, epoch=2, error="no", final=True),
    GUEST,
    DESCRIPTION,
    Order(server_id=SERVER, host=HOST, generation=4),
)

# A shape that changes gets a change on the line, and then its new fingerprint here.
FINGERPRINTS = {
    "guest": "441925904d1d6fc7",
    "host_description": "1c0a4c6e92ca6c75",
    "host_report": "5149a4033e75d304",
    "host_step": "16dee3aef59c596a",
    "order": "4d722a19769b3cfd",
}


def fingerprint(shape: type[msgspec.Struct]) -> str:
    """Differs when the fields of a shape do, or those of a shape inside it; not when their descriptions do."""
    components = msgspec.json.schema_components([shape], schema_hook=lambda _: {"description": "anything", "x": "any"})[
        1
    ]
    described = {name: _bare(component) for name, component in sorted(components.items())}
    return hashlib.sha256(msgspec.json.encode(described, order="sorted")).hexdigest()[:16]


def _bare(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _bare(value) for key, value in schema.items() if key not in {"description", "title"}}
    return [_bare(item) for item in schema] if isinstance(schema, (list, tuple)) else schema


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_message__read_as_it_was_told(sample: msgspec.Struct) -> None:
    message = wire.told(WIRE.newest, [sample, sample], type(sample))
    assert wire.read(WIRE, message, type(sample)) == [sample, sample]


def test_no_documents__an_empty_message() -> None:
    assert wire.read(WIRE, wire.told(WIRE.newest, [], HostStep), HostStep) == []


def test_samples__every_shape_that_crosses() -> None:
    assert {type(sample) for sample in SAMPLES} == set(SHAPES)


@pytest.mark.parametrize("shape", SHAPES, ids=SHAPES.__getitem__)
def test_shape__has_not_changed_without_a_change_on_the_line(shape: type[msgspec.Struct]) -> None:
    assert fingerprint(shape) == FINGERPRINTS[SHAPES[shape]], "add a Change to WIRE at a new label, then pin the shape"


def test_changes__each_is_about_a_shape_of_the_wire() -> None:
    assert {change.shape for _, change in WIRE.changes()} <= set(SHAPES.values())


OLD = WIRE.level("1.0")


def test_older_peer__is_told_what_it_knows() -> None:
    (step,) = msgspec.json.decode(wire.told(OLD, [STEP], HostStep))["documents"]
    assert "action" not in step
    assert step["spec"]["vcpus"] == SPEC.vcpus
    assert "volumes" not in step["spec"]
    (report,) = msgspec.json.decode(
        wire.told(OLD, [HostReport(operation_id=OPERATION, epoch=2, outputs={"offer": 1})], HostReport)
    )["documents"]
    assert "outputs" not in report
    (host,) = msgspec.json.decode(wire.told(OLD, [DESCRIPTION], HostDescription))["documents"]
    assert not {"storage", "connector"} & set(host)


@pytest.mark.parametrize(
    ("kind", "step", "undo", "action"),
    [
        ("boot", "spawn", False, Spawn(spec=SPEC)),
        ("boot", "spawn", True, Destroy()),
        ("delete", "destroy", False, Destroy()),
        ("stop", "power_off", False, Stop(grace_s=60.0)),
        ("start", "power_on", False, Start()),
        ("reboot", "reboot", False, Reboot(hard=False)),
        ("reboot_hard", "reboot", False, Reboot(hard=True)),
    ],
)
def test_older_peer__what_it_says_is_read_as_the_newest(kind: str, step: str, undo: bool, action: HostAction) -> None:
    told = msgspec.structs.replace(STEP, kind=kind, step=step, undo=undo, action=action)
    assert wire.read(WIRE, wire.told(OLD, [told], HostStep), HostStep) == [told]


def test_peer_of_1_1__knows_no_epochs_and_no_marks() -> None:
    level = WIRE.level("1.1")
    epoch, marked = {"host_epoch": 7}, {"cell_id": CellId("c")}
    step = msgspec.structs.replace(STEP, **epoch, action=Spawn(spec=msgspec.structs.replace(SPEC, **marked)))
    report = HostReport(operation_id=OPERATION, epoch=2, guest=msgspec.structs.replace(GUEST, **marked), **epoch)
    (told,) = msgspec.json.decode(wire.told(level, [step], HostStep))["documents"]
    assert "host_epoch" not in told
    assert "cell_id" not in told["action"]["spec"]
    (said,) = msgspec.json.decode(wire.told(level, [report], HostReport))["documents"]
    assert "host_epoch" not in said
    assert "cell_id" not in said["guest"]
    for sample in (STEP, HostReport(operation_id=OPERATION, epoch=2, guest=GUEST), GUEST):
        assert wire.read(WIRE, wire.told(level, [sample], type(sample)), type(sample)) == [sample]


def test_newer_peer__both_speak_at_the_level_that_both_know() -> None:
    assert wire.agreed(WIRE, "1.7").label == WIRE.newest.label
    assert wire.agreed(WIRE, "1.0").label == "1.0"


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"level": "9.9", "documents": []}',
        b'{"level": "1.0", "documents": {}}',
        b'{"level": "1.0", "documents": [{"server_id": 1}]}',
    ],
)
def test_message_that_makes_no_sense__refused_with_a_reason(message: bytes) -> None:
    with pytest.raises(BadMessage) as refused:
        wire.read(WIRE, message, Order)
    assert refused.value.message.startswith("The message can't be understood: ")


def test_peer_of_1_2__knows_no_numa_nodes() -> None:
    level = WIRE.level("1.2")
    lies = msgspec.structs.replace(SPEC, numa=(GuestCell(node=0, vcpus=(0,), memory_mb=512),))
    (told,) = msgspec.json.decode(wire.told(level, [msgspec.structs.replace(STEP, action=Spawn(spec=lies))], HostStep))[
        "documents"
    ]
    assert "numa" not in told["action"]["spec"]
    host = msgspec.structs.replace(DESCRIPTION, numa=(HostNode(number=0, memory_mb=512),))
    (said,) = msgspec.json.decode(wire.told(level, [host], HostDescription))["documents"]
    assert "numa" not in said
    assert wire.read(WIRE, wire.told(level, [DESCRIPTION], HostDescription), HostDescription) == [DESCRIPTION]
