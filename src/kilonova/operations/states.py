"""The table of actions: where each may start, what users see while it runs, and where it ends.

Everything about `vm_state` and `task_state` is in this table: admission (409), the projection of operations on servers, and the
diagram in the reference read it. Source: Compute API guide, "Server concepts"; the walk of task states is Nova's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from kilonova.kernel.errors import Conflict
from kilonova.objects.server import Server, TaskState, VmState

ANY = frozenset(VmState) - {VmState.DELETED}


class WrongState(Conflict):
    """Cannot '{action}' instance {server_id} while it is in {attribute} {value}"""

    code = "wrong-state"


class Locked(Conflict):
    """Instance {server_id} is locked"""

    code = "locked"


@dataclass(frozen=True, kw_only=True)
class Action:
    """One row of the table."""

    kind: str
    """The plan's name."""
    name: str
    """What users call it."""
    starts_in: frozenset[VmState]
    interrupts: frozenset[str] = frozenset()
    """Kinds of live operations that it supersedes; any other live operation refuses it."""
    walk: Mapping[str, TaskState] = field(default_factory=dict)
    """The task state while each step runs."""
    ends_in: VmState | None = None
    """None: where it was."""
    fails_in: VmState | None = None


def _during(task: TaskState, *steps: str) -> dict[str, TaskState]:
    return dict.fromkeys(steps, task)


ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        action.kind: action
        for action in (
            Action(
                kind="boot",
                name="create",
                starts_in=frozenset({VmState.BUILDING}),
                walk={
                    **_during(TaskState.SCHEDULING, "schedule", "handover"),
                    **_during(TaskState.NETWORKING, "networking"),
                    **_during(TaskState.SPAWNING, "spawn"),
                },
                ends_in=VmState.ACTIVE,
                fails_in=VmState.ERROR,
            ),
            Action(
                kind="delete",
                name="delete",
                starts_in=ANY,
                interrupts=frozenset({"boot", "stop", "start", "reboot", "reboot_hard"}),
                walk=_during(TaskState.DELETING, "destroy", "ports", "allocation", "sweep"),
                ends_in=VmState.DELETED,
                fails_in=VmState.ERROR,
            ),
            Action(
                kind="stop",
                name="stop",
                starts_in=frozenset({VmState.ACTIVE, VmState.ERROR}),
                walk=_during(TaskState.POWERING_OFF, "power_off"),
                ends_in=VmState.STOPPED,
            ),
            Action(
                kind="start",
                name="start",
                starts_in=frozenset({VmState.STOPPED}),
                walk=_during(TaskState.POWERING_ON, "power_on"),
                ends_in=VmState.ACTIVE,
            ),
            Action(
                kind="reboot",
                name="reboot",
                starts_in=frozenset({VmState.ACTIVE}),
                walk=_during(TaskState.REBOOTING, "reboot"),
                ends_in=VmState.ACTIVE,
            ),
            Action(
                kind="reboot_hard",
                name="reboot",
                starts_in=frozenset(
                    {VmState.ACTIVE, VmState.STOPPED, VmState.PAUSED, VmState.SUSPENDED, VmState.ERROR}
                ),
                interrupts=frozenset({"reboot"}),
                walk=_during(TaskState.REBOOTING_HARD, "reboot"),
                ends_in=VmState.ACTIVE,
                fails_in=VmState.ERROR,
            ),
        )
    }
)


def admit(action: Action, server: Server, live_kind: str | None) -> None:
    """Raise `WrongState` unless `action` may start now; `live_kind` is the kind of the live operation, if there is one."""
    if server.vm_state not in action.starts_in:
        raise WrongState(action=action.name, server_id=server.id, attribute="vm_state", value=server.vm_state)
    if live_kind is not None and live_kind not in action.interrupts:
        raise WrongState(action=action.name, server_id=server.id, attribute="task_state", value=server.task_state)
