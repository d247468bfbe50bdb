"""`/os-volumes_boot`, until 2.102: another name of `/servers`, from when booting from a volume was an extension."""

from dataclasses import replace

from kilonova.api import (
    server_actions,
    server_images,
    server_moves,
    server_rebuild,
    servers,
)
from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute

UNTIL = "2.102"
_ACTIONS = frozenset(
    {
        *("confirmResize", "createImage", "os-start", "os-stop", "reboot", "rebuild", "resize", "revertResize"),
        "trigger_crash_dump",
    }
)
_MODULES = (servers, server_actions, server_images, server_moves, server_rebuild)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes that have the other name too."""
    return [
        replace(route, path=route.path.replace("/servers", "/os-volumes_boot", 1), until=UNTIL)
        for module in _MODULES
        for route in module.routes(compute)
        if route.action is None or route.action in _ACTIONS
    ]
