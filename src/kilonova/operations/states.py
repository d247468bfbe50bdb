"""Actions: what each kind of operation means for `vm_state` and `task_state`. Each file in `plans/` has its own beside its plan.

Everything about these states is said there: admission (409), the projection of operations on servers, and the diagram in the
docs. Source: Compute API guide, "Server concepts".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kilonova.kernel.errors import Conflict
from kilonova.objects.operation import Operation
from kilonova.objects.server import Server, TaskState, VmState

ANY = frozenset(VmState) - {VmState.DELETED}
ANY_KIND = "*"
"""In `Action.interrupts`: whatever is under way."""
IN_PLACE = frozenset(
    {
        *("start", "stop", "reboot", "reboot_hard", "pause", "unpause", "suspend", "resume"),
        *("set_password", "crash_dump", "soft_delete", "power_repair", "restore"),
    }
)
"""Kinds that do no more than switch a guest on its host: interrupting one leaves nothing behind but a power state."""


class WrongState(Conflict):
    """Cannot '{action}' instance {server_id} while it is in {attribute} {value}"""

    code = "wrong-state"


class Locked(Conflict):
    """Instance {server_id} is locked"""

    code = "locked"


def _as_it_is(server: Server, _operation: Operation, _now: float) -> Server:
    return server


@dataclass(frozen=True, kw_only=True)
class Action:
    """What one kind of operation means for its server."""

    kind: str
    """The plan's name."""
    name: str
    """What users call it."""
    starts_in: frozenset[VmState]
    interrupts: frozenset[str] = frozenset()
    """Kinds of live operations that it supersedes; any other live operation refuses it."""
    spares: frozenset[str] = frozenset()
    """Kinds that it never supersedes, even if it does all others."""
    needs_host: bool = True
    """Whether a server that is on no host is refused."""
    host_up: bool | None = None
    """True: the server's host must be up; False: it must be down; None: either."""
    walk: Mapping[str, TaskState | None] = field(default_factory=dict)
    """The task state while each step runs."""
    ends_in: VmState | None = None
    """None: where it was."""
    fails_in: VmState | None = None
    resizes: bool = False
    """Whether the server's line in the quota ledger has to be set anew when the operation ends."""
    strays: bool = False
    """Whether a guest that its undo had to leave on a host may run there."""
    may_end_in: frozenset[VmState] = frozenset()
    """Where else `effect` may let it end, or fail."""
    effect: Callable[[Server, Operation, float], Server] = _as_it_is
    """What else changes of the server when the operation is accepted, at each of its moves, and when it ends.

    Called after `vm_state`, `task_state` and what hosts report were set, with the operation after its move and the time. At the
    acceptance, where the operation is QUEUED, it may raise `Conflict` for what makes no sense for the server as it is now.
    """


def during(task: TaskState | None, *steps: str) -> dict[str, TaskState | None]:
    """`task` while each of `steps` runs."""
    return dict.fromkeys(steps, task)


def admit(action: Action, server: Server, live_kind: str | None) -> None:
    """Raise `WrongState` unless `action` may start now; `live_kind` is the kind of the live operation, if there is one."""
    if server.vm_state not in action.starts_in:
        raise WrongState(action=action.name, server_id=server.id, attribute="vm_state", value=server.vm_state)
    spared = live_kind in action.spares or not action.interrupts & {live_kind, ANY_KIND}
    if live_kind is not None and spared:
        raise WrongState(
            action=action.name, server_id=server.id, attribute="task_state", value=server.task_state or live_kind
        )
