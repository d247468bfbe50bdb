"""The Protocol by which an agent reaches its cell's gateway."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from kilonova.kernel.ids import OperationId
from kilonova.objects.host import WITHOUT_EPOCHS, Session


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway says to an agent that registers."""

    level: str
    """At which to speak from now on."""
    epoch: int
    """The highest at which the agent and its hosts are served."""
    held: bool
    """Whether that is the session's."""
    time: float
    """Of the cell, in seconds since the epoch."""


class GatewayClient(Protocol):
    """The gateway as an agent sees it; documents cross as messages of `objects.history.wire`.

    Every call but `register` says at which epoch the agent has its hosts; 0 is for programs that know none. It raises
    `AgentReplaced` once another session has taken the agent's place. Every call raises `Unavailable` when the gateway can't be
    reached, and `BadMessage` for what it can't understand.
    """

    async def register(
        self, agent: str, newest: str, descriptions: bytes, session: Session = WITHOUT_EPOCHS
    ) -> Registered:
        """Say which hosts the agent serves (`HostDescription`), and its newest level.

        A session takes the hosts by asking for a higher epoch than they have; once it has them, it says the same again.
        """

    async def beat(self, agent: str, epoch: int = 0) -> float:
        """Say that the agent is there; the cell's time, in seconds since the epoch."""

    async def renew(
        self, agent: str, held: Sequence[tuple[OperationId, int]], epoch: int = 0
    ) -> dict[OperationId, str]:
        """Renew the leases of steps; those that are still the agent's, each with what is wished about it.

        A wish is `abort` or `force`, for a live migration that is under way; empty for none.
        """

    async def poll(self, agent: str, wait_s: float, epoch: int = 0) -> bytes:
        """Steps for the agent's hosts (`HostStep`), each leased to it; waits up to `wait_s` seconds for the first."""

    async def report(self, agent: str, report: bytes) -> bool:
        """Tell what came of a step (one `HostReport`); False when it came too late and counts for nothing."""

    async def observe(self, agent: str, guests: bytes, seen_after: float, epoch: int = 0) -> bytes:
        """Tell what the hypervisors show (every `Guest` of the agent's hosts); the guests that must go (`Order`).

        `seen_after` is a time of the cell that the agent had heard before it began to look.
        """
