"""How a hypervisor is told: the newest shape, with what older microversions show besides."""

from collections.abc import Iterable, Mapping
from typing import Any

from kilonova.api.shapes import ANYTHING, TEXT, UUID, WHOLE, Gives, by_key, listed, obj, or_null, shaped, words
from kilonova.cells.hosts import HostUsage
from kilonova.kernel.ids import HostName
from kilonova.kernel.versions import Doc
from kilonova.objects.host import Host

SERVERS = listed(obj({"name": TEXT, "uuid": UUID}))
_BRIEF = {
    "id": UUID,
    "hypervisor_hostname": TEXT,
    "state": words("up", "down"),
    "status": words("enabled", "disabled"),
    "servers?": SERVERS,
}
_RESOURCES = (
    *("vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb", "local_gb", "local_gb_used"),
    *("free_disk_gb", "disk_available_least", "running_vms", "current_workload"),
)
BRIEF = shaped(obj(_BRIEF), "hypervisor")
HYPERVISOR = shaped(
    obj(
        {
            **_BRIEF,
            "hypervisor_type": TEXT,
            "hypervisor_version": WHOLE,
            "host_ip": TEXT,
            "service": obj({"id": UUID, "host": TEXT, "disabled_reason": or_null(TEXT)}),
            "uptime": or_null(TEXT),
            "cpu_info": by_key(ANYTHING),
            **dict.fromkeys(_RESOURCES, WHOLE),
        }
    ),
    "hypervisor",
)
SEARCHED = obj({**_BRIEF, "id": WHOLE})
"""As searches by path told one, until 2.52."""
_UP = {**_BRIEF, "uptime": TEXT}
UPTIMES = (
    Gives(body=obj({"hypervisor": obj({**_UP, "id": WHOLE})}), until="2.52"),
    Gives(body=obj({"hypervisor": obj(_UP)}), since="2.53"),
)
STATISTICS = obj(dict.fromkeys(("count", *_RESOURCES), WHOLE))
UNUSED = HostUsage(vcpus=0, memory_mb=0, disk_gb=0, servers=0)


def brief(host: Host, now: float) -> Doc:
    """A hypervisor in brief lists."""
    return {
        "id": host.uuid,
        "hypervisor_hostname": host.name,
        "state": "up" if host.up(now) else "down",
        "status": "enabled" if host.enabled else "disabled",
    }


def uptime(host: Host, now: float) -> str | None:
    """How long a host has been up, e.g. `up 3 days, 2:04`; None where that is not known, and of a host that is down."""
    started = host.description.booted_at
    if started is None or not host.up(now):
        return None
    minutes = max(0, int(now - started)) // 60
    days, of_day = divmod(minutes, 24 * 60)
    return f"up {days} days, {of_day // 60}:{of_day % 60:02}"


def document(host: Host, now: float, usage: HostUsage) -> Doc:
    """All there is to tell of a hypervisor; `usage` is shown before 2.88 only."""
    described = host.description
    service = {"id": host.service_uuid, "host": host.name, "disabled_reason": host.disabled_reason}
    return brief(host, now) | {
        "hypervisor_type": described.hypervisor_type,
        "hypervisor_version": described.hypervisor_version,
        "host_ip": described.host_ip,
        "service": service,
        "uptime": uptime(host, now),
        "cpu_info": described.cpu_info,
        **_resources(host, usage),
    }


def statistics(hosts: Iterable[Host], used: Mapping[HostName, HostUsage], now: float) -> dict[str, Any]:
    """The sums over all hypervisors that take servers."""
    told = {
        "count": 0,
        "current_workload": 0,
        "disk_available_least": 0,
        "free_disk_gb": 0,
        "free_ram_mb": 0,
        "local_gb": 0,
        "local_gb_used": 0,
        "memory_mb": 0,
        "memory_mb_used": 0,
        "running_vms": 0,
        "vcpus": 0,
        "vcpus_used": 0,
    }
    for host in hosts:
        if host.enabled and host.up(now):
            told["count"] += 1
            for name, value in _resources(host, used.get(host.name, UNUSED)).items():
                told[name] += value
    return told


def _resources(host: Host, usage: HostUsage) -> dict[str, int]:
    described = host.description
    memory_used = usage.memory_mb + described.reserved_memory_mb
    free_disk = described.disk_gb - usage.disk_gb
    return {
        "vcpus": described.vcpus,
        "vcpus_used": usage.vcpus,
        "memory_mb": described.memory_mb,
        "memory_mb_used": memory_used,
        "free_ram_mb": described.memory_mb - memory_used,
        "local_gb": described.disk_gb,
        "local_gb_used": usage.disk_gb,
        "free_disk_gb": free_disk,
        "disk_available_least": free_disk,
        "running_vms": usage.servers,
        "current_workload": 0,
    }
