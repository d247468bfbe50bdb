"""What clients ask of a server, by the status in which it makes sense, as bodies of `POST /servers/{id}/action`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Furnished:
    """What servers are made from."""

    boot: Mapping[str, Any]
    """The keys of a `POST /servers`."""
    flavors: tuple[str, str]
    """Servers are resized from one to the other."""

    @property
    def image(self) -> str:
        """What they are rebuilt from."""
        return str(self.boot["imageRef"])

    @property
    def network(self) -> str:
        """Where they get more cards."""
        return str(self.boot["networks"][0]["uuid"])

    @property
    def most_ram(self) -> int:
        """What a server counts that may have either flavor, in MB."""
        return LARGE_MB

    def other_flavor(self, server: Mapping[str, Any]) -> str:
        """The one that a server doesn't have, by its memory, as `GET /servers/{id}` shows it."""
        small, large = self.flavors
        return large if server["flavor"]["ram"] == SMALL_MB else small


SMALL_MB, LARGE_MB = 64, 96
"""The memory of the two flavors."""
Body = Callable[[Furnished, Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Action:
    """One action."""

    key: str
    """Its name in the body."""
    value: Body = lambda _made, _server: None
    by_admin: bool = False
    ends_in: str | None = None
    """The status of a server for which nothing was done after it; None where that depends on what it was."""


def _fixed(value: Any) -> Body:
    return lambda _made, _server: value


ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "stop": Action("os-stop", ends_in="SHUTOFF"),
        "start": Action("os-start", ends_in="ACTIVE"),
        "reboot": Action("reboot", _fixed({"type": "SOFT"}), ends_in="ACTIVE"),
        "reboot_hard": Action("reboot", _fixed({"type": "HARD"}), ends_in="ACTIVE"),
        "pause": Action("pause", ends_in="PAUSED"),
        "unpause": Action("unpause", ends_in="ACTIVE"),
        "suspend": Action("suspend", ends_in="SUSPENDED"),
        "resume": Action("resume", ends_in="ACTIVE"),
        "rescue": Action("rescue", _fixed({}), ends_in="RESCUE"),
        "unrescue": Action("unrescue", ends_in="ACTIVE"),
        "shelve": Action("shelve", ends_in="SHELVED_OFFLOADED"),
        "unshelve": Action("unshelve", ends_in="ACTIVE"),
        "resize": Action("resize", lambda made, it: {"flavorRef": made.other_flavor(it)}, ends_in="VERIFY_RESIZE"),
        "migration": Action("migrate", by_admin=True, ends_in="VERIFY_RESIZE"),
        "confirm_resize": Action("confirmResize"),
        "revert_resize": Action("revertResize"),
        "live_migration": Action(
            "os-migrateLive", _fixed({"host": None, "block_migration": "auto"}), by_admin=True, ends_in="ACTIVE"
        ),
        "snapshot": Action("createImage", lambda _made, it: {"name": f"of {it['name']}"}),
        "rebuild": Action("rebuild", lambda made, _it: {"imageRef": made.image}),
    }
)
ATTACH, DETACH = "attach_interface", "detach_interface"
"""These have routes of their own."""

SUITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ACTIVE": (
            *("stop", "reboot", "reboot_hard", "pause", "suspend", "rescue", "shelve", "resize", "resize"),
            *("migration", "live_migration", "snapshot", "rebuild", ATTACH, DETACH),
        ),
        "SHUTOFF": ("start", "start", "reboot_hard", "resize", "migration", "shelve", "snapshot", "rebuild", ATTACH),
        "PAUSED": ("unpause",),
        "SUSPENDED": ("resume",),
        "RESCUE": ("unrescue",),
        "SHELVED_OFFLOADED": ("unshelve",),
        "VERIFY_RESIZE": ("confirm_resize", "revert_resize"),
        "ERROR": ("reboot_hard", "rebuild"),
    }
)
EVERY = (*ACTIONS, ATTACH, DETACH)
