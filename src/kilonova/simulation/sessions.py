"""Sessions of agents as the simulation watches them: who was replaced, and whether anything that he says still counts."""

from collections.abc import Callable, Sequence

from kilonova.agent.gateway_client import GatewayClient, Registered
from kilonova.kernel.ids import OperationId
from kilonova.objects.history import wire
from kilonova.objects.history.wire import WIRE
from kilonova.objects.host import WITHOUT_EPOCHS, Session
from kilonova.objects.host_step import HostStep, Order
from kilonova.simulation.sometimes import Sometimes


class Takings:
    """At which epoch some hosts were taken last, of all the sessions that were told so."""

    def __init__(self) -> None:
        """Nobody has taken them."""
        self.epoch = 0


class WatchedGateway:
    """Implements `GatewayClient` on another, and reports whatever still counts of a session that was replaced before it asked."""

    def __init__(
        self, inner: GatewayClient, takings: Takings, report: Callable[[str], None], sometimes: Sometimes
    ) -> None:
        """`takings` are those of all sessions that serve the same hosts."""
        self._inner = inner
        self._takings = takings
        self._report = report
        self._sometimes = sometimes
        self._epoch = 0

    async def register(
        self, agent: str, newest: str, descriptions: bytes, session: Session = WITHOUT_EPOCHS
    ) -> Registered:
        """See `GatewayClient.register`."""
        answer = await self._inner.register(agent, newest, descriptions, session)
        if answer.held:
            self._epoch = answer.epoch
            self._takings.epoch = max(self._takings.epoch, answer.epoch)
        return answer

    async def beat(self, agent: str, epoch: int = 0) -> float:
        """See `GatewayClient.beat`."""
        return await self._inner.beat(agent, epoch)

    async def renew(
        self, agent: str, held: Sequence[tuple[OperationId, int]], epoch: int = 0
    ) -> dict[OperationId, str]:
        """See `GatewayClient.renew`."""
        replaced = self._spoken()
        answer = await self._inner.renew(agent, held, epoch)
        self._counts(replaced, agent, "kept leases", bool(answer))
        return answer

    async def poll(self, agent: str, wait_s: float, epoch: int = 0) -> bytes:
        """See `GatewayClient.poll`."""
        replaced = self._spoken()
        answer = await self._inner.poll(agent, wait_s, epoch)
        self._counts(replaced, agent, "was given work", bool(wire.read(WIRE, answer, HostStep)))
        return answer

    async def report(self, agent: str, report: bytes) -> bool:
        """See `GatewayClient.report`."""
        replaced = self._spoken()
        answer = await self._inner.report(agent, report)
        self._counts(replaced, agent, "reported", answer)
        return answer

    async def observe(self, agent: str, guests: bytes, seen_after: float, epoch: int = 0) -> bytes:
        """See `GatewayClient.observe`."""
        replaced = self._spoken()
        answer = await self._inner.observe(agent, guests, seen_after, epoch)
        self._counts(replaced, agent, "was told to end guests", bool(wire.read(WIRE, answer, Order)))
        return answer

    @property
    def replaced(self) -> bool:
        """Whether another session has been told that it has the hosts."""
        return self._takings.epoch > self._epoch

    def _spoken(self) -> bool:
        replaced = self.replaced
        if replaced:
            self._sometimes("replaced_agent_spoke")
        return replaced

    def _counts(self, replaced: bool, agent: str, what: str, counted: bool) -> None:
        if replaced and counted:
            self._report(f"a session of {agent} {what} after another had taken its hosts")
