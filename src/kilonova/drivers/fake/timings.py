"""How long the fake hypervisor takes, and what it refuses."""

from collections import deque

import msgspec

from kilonova.drivers.driver import HypervisorFailure
from kilonova.kernel.ids import HostName


class FakeTimings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that each action of the fake hypervisor takes."""

    boot_s: float = 0.0
    """To make a guest, also from another image or from another host's disks."""
    start_s: float = 0.0
    stop_s: float = 0.0
    reboot_s: float = 0.0
    destroy_s: float = 0.0
    migrate_s: float = 0.0
    """To migrate a guest while it runs."""
    change_s: float = 0.0
    """For everything else, e.g. to pause a guest or to plug in a volume."""

    @classmethod
    def of_all(cls, seconds: float) -> "FakeTimings":
        """The same for each action."""
        return cls(**dict.fromkeys(cls.__struct_fields__, seconds))

    def of(self, action: str) -> float:
        """Seconds for a method of the driver."""
        own: dict[str, float] = {
            "guest_ensure": self.boot_s,
            "guest_rebuild": self.boot_s,
            "guest_rescue": self.boot_s,
            "guest_receive": self.boot_s,
            "guest_start": self.start_s,
            "guest_stop": self.stop_s,
            "guest_reboot": self.reboot_s,
            "guest_destroy": self.destroy_s,
        }
        return own.get(action, self.change_s)


class FakeFaults:
    """Failures that are ordered ahead of time, each for one call of one action."""

    def __init__(self) -> None:
        """Begin with none."""
        self._ordered: dict[str, deque[str]] = {}

    def fail_next(self, action: str, *, times: int = 1, reason: str = "the fake hypervisor was told to fail") -> None:
        """Make the next `times` calls of `action` fail; `action` is the name of the driver's method, `guest_ensure`."""
        self._ordered.setdefault(action, deque()).extend([reason] * times)

    def check(self, host: HostName, action: str) -> None:
        """Raise `HypervisorFailure` when a failure of `action` was ordered, and use it up."""
        ordered = self._ordered.get(action)
        if ordered:
            raise HypervisorFailure(host=host, action=action.replace("_", " "), reason=ordered.popleft())
