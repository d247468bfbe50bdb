"""A mechanism driver for Neutron's ML2 plugin: binds every port at once, as an agent that is always there would.

Runs inside Neutron; imports nothing of Kilonova.
"""

from typing import Any

from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class AtOnce(api.MechanismDriver):  # type: ignore[misc]
    """Binds to the first segment with status ACTIVE; hosts whose name begins with `refuses` fail."""

    @property
    def connectivity(self) -> str:
        """Ports without an address are bound, too."""
        return str(portbindings.CONNECTIVITY_L2)

    def initialize(self) -> None:
        """Nothing to prepare."""

    def bind_port(self, context: Any) -> None:
        """See `MechanismDriver.bind_port`."""
        if context.host.startswith("refuses"):
            return
        for segment in context.segments_to_bind:
            details = {portbindings.CAP_PORT_FILTER: False}
            context.set_binding(segment[api.ID], portbindings.VIF_TYPE_BRIDGE, details, status="ACTIVE")
            return
