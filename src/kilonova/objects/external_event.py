"""What another service tells of a server (Compute API, "Create external events")."""

from typing import Literal

import msgspec

EventName = Literal[
    "network-changed",
    "network-vif-plugged",
    "network-vif-unplugged",
    "network-vif-deleted",
    "volume-extended",
    "power-update",
    "accelerator-request-bound",
    "volume-reimaged",
]
"""Every name that any microversion knows."""


class ExternalEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event."""

    name: EventName
    status: str
    """`completed`, `failed`, `in-progress`."""
    tag: str
    """What it is about, e.g. a port's or volume's id; may be empty."""
