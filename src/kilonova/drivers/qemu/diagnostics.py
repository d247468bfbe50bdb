"""How a guest does just now: what QEMU counts of its disks, and the kernel of the threads that are its processors."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from kilonova.drivers.driver import NoSuchGuest
from kilonova.drivers.qemu.guests import Guests
from kilonova.drivers.qemu.monitor import MonitorUnreachable, monitor_open
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.diagnostics import CpuDetails, Diagnostics, DiskDetails, diagnostics_of

_USER, _SYSTEM, _START = 11, 12, 19
"""Fields of a thread's `stat` after its name, in clock ticks (proc_pid_stat(5))."""


async def diagnostics(guests: Guests, host: HostName, server_id: ServerId) -> Diagnostics:
    """See `Driver.guest_diagnostics`."""
    record = guests.records.get(server_id)
    if host != guests.host or record is None:
        raise NoSuchGuest(host=host, action="tell how the guest does", server_id=server_id)
    found = diagnostics_of(record.spec, await guests.machine(record).look(), "qemu", "qemu")
    try:
        async with monitor_open(guests.dirs.path(server_id)) as monitor:
            blocks = await monitor.execute("query-blockstats")
            cpus = await monitor.execute("query-cpus-fast")
    except MonitorUnreachable:
        return found
    disks = tuple(_disk(block["stats"]) for block in blocks if block.get("qdev") or block.get("device"))
    threads = [int(cpu["thread-id"]) for cpu in cpus]
    times, uptime = await guests.runtime.run_blocking(_times, threads)
    details = tuple(CpuDetails(id=number, time=time) for number, time in enumerate(times))
    return msgspec.structs.replace(
        found, disk_details=disks, num_disks=len(disks), cpu_details=details, num_cpus=len(details), uptime=uptime
    )


def _disk(stats: dict[str, Any]) -> DiskDetails:
    return DiskDetails(
        read_bytes=stats["rd_bytes"],
        read_requests=stats["rd_operations"],
        write_bytes=stats["wr_bytes"],
        write_requests=stats["wr_operations"],
        errors_count=stats["failed_rd_operations"] + stats["failed_wr_operations"],
    )


def _times(threads: Sequence[int]) -> tuple[list[int | None], int | None]:
    """The nanoseconds that each thread has worked, and the seconds since the first was started. Blocks."""
    tick = os.sysconf("SC_CLK_TCK")
    stats = [_stat(thread) for thread in threads]
    worked = [None if not stat else (stat[_USER] + stat[_SYSTEM]) * 1_000_000_000 // tick for stat in stats]
    if not stats or not stats[0]:
        return worked, None
    up_s = float(Path("/proc/uptime").read_text().split()[0])
    return worked, max(0, int(up_s - stats[0][_START] / tick))


def _stat(thread: int) -> list[int]:
    """The numbers of a thread's `stat` after its name; empty when it has ended."""
    try:
        _, _, rest = Path(f"/proc/{thread}/stat").read_text().rpartition(")")
    except OSError:
        return []
    return [0, *(int(word) for word in rest.split()[1:])]
