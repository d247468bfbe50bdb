"""The Protocol through which the control plane reads what a guest printed on its serial console."""

from typing import Protocol

from kilonova.objects.server import Server


class Consoles(Protocol):
    """Consoles of guests on hosts."""

    async def output(self, server: Server, lines: int | None) -> str:
        """The end of what the guest printed. Raises `Conflict` when its host doesn't answer."""
