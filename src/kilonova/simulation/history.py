"""What clients asked for and what they were told: the promises that a simulated cloud is held to, and every call."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from kilonova.kernel.ids import ProjectId, ServerId
from kilonova.objects.server import Server, VmState
from kilonova.simulation.linearizable import Call, Model, misfit
from kilonova.simulation.sizes import SIZE

SERVER = Model(
    initial="absent",
    answers={
        "created": {"absent": "building"},
        "refused": {"absent": "absent"},
        "shown building": {"building": "building", "deleting": "deleting"},
        "shown made": {"made": "made", "deleting": "deleting"},
        "not found": {"absent": "absent", "gone": "gone"},
        "acted on": {"made": "made"},
        "in conflict": {"building": "building", "made": "made", "deleting": "deleting"},
        "deleted": {"building": "deleting", "made": "deleting", "deleting": "deleting"},
    },
    by_itself=({"building": "made"}, {"deleting": "gone"}),
)
"""A server as clients see it: it is built once, goes once, and never comes back."""


class Told(Enum):
    """What a client knows of a request of its own."""

    ASKED = "asked"
    """It got no answer: the request may have been accepted."""
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass
class Promise:
    """One server, as the clients that know of it know it."""

    server_id: ServerId
    project_id: ProjectId
    boot: Told
    batch: int
    """Servers of one request have one number: all are accepted, or none."""
    delete: Told | None = None
    hidden: bool = False
    """Whether it may have been soft-deleted, and lists leave it out."""
    calls: list[Call] = field(default_factory=list)
    sizes: list[Call] = field(default_factory=list)
    """What was asked and seen of its size: see `SIZE`."""

    @property
    def surely_there(self) -> bool:
        """Whether any answer but the server itself breaks a promise."""
        return self.boot is Told.ACCEPTED and self.delete is None

    @property
    def surely_deleted(self) -> bool:
        """Whether it has to be gone in the end."""
        return self.delete is Told.ACCEPTED


class History:
    """Every promise, by server."""

    def __init__(self) -> None:
        """Start with none."""
        self.promises: dict[ServerId, Promise] = {}
        self._batches = 0
        self._moments = 0

    def asked(self, server_ids: list[ServerId], project_id: ProjectId) -> list[Promise]:
        """A client is about to ask for servers in one request."""
        self._batches += 1
        new = [Promise(server_id, project_id, Told.ASKED, self._batches) for server_id in server_ids]
        self.promises.update((promise.server_id, promise) for promise in new)
        return new

    def of_project(self, project_id: ProjectId) -> list[Promise]:
        """The servers of a project, oldest first."""
        return [promise for promise in self.promises.values() if promise.project_id == project_id]

    def moment(self) -> int:
        """The number of what happens now."""
        self._moments += 1
        return self._moments

    def answered(self, promise: Promise, client: str, began: int, answer: str) -> None:
        """A call has its answer now."""
        promise.calls.append(Call(client, answer, began, self.moment()))

    def unanswered(self, promise: Promise, client: str, began: int, answer: str) -> None:
        """A call has no answer; with effect it would have been `answer`."""
        promise.calls.append(Call(client, answer, began, None))

    def size_answered(self, promise: Promise, client: str, began: int, answer: str) -> None:
        """A call that is about a server's size has its answer now."""
        promise.sizes.append(Call(client, answer, began, self.moment()))

    def size_unanswered(self, promise: Promise, client: str, began: int, answer: str) -> None:
        """A call that may change a server's size at any time from now on."""
        promise.sizes.append(Call(client, answer, began, None))

    def check(self, report: Callable[[str], None]) -> None:
        """Report every server of which clients saw what fits no order of their calls."""
        for promise in self.promises.values():
            for model, calls in ((SERVER, promise.calls), (SIZE, promise.sizes)):
                stuck = misfit(model, calls)
                if stuck is not None:
                    told = ", ".join(f"{call.client} {call.answer} {call.began}-{call.ended}" for call in calls)
                    report(f"no order of calls explains that server {promise.server_id} was {stuck.answer}: {told}")


def shown(server: Server) -> str:
    """The answer that shows `server`."""
    return "shown building" if server.vm_state is VmState.BUILDING else "shown made"
