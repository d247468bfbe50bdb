"""2.88: Hypervisors no longer show usage, which is what placement is for, and show their uptime."""

from kilonova.kernel.versions import Change, added, withdrawn

CHANGES: tuple[Change, ...] = (
    added("hypervisor", "uptime", name="hypervisor-uptime", why="Hypervisors show their uptime."),
    withdrawn(
        "hypervisor",
        "cpu_info",
        "current_workload",
        "disk_available_least",
        "free_disk_gb",
        "free_ram_mb",
        "local_gb",
        "local_gb_used",
        "memory_mb",
        "memory_mb_used",
        "running_vms",
        "vcpus",
        "vcpus_used",
        name="hypervisor-usage-gone",
        why="What hypervisors have and use is told by placement.",
        effect=True,
    ),
)
