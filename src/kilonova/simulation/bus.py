"""A simulated bus: hints between processes that are dropped, late, or repeated."""

import asyncio
import contextvars
from collections.abc import Callable

from kilonova.simulation.faults import Faults
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.process import Process
from kilonova.simulation.sometimes import Sometimes

HOP_MAX_S = 0.005
LATE_MAX_S = 3.0


class Broker:
    """What carries hints between processes. It may be silent for a while, or a whole run."""

    def __init__(
        self,
        loop: SimLoop,
        faults: Faults,
        sometimes: Sometimes,
        *,
        silent: bool = False,
        connected: Callable[[str, str], bool] = lambda _one, _other: True,
    ) -> None:
        """Start without listeners. `connected` tells whether one process can reach another."""
        self._loop = loop
        self._faults = faults
        self._sometimes = sometimes
        self.silent = silent
        """Whether no hint arrives anywhere."""
        self._connected = connected
        self._stream = loop.stream("bus")
        self._listeners: dict[str, list[SimListener]] = {}
        self._nobody = contextvars.Context()

    def join(self, topic: str, process: Process) -> "SimListener":
        """A new listener of `process`."""
        listener = SimListener(self, topic, process)
        self._listeners.setdefault(topic, []).append(listener)
        return listener

    def leave(self, topic: str, listener: "SimListener") -> None:
        """Forget a listener."""
        listeners = self._listeners.get(topic, [])
        if listener in listeners:
            listeners.remove(listener)

    def listeners_of(self, process: Process) -> int:
        """How many listeners a process has."""
        return sum(each.process is process for listeners in self._listeners.values() for each in listeners)

    def publish(self, topic: str, publisher: str = "") -> None:
        """Carry a hint of the process called `publisher` to every listener, or not."""
        if self.silent:
            return
        self._listeners[topic] = [each for each in self._listeners.get(topic, []) if each.process.alive]
        for listener in self._listeners[topic]:
            if not self._connected(publisher, listener.process.name) or self._faults.strikes("bus_drop"):
                continue
            self._deliver(listener)
            if self._faults.strikes("bus_repeat"):
                self._sometimes("hint_repeated")
                self._deliver(listener)

    def _deliver(self, listener: "SimListener") -> None:
        late = self._faults.strikes("bus_delay")
        delay_s = self._stream.random() * (LATE_MAX_S if late else HOP_MAX_S)
        self._loop.call_later(delay_s, listener.wake, context=self._nobody)


class SimListener:
    """Implements `Listener`."""

    def __init__(self, broker: Broker, topic: str, process: Process) -> None:
        """Listen in `process`."""
        self.process = process
        self._broker = broker
        self._topic = topic
        self._event = asyncio.Event()

    def wake(self) -> None:
        """Remember one hint."""
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """See `Listener.wait`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True

    def close(self) -> None:
        """See `Listener.close`."""
        self._broker.leave(self._topic, self)


class SimBus:
    """Implements `Bus` for one process."""

    def __init__(self, broker: Broker, process: Process) -> None:
        """Connect `process` to the broker."""
        self._broker = broker
        self._process = process

    def hint(self, topic: str) -> None:
        """See `Bus.hint`."""
        self._broker.publish(topic, self._process.name)

    def listen(self, topic: str) -> SimListener:
        """See `Bus.listen`."""
        return self._broker.join(topic, self._process)
