"""What a claim has given, on its way from the step that claims to the server that holds it: an output of the operation."""

from collections.abc import Mapping
from typing import Any

import msgspec

from kilonova.engine.plan import Outputs
from kilonova.objects.portion import Portion
from kilonova.objects.server import Server
from kilonova.placement.shapes import Allocations
from kilonova.scheduler.wishes import resources_of

PORTION = "portion"
"""The output; not there when nothing but the host's own provider gives anything."""


def told(portion: Portion | None) -> Outputs:
    """The output of a claim."""
    return {} if portion is None else {PORTION: msgspec.to_builtins(portion)}


def of(outputs: Mapping[str, Any]) -> Portion | None:
    """What a claim has left in the outputs of its operation."""
    found = outputs.get(PORTION)
    return None if found is None else msgspec.convert(found, Portion)


def carried(server: Server, outputs: Mapping[str, Any]) -> Server:
    """The server with what the operation has claimed for it, if it has claimed a host."""
    claimed = "dest" in outputs or "here" in outputs or "host" in outputs
    return msgspec.structs.replace(server, portion=of(outputs)) if claimed else server


def held_on(server: Server, provider: str) -> Allocations:
    """What a server holds on its host, whose root provider is `provider`."""
    if server.portion is not None:
        return server.portion.allocations
    return {provider: resources_of(server.flavor, boots_from_volume=server.boots_from_volume)}
