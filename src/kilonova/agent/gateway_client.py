"""The Protocol by which an agent reaches its cell's gateway."""

from collections.abc import Sequence
from typing import Protocol

from kilonova.kernel.ids import OperationId


class GatewayClient(Protocol):
    """The gateway as an agent sees it; documents cross as messages of `objects.history.wire`.

    Every call raises `Unavailable` when the gateway can't be reached, and `BadMessage` for what it can't understand.
    """

    async def register(self, agent: str, newest: str, descriptions: bytes) -> str:
        """Say which hosts the agent serves (`HostDescription`), and its newest level; the level to speak at from now on."""

    async def beat(self, agent: str) -> float:
        """Say that the agent is there; the cell's time, in seconds since the epoch."""

    async def renew(self, agent: str, held: Sequence[tuple[OperationId, int]]) -> dict[OperationId, str]:
        """Renew the leases of steps; those that are still the agent's, each with what is wished about it.

        A wish is `abort` or `force`, for a live migration that is under way; empty for none.
        """

    async def poll(self, agent: str, wait_s: float) -> bytes:
        """Steps for the agent's hosts (`HostStep`), each leased to it; waits up to `wait_s` seconds for the first."""

    async def report(self, agent: str, report: bytes) -> bool:
        """Tell what came of a step (one `HostReport`); False when it came too late and counts for nothing."""

    async def observe(self, agent: str, guests: bytes, seen_after: float) -> bytes:
        """Tell what the hypervisors show (every `Guest` of the agent's hosts); the guests that must go (`Order`).

        `seen_after` is a time of the cell that the agent had heard before it began to look.
        """
