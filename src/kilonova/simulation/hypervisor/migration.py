"""A live migration in the simulated hardware: it takes its time, and one moment decides where the guest is."""

import asyncio
import contextvars
import enum
from collections.abc import Callable

from kilonova.kernel.ids import HostName, ServerId
from kilonova.simulation.process import CURRENT, Process

FORCED_S = 0.1
"""How long a migration lasts once its guest is paused for it."""


class Outcome(enum.StrEnum):
    """How a migration ended."""

    DONE = "done"
    ABORTED = "aborted"
    FAILED = "failed"


class Migration:
    """One migration under way."""

    def __init__(
        self, server_id: ServerId, source: HostName, target: HostName, *, lasts_s: float, outcome: Outcome
    ) -> None:
        """Ends after `lasts_s` with `outcome`, unless something comes between."""
        self.server_id = server_id
        self.source = source
        self.target = target
        self.over: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._lasts_s = lasts_s
        self._outcome = outcome
        self._decide: Callable[[Migration, Outcome], Outcome] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._carrier: Process | None = None

    def carried_by(self, process: Process) -> None:
        """Fail when `process` dies; without this the migration survives whoever began it."""
        self._carrier = process
        process.on_death(self._carrier_died)

    def begin(self, decide: Callable[["Migration", Outcome], Outcome]) -> None:
        """Let it run; `decide` is called once at its end, and says what came of it."""
        self._decide = decide
        self._end_in(self._lasts_s)

    def force(self) -> None:
        """Come to the end soon."""
        self._end_in(FORCED_S)

    def end(self, outcome: Outcome) -> None:
        """End now. Nothing happens when it is over."""
        if self.over.done():
            return
        assert self._decide, "a migration begins before it ends"
        if self._timer is not None:
            self._timer.cancel()
        if self._carrier is not None:
            self._carrier.forget(self._carrier_died)
        self.over.set_result(self._decide(self, outcome))

    def _carrier_died(self, process: Process) -> None:
        self.end(Outcome.FAILED)

    def _end_in(self, delay_s: float) -> None:
        """Set the timer anew. It is the hardware's: no process takes it along when it dies."""
        if self._timer is not None:
            self._timer.cancel()
        nobodys = contextvars.copy_context()
        nobodys.run(CURRENT.set, None)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(delay_s, self.end, self._outcome, context=nobodys)
