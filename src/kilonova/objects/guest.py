"""What a hypervisor is told of a guest, and what it shows of one."""

import enum
from typing import Any

import msgspec

from kilonova.kernel.ids import CellId, HostName, ServerId
from kilonova.objects.numa import GuestCell, HostNode
from kilonova.objects.pci import HostDevice


class PowerState(enum.IntEnum):
    """What the hypervisor shows; the numbers are those of the Compute API (`OS-EXT-STS:power_state`)."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4
    CRASHED = 6
    SUSPENDED = 7


class GuestImage(msgspec.Struct, frozen=True, kw_only=True):
    """One image whose content a guest needs: its disk, kernel or ramdisk."""

    id: str
    disk_format: str
    """As declared to the image service and checked by it: `raw`, `qcow2`, `aki`, `ari`."""
    size: int
    """Bytes of the content."""
    sha512: str
    """Hex digest of the content; the agent verifies it before any tool opens the file."""


class GuestNic(msgspec.Struct, frozen=True, kw_only=True):
    """One network card: the port's own MAC and addresses, and the subnet it sits in."""

    port_id: str
    network_id: str
    mac: str
    mtu: int
    addresses: tuple["GuestAddress", ...]


class GuestAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One fixed IP of a card."""

    address: str
    version: int
    cidr: str
    """The subnet, e.g. `10.0.0.0/24`."""
    gateway: str | None
    dns: tuple[str, ...]


class GuestVolume(msgspec.Struct, frozen=True, kw_only=True):
    """One volume of the block storage service, as a guest uses it."""

    volume_id: str
    attachment_id: str
    connection: dict[str, Any]
    """How to reach it: `driver_volume_type` and `data` (Cinder API, "Attachments", `connection_info`)."""
    device: str
    """Its name for users, e.g. `/dev/vdb`."""
    read_only: bool = False
    boot: bool = False
    """Whether the guest's root disk is this volume."""


class GuestSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a driver needs to make one guest."""

    server_id: ServerId
    generation: int
    """Counts the wishes about this guest; a driver refuses to act on an older one than it has stored."""
    name: str
    hostname: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    """Size of the root disk; 0 means the size of the image."""
    image: GuestImage | None
    kernel: GuestImage | None
    ramdisk: GuestImage | None
    cmdline: str
    """Extra words for a directly booted kernel, from the image's `os_command_line`."""
    nics: tuple[GuestNic, ...]
    config_drive: dict[str, bytes]
    """Files of the config drive by path, e.g. `openstack/latest/meta_data.json`; a disk labelled `config-2`."""
    project_id: str
    user_id: str
    flavor_name: str
    volumes: tuple[GuestVolume, ...] = ()
    cell_id: CellId = CellId("")
    """Of the cell that it is made for: its mark, kept with it; empty for guests that older versions made."""
    numa: tuple[GuestCell, ...] = ()
    """Its NUMA nodes; none when it has no topology to keep to."""
    devices: tuple[str, ...] = ()
    """Addresses of its host's PCI devices that it is given."""


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """What the hypervisor shows of one guest."""

    server_id: ServerId
    host: HostName
    generation: int
    power_state: PowerState
    ssh_port: int | None = None
    """Loopback port of this machine that leads to the guest's port 22, where the driver makes one."""
    cell_id: CellId = CellId("")
    """As its spec said."""
    resized: bool = False
    """Whether what it was before a resize is kept, neither confirmed nor reverted."""


class HostDescription(msgspec.Struct, frozen=True, kw_only=True):
    """One hypervisor host as its driver sees it: the host's own resources, not a guess."""

    name: HostName
    hypervisor_type: str
    """`QEMU`, `fake`."""
    hypervisor_version: int
    """Major * 1,000,000 + minor * 1,000 + micro."""
    vcpus: int
    memory_mb: int
    disk_gb: int
    host_ip: str
    cpu_info: dict[str, object]
    traits: tuple[str, ...] = ()
    """Names of os-traits that this host has."""
    reserved_memory_mb: int = 0
    reserved_disk_gb: int = 0
    cpu_allocation_ratio: float = 4.0
    memory_allocation_ratio: float = 1.0
    disk_allocation_ratio: float = 1.0
    storage: str | None = None
    """Names the place where guests' disks lie; hosts that say the same share them. None: nobody else sees them."""
    numa: tuple[HostNode, ...] = ()
    """Its NUMA nodes, which then have all its processors and memory; none when they are not told apart."""
    pci: tuple[HostDevice, ...] = ()
    """PCI devices that it may give to guests."""
    connector: dict[str, Any] = {}
    """What the volume service needs to know of this host to connect a volume (Cinder API, "Attachments", `connector`)."""
    booted_at: float | None = None
    """When the machine was started, seconds since the epoch; None where that can't be told."""
