"""What a host's step is told from: the operation, the server as it is now, and new secrets where it needs some."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kilonova.kernel.ids import CellId
from kilonova.objects.guest import GuestSpec
from kilonova.objects.operation import Operation
from kilonova.objects.server import Server
from kilonova.operations import moving_volumes, portions
from kilonova.operations.guest_spec import guest_spec

SEED_BYTES = 32


@dataclass(frozen=True)
class HostWork:
    """One host step, about to be handed to its agent."""

    operation: Operation
    server: Server
    cell_id: CellId
    token: Callable[[int], str]
    """See `Runtime.token`."""

    @property
    def params(self) -> dict[str, Any]:
        """What was asked."""
        return self.operation.params

    @property
    def outputs(self) -> dict[str, Any]:
        """What earlier steps left."""
        return self.operation.outputs

    def spec(self, server: Server | None = None) -> GuestSpec:
        """The guest as the server says, or as it will say: `server`, when this operation changes it, and where it goes."""
        return guest_spec(
            portions.carried(moving_volumes.carried(server or self.server, self.outputs), self.outputs),
            cell_id=self.cell_id,
            generation=self.params["generation"],
            random_seed=self.token(SEED_BYTES),
            files=self.params.get("files", ()),
            admin_password=self.params.get("admin_password"),
        )
