"""What this machine has to give: processors and memory as far as its control group lets us, and the disk of the state."""

import os
import platform
import shutil
from pathlib import Path

import msgspec

GIB = 1024**3
MIB = 1024**2

_CGROUPS = Path("/sys/fs/cgroup")


class Share(msgspec.Struct, frozen=True):
    """Which part of the machine a host has. All parts together are the machine."""

    number: int = 1
    """Of this host among the machine's, from 1."""
    hosts: int = 1

    def of(self, total: int) -> int:
        """This host's part of `total`, which is dealt out whole and as evenly as whole numbers can be."""
        return total * self.number // self.hosts - total * (self.number - 1) // self.hosts


WHOLE = Share()
"""All of the machine, for its only host."""


def vcpus() -> int:
    """Processors that this process may use: its affinity, and its control group's quota rounded down, at least 1."""
    count = len(os.sched_getaffinity(0))
    for group in _own_cgroups():
        quota, _, period = _read(group / "cpu.max").partition(" ")
        if quota.isdecimal() and period.strip().isdecimal():
            count = min(count, int(quota) // int(period))
    return max(1, count)


def memory_mb() -> int:
    """Memory of the machine, or of the control group when that has less."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [int(text) for group in _own_cgroups() if (text := _read(group / "memory.max").strip()).isdecimal()]
    return min([total, *limits]) // MIB


def disk_gb(directory: Path) -> int:
    """Size of the file system that holds `directory`."""
    return shutil.disk_usage(directory).total // GIB


def booted_at() -> float | None:
    """When the machine was started (`btime`, proc_stat(5)), seconds since the epoch."""
    for line in _read(Path("/proc/stat")).splitlines():
        name, _, value = line.partition(" ")
        if name == "btime":
            return float(value)
    return None


def cpu_info() -> dict[str, object]:
    """The processor as the Compute API shows it (`cpu_info` of os-hypervisors)."""
    first = _read(Path("/proc/cpuinfo")).partition("\n\n")[0]
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    return {
        "arch": platform.machine(),
        "model": facts.get("model name", "unknown"),
        "vendor": facts.get("vendor_id", "unknown"),
        "features": facts.get("flags", "").split(),
        "topology": {"sockets": 1, "cores": os.cpu_count() or 1, "threads": 1},
    }


def _own_cgroups() -> list[Path]:
    """The control group of this process (version 2) and those above it, whose limits hold as well."""
    own = _read(Path("/proc/self/cgroup")).partition("0::/")[2].partition("\n")[0]
    group = _CGROUPS / own
    return [group, *(parent for parent in group.parents if parent.is_relative_to(_CGROUPS))]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
