"""What the API may do with servers: accept, read, change. Every method returns after its effect is durable."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from kilonova.kernel.ids import ServerId
from kilonova.objects.boot import Boot
from kilonova.objects.caller import Caller
from kilonova.objects.operation import Operation, OperationEvent
from kilonova.objects.server import Server
from kilonova.objects.server_query import ServerPage, ServerQuery


class Servers(Protocol):
    """Servers wherever they are: still nowhere, in cell0, in a cell."""

    async def boot(self, caller: Caller, request_id: str, boots: Sequence[Boot]) -> None:
        """Accept servers: ledger, map and operations in one transaction. Raises `OverLimit` and keeps nothing."""

    async def get(self, server_id: ServerId) -> Server:
        """One server. Raises `NotFound` (also for deleted ones), `Unavailable` when its cell does not answer."""

    async def list(self, query: ServerQuery) -> ServerPage:
        """One page. Raises `Invalid` for a marker that names no server or an expression that can't be read."""

    async def update(self, server_id: ServerId, change: Callable[[Server], Server]) -> Server:
        """Change what users own (name, description, metadata, tags, lock, ...); `change` may run again after a race.

        Raises `NotFound`, and what `change` raises.
        """

    async def act(
        self, caller: Caller, request_id: str, server_id: ServerId, kind: str, params: Mapping[str, Any]
    ) -> None:
        """Accept an action: the operation is durable when this returns. Kinds: `stop`, `start`, `reboot`.

        Raises `NotFound`, and `Conflict` when the server's state or a live operation doesn't allow it.
        """

    async def delete(self, caller: Caller, request_id: str, server_id: ServerId) -> None:
        """Accept a delete: it wins over whatever is being done. Raises `NotFound`."""

    async def operations(self, server_id: ServerId) -> Sequence[Operation]:
        """Its operations, newest first; of deleted servers too. Raises `NotFound`."""

    async def events(self, server_id: ServerId, operation: Operation) -> Sequence[OperationEvent]:
        """The log of one of its operations, in order."""

    async def console_output(self, server_id: ServerId, lines: int | None) -> str:
        """The end of the serial console's log. Raises `Conflict` while the server is on no host."""
