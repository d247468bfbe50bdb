"""What clients asked for and what they were told: the promises that a simulated cloud is held to."""

from dataclasses import dataclass
from enum import Enum

from kilonova.kernel.ids import ProjectId, ServerId


class Told(Enum):
    """What a client knows of a request of its own."""

    ASKED = "asked"
    """It got no answer: the request may have been accepted."""
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass
class Promise:
    """One server, as the client that asked for it knows it."""

    server_id: ServerId
    project_id: ProjectId
    boot: Told
    batch: int
    """Servers of one request have one number: all are accepted, or none."""
    delete: Told | None = None

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

    def asked(self, server_ids: list[ServerId], project_id: ProjectId) -> list[Promise]:
        """A client is about to ask for servers in one request."""
        self._batches += 1
        new = [Promise(server_id, project_id, Told.ASKED, self._batches) for server_id in server_ids]
        self.promises.update((promise.server_id, promise) for promise in new)
        return new
