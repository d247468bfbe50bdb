"""Waiting for servers: the cloud answers when it is so (`app/server_waits.py`), and errors say how the server is instead."""

import httpx
import msgspec
from typing_extensions import override

from kilonova.app.paths import OWN

ASK_MAX_S = 30.0
"""How long one request waits; a longer wait is several."""
ANSWER_MAX_S = 30.0
"""How much later than asked for an answer may come from a machine that is busy."""


class Fault(msgspec.Struct, frozen=True):
    """Why a server is in ERROR."""

    code: int
    message: str


class ServerSeen(msgspec.Struct, frozen=True):
    """A server as it was when a wait ended."""

    id: str
    status: str
    vm_state: str
    task_state: str | None
    host: str | None
    fault: Fault | None
    operation: str | None
    """The operation that works on it; None at rest."""

    @override
    def __str__(self) -> str:
        """How it is, in words."""
        doing = f", {self.task_state}" if self.task_state else ""
        told = f"it is {self.status} ({self.vm_state}{doing}) on {self.host or 'no host'}"
        if self.operation is not None:
            told += f", and operation {self.operation} works on it"
        return told if self.fault is None else f"{told}; its fault is {self.fault.code}: {self.fault.message}"


class NotReached(AssertionError):
    """A server is not as it was waited for; the message says how it is, and `server` has it, None when there is none."""

    def __init__(self, message: str, server: ServerSeen | None) -> None:
        """Keep both."""
        super().__init__(message)
        self.server = server


class _Answer(msgspec.Struct, frozen=True):
    server: ServerSeen
    reached: bool


def wait_until(admin: httpx.Client, server_id: str, status: str, within_s: float) -> ServerSeen:
    """Wait until a server has a status and no operation works on it.

    Args:
        admin: logged in as administrator.
        server_id: the server's id.
        status: as the Compute API shows it, e.g. `SHUTOFF`.
        within_s: how long it may take, in seconds.

    Raises:
        NotReached: it takes longer, goes to ERROR instead, or is not there.
    """
    left_s = within_s
    while True:
        answer = _ask(admin, server_id, status, min(left_s, ASK_MAX_S))
        if answer is None:
            raise NotReached(f"server {server_id} did not become {status}: it is not there", None)
        if answer.reached:
            return answer.server
        left_s -= ASK_MAX_S
        if left_s <= 0 or (answer.server.status == "ERROR" and answer.server.operation is None):
            break
    raise NotReached(
        f"server {server_id} did not become {status} within {within_s:g} s: {answer.server}", answer.server
    )


def wait_until_gone(admin: httpx.Client, server_id: str, within_s: float) -> None:
    """Wait until a server is deleted. Raises `NotReached` when it takes longer than `within_s` seconds."""
    left_s = within_s
    while (answer := _ask(admin, server_id, "DELETED", min(left_s, ASK_MAX_S))) is not None:
        left_s -= ASK_MAX_S
        if left_s <= 0 or answer.server.operation is None:
            told = f"server {server_id} was not gone within {within_s:g} s: {answer.server}"
            raise NotReached(told, answer.server)


def _ask(admin: httpx.Client, server_id: str, status: str, within_s: float) -> _Answer | None:
    """One request; None when there is no such server."""
    answer = admin.get(
        f"{OWN}/servers/{server_id}/wait",
        params={"status": status, "within_s": within_s},
        timeout=within_s + ANSWER_MAX_S,
    )
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    return msgspec.json.decode(answer.raise_for_status().content, type=_Answer)
