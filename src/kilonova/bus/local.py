"""The bus of a single process: an event per listener."""

import asyncio


class LocalListener:
    """Implements `Listener` with one asyncio event."""

    def __init__(self, bus: "LocalBus", topic: str) -> None:
        """Join the topic's listeners."""
        self._bus = bus
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
        self._bus.leave(self._topic, self)


class LocalBus:
    """Implements `Bus` inside one event loop."""

    def __init__(self, *, silent: bool = False) -> None:
        """Start without listeners. On a `silent` bus no hint arrives, and polling alone has to be enough."""
        self._listeners: dict[str, list[LocalListener]] = {}
        self._silent = silent

    def hint(self, topic: str) -> None:
        """See `Bus.hint`."""
        if self._silent:
            return
        for listener in self._listeners.get(topic, ()):
            listener.wake()

    def listen(self, topic: str) -> LocalListener:
        """See `Bus.listen`."""
        listener = LocalListener(self, topic)
        self._listeners.setdefault(topic, []).append(listener)
        return listener

    def leave(self, topic: str, listener: LocalListener) -> None:
        """Forget a listener that was closed."""
        listeners = self._listeners.get(topic, [])
        if listener in listeners:
            listeners.remove(listener)
