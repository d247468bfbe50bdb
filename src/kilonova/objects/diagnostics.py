"""How a guest does just now (Compute API, "Show server diagnostics"). None stands for what a hypervisor can't tell."""

from types import MappingProxyType

import msgspec

from kilonova.objects.guest import GuestSpec, PowerState

STATES = MappingProxyType(
    {
        PowerState.NOSTATE: "pending",
        PowerState.RUNNING: "running",
        PowerState.PAUSED: "paused",
        PowerState.SHUTDOWN: "shutdown",
        PowerState.CRASHED: "crashed",
        PowerState.SUSPENDED: "suspended",
    }
)
"""What the API calls each power state here."""


class CpuDetails(msgspec.Struct, frozen=True, kw_only=True):
    """One processor of the guest."""

    id: int
    time: int | None = None
    """Nanoseconds that it has worked."""
    utilisation: int | None = None
    """Percent."""


class NicDetails(msgspec.Struct, frozen=True, kw_only=True):
    """One network card."""

    mac_address: str
    rx_octets: int | None = None
    rx_errors: int | None = None
    rx_drop: int | None = None
    rx_packets: int | None = None
    rx_rate: int | None = None
    tx_octets: int | None = None
    tx_errors: int | None = None
    tx_drop: int | None = None
    tx_packets: int | None = None
    tx_rate: int | None = None


class DiskDetails(msgspec.Struct, frozen=True, kw_only=True):
    """One disk, since the guest was started."""

    read_bytes: int | None = None
    read_requests: int | None = None
    write_bytes: int | None = None
    write_requests: int | None = None
    errors_count: int | None = None


class MemoryDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The guest's memory, in MiB."""

    maximum: int
    used: int | None = None


class Diagnostics(msgspec.Struct, frozen=True, kw_only=True):
    """One guest."""

    state: str
    """One of `STATES`."""
    driver: str
    hypervisor: str
    hypervisor_os: str
    uptime: int | None = None
    """Seconds since it was started."""
    num_cpus: int
    num_nics: int
    num_disks: int
    cpu_details: tuple[CpuDetails, ...]
    nic_details: tuple[NicDetails, ...]
    disk_details: tuple[DiskDetails, ...]
    memory_details: MemoryDetails


def diagnostics_of(spec: GuestSpec, power_state: PowerState, driver: str, hypervisor: str) -> Diagnostics:
    """What is known of a guest from what it was made of alone."""
    on_volume = any(volume.boot for volume in spec.volumes)
    disks = len(spec.volumes) + (0 if on_volume else 1)
    return Diagnostics(
        state=STATES[power_state],
        driver=driver,
        hypervisor=hypervisor,
        hypervisor_os="linux",
        num_cpus=spec.vcpus,
        num_nics=len(spec.nics),
        num_disks=disks,
        cpu_details=tuple(CpuDetails(id=number) for number in range(spec.vcpus)),
        nic_details=tuple(NicDetails(mac_address=nic.mac) for nic in spec.nics),
        disk_details=(DiskDetails(),) * disks,
        memory_details=MemoryDetails(maximum=spec.memory_mb),
    )
