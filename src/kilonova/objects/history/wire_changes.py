"""The changes of the wire's shapes, by the label that brought them: see `wire`."""

from typing import Any

from kilonova.kernel.versions import Change, Doc, added

STOP_GRACE_S = 60.0
"""What a stop of 1.0 gave a guest to shut down."""

_BY_STEP: dict[tuple[str, str, bool], dict[str, Any]] = {
    ("boot", "spawn", True): {"action": "destroy"},
    ("delete", "destroy", False): {"action": "destroy"},
    ("stop", "power_off", False): {"action": "stop", "grace_s": STOP_GRACE_S},
    ("start", "power_on", False): {"action": "start"},
    ("reboot", "reboot", False): {"action": "reboot", "hard": False},
    ("reboot_hard", "reboot", False): {"action": "reboot", "hard": True},
}


def _with_action(doc: Doc) -> None:
    """A step of 1.0 said what to do by its kind and name."""
    spec = doc.pop("spec", None)
    if spec is not None:
        doc["action"] = {"action": "spawn", "spec": spec}
    else:
        doc["action"] = dict(_BY_STEP[doc["kind"], doc["step"], doc["undo"]])


def _without_action(doc: Doc) -> None:
    """An agent of 1.0 refuses what it doesn't know by kind and name."""
    action = doc.pop("action")
    doc["spec"] = action["spec"] if action["action"] == "spawn" else None
    if doc["spec"] is not None:
        doc["spec"].pop("volumes", None)


HOST_ACTIONS = (
    Change(
        name="host-action",
        shape="host_step",
        why="A step says what to do by a shape of its own, with what that needs, and no longer by its name alone.",
        up=_with_action,
        down=_without_action,
        loses=frozenset({"action"}),
    ),
    added(
        "host_report",
        "outputs",
        name="host-report-outputs",
        why="A report carries what the step leaves for later ones.",
    ),
    added(
        "order",
        "keep_disks",
        name="order-keep-disks",
        why="A guest whose server lives elsewhere on the same storage goes without its disks.",
    ),
    added(
        "host_description",
        "storage",
        "connector",
        name="host-storage",
        why="A host says which storage its guests' disks lie on, and how volumes are connected to it.",
    ),
    added(
        "guest",
        "resized",
        name="guest-resized",
        why="A guest says whether it keeps what it was before a resize: one whose server isn't resized is made that again.",
    ),
    added(
        "host_report",
        "guest.resized",
        name="host-report-guest-resized",
        why="The guest in a report says so too.",
    ),
)

NUMA = (
    added("host_description", "numa", "pci", name="host-numa", why="A host tells its NUMA nodes and PCI devices."),
    added(
        "host_step",
        "action.spec.numa",
        "action.spec.devices",
        name="guest-spec-numa",
        why="A guest is told which of them it lies in and has.",
    ),
)

HOST_EPOCHS = (
    added(
        "host_step",
        "host_epoch",
        name="step-host-epoch",
        why="A step says at which epoch of its host it was claimed.",
    ),
    added(
        "host_report",
        "host_epoch",
        name="report-host-epoch",
        why="A report says the same, and counts for nothing once another agent has taken the host.",
    ),
    added(
        "host_step",
        "action.spec.cell_id",
        name="guest-spec-cell",
        why="A guest is told the cell that it is made for, and keeps that as its mark.",
    ),
    added("guest", "cell_id", name="guest-cell", why="A guest shows the cell that it was made for."),
    added("host_report", "guest.cell_id", name="report-guest-cell", why="So does the guest in a report."),
)

HOST_UPTIME = (added("host_description", "booted_at", name="host-booted-at", why="A host says when it was started."),)
