"""The Protocol through which the control plane asks hosts what no operation asks: consoles, diagnostics, images to come."""

from typing import Protocol

from kilonova.kernel.ids import HostName
from kilonova.objects.diagnostics import Diagnostics
from kilonova.objects.guest import GuestImage
from kilonova.objects.server import Server


class HostQuestions(Protocol):
    """Hosts, as they are asked. Every method raises `Conflict` when the host doesn't answer."""

    async def output(self, server: Server, lines: int | None) -> str:
        """The end of what the guest printed on its serial console."""

    async def diagnostics(self, server: Server) -> Diagnostics:
        """How the guest does just now."""

    async def image_fetch(self, host: HostName, image: GuestImage) -> None:
        """Have an image at a host before a guest needs it; returns when it is there."""
