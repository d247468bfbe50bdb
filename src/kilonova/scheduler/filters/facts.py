"""What a host says of itself, by the names that Nova gives these facts in extra specs and queries."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from kilonova.scheduler.hosts import HostState

FACTS: Mapping[str, Callable[[HostState], object]] = MappingProxyType(
    {
        "host": lambda host: host.name,
        "hypervisor_hostname": lambda host: host.name,
        "hypervisor_type": lambda host: host.hypervisor_type,
        "hypervisor_version": lambda host: host.hypervisor_version,
        "host_ip": lambda host: host.host_ip,
        "cpu_info": lambda host: host.cpu_info,
        "vcpus_total": lambda host: host.vcpus,
        "total_usable_ram_mb": lambda host: host.memory_mb,
        "total_usable_disk_gb": lambda host: host.disk_gb,
        "availability_zone": lambda host: host.zone,
    }
)
OWN_FACTS = frozenset({"host", "hypervisor_hostname", "host_ip"})
"""Those that hosts of the same kind differ in."""
LOAD_FACTS: Mapping[str, Callable[[HostState], object]] = MappingProxyType(
    {"num_instances": lambda host: host.load.servers, "num_io_ops": lambda host: host.load.io_ops}
)


def fact(host: HostState, path: Sequence[str], names: Mapping[str, Callable[[HostState], object]] = FACTS) -> object:
    """The fact at `path`, e.g. `cpu_info`, `topology`, `cores`; None when the host says nothing of it."""
    of_host = names.get(path[0])
    found = None if of_host is None else of_host(host)
    for name in path[1:]:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
