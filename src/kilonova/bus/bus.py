"""The Protocol of the bus: hints that something under a topic changed. Receivers re-read the truth."""

from typing import Protocol


class Listener(Protocol):
    """One receiver of hints. Hints that come while nobody waits are remembered as one."""

    async def wait(self, timeout_s: float) -> bool:
        """Wait for a hint; True if one came, False if `timeout_s` seconds passed without."""

    def close(self) -> None:
        """Stop listening."""


class Bus(Protocol):
    """Publishes hints to whoever listens, at most once and possibly never."""

    def hint(self, topic: str) -> None:
        """Wake the listeners of `topic`. Never blocks, never fails."""

    def listen(self, topic: str) -> Listener:
        """Begin to receive the hints of `topic`."""
