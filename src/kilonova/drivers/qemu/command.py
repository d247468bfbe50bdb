"""QEMU's command line for one guest: a pure function of what the guest is and where its parts are.

All paths are relative to the guest's own directory, in which QEMU starts: so it needs to reach nothing above it, whoever it
runs as. Formats are explicit, nothing is probed. Values that users choose are given as JSON or not at all. Every device has
its place on the bus, so that a guest's memory fits the machine that it comes back to.
"""

import json
from collections.abc import Mapping, Sequence

import msgspec

from kilonova.drivers.qemu.guest_dir import GuestRecord, Parts
from kilonova.drivers.qemu.networking import netdev_argument, netdev_name, netdev_options, ssh_nic
from kilonova.drivers.qemu.volumes import node_name
from kilonova.objects.guest import GuestNic, GuestVolume

DISK = "disk.qcow2"
BASE = "base"
KERNEL = "kernel"
RAMDISK = "ramdisk"
CONFIG_DRIVE = "config.iso"

CONSOLE_ID = "console"
CONSOLE_BUFFER = 1024 * 1024
"""Bytes of serial output that QEMU itself keeps until they are fetched; older ones give way. A power of two."""
ROOT_NODE = "root"
"""The block node of the disk that the guest boots from."""
OWN_NODE = "own"
"""That of the guest's own root disk while it is rescued."""
SOCKETS = 24
"""How many cards and volumes can be plugged in."""
AGENT_PORT = "org.qemu.guest_agent.0"
"""The name under which a guest agent looks for its channel (QEMU guest agent's documentation)."""

_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
_CONFIG_NODE = "config"
_RANDOM_AT, _ROOT_AT, _SECOND_AT, _CHANNELS_AT, _CONFIG_AT, _SOCKETS_AT = 1, 2, 3, 4, 5, 8
"""Places on the machine's own bus."""
_FUNCTIONS = 8
_SERIAL_LENGTH = 20
"""Characters of a disk's serial number (virtio specification, "Block Device")."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line needs beside the guest's record."""

    binary: str
    accelerator: str
    """`kvm` or `tcg`."""
    monitor_fd: int
    """Descriptor of the listening socket for QMP, inherited by QEMU."""
    agent_fd: int
    """Descriptor of the listening socket of the guest agent's channel."""
    volume_nodes: Mapping[str, Mapping[str, object]]
    """The block node of each volume, by its id."""
    volume_fds: Mapping[int, int]
    """Descriptors that QEMU inherits for them, by the number of the set."""
    incoming: str | None = None
    """Where the guest's memory comes from, as QEMU says it, when it doesn't begin anew."""


def guest_command(record: GuestRecord, launch: Launch) -> list[str]:
    """The words of the command.

    Raises:
        ValueError: the spec's addresses don't make a network.
    """
    spec = record.spec
    command = [launch.binary, *machine_words(launch.accelerator)]
    command += ["-name", f"guest={spec.server_id}", "-uuid", spec.server_id]
    command += ["-smp", str(spec.vcpus), "-m", f"{spec.memory_mb}M", "-rtc", "base=utc"]
    command += ["-sandbox", _SANDBOX, "-no-shutdown"]
    command += _channel_words(launch)
    command += ["-object", "rng-random,id=rng0,filename=/dev/urandom"]
    command += ["-device", _device("virtio-rng-pci", addr=_RANDOM_AT, rng="rng0")]
    for socket in range(SOCKETS):
        command += ["-device", _socket(socket)]
    command += _disks_words(record)
    for volume in spec.volumes:
        command += _volume_words(record, volume, launch)
    for descriptor_set, descriptor in launch.volume_fds.items():
        command += ["-add-fd", f"fd={descriptor},set={descriptor_set}"]
    for index, nic in enumerate(spec.nics):
        port = record.ssh_port if index == ssh_nic(spec.nics) else None
        slot = record.slots[nic.port_id]
        command += ["-netdev", netdev_argument(netdev_options(slot, nic, port))]
        command += ["-device", json.dumps(nic_device(slot, nic))]
    return command + (["-incoming", launch.incoming] if launch.incoming else [])


def serve_command(binary: str, record: GuestRecord, monitor_fd: int, files: Sequence[str]) -> list[str]:
    """The words of a QEMU without a machine that serves files of a guest; the block nodes are named as `served_node` says."""
    command = [binary, "-machine", "none", "-nodefaults", "-no-user-config", "-display", "none", "-sandbox", _SANDBOX]
    command += ["-name", f"guest={record.server_id}", "-uuid", record.server_id]
    command += [
        "-chardev",
        f"socket,id=monitor,fd={monitor_fd},server=on,wait=off",
        "-mon",
        "chardev=monitor,mode=control",
    ]
    for index, name in enumerate(files):
        file = _file_node(record.parts, name, read_only=True)
        command += _nodes([{"driver": "raw", "node-name": served_node(index), "read-only": True, "file": file}])
    return command


def served_node(index: int) -> str:
    """The name of the block node of a file that is served, by its place among them."""
    return f"file{index}"


def machine_words(accelerator: str) -> list[str]:
    """Machine, processor and accelerator: what the probe tries is what guests get."""
    cpu, accel = ("host", "kvm") if accelerator == "kvm" else ("max", "tcg,tb-size=256")
    return ["-machine", "q35", "-accel", accel, "-cpu", cpu, "-nodefaults", "-no-user-config", "-display", "none"]


def nic_device(slot: int, nic: GuestNic) -> dict[str, object]:
    """A card in a socket, as `device_add` takes it."""
    card = {"driver": "virtio-net-pci", "id": nic_name(slot), "bus": _socket_name(slot), "netdev": netdev_name(slot)}
    return card | {"mac": nic.mac} | ({"host_mtu": nic.mtu} if nic.mtu > 0 else {})


def nic_name(slot: int) -> str:
    """The name of the card in a socket."""
    return f"nic{slot}"


def volume_device(slot: int, volume: GuestVolume) -> dict[str, object]:
    """A volume in a socket, as `device_add` takes it."""
    place: dict[str, object] = {"driver": "virtio-blk-pci", "id": volume_name(slot), "bus": _socket_name(slot)}
    return place | _volume_properties(volume)


def volume_name(slot: int) -> str:
    """The name of the disk in a socket."""
    return f"disk{slot}"


def root_blocks(parts: Parts, node: str = ROOT_NODE) -> list[dict[str, object]]:
    """The block nodes of a root disk, the base first: a qcow2 overlay of the guest's own, over what the cache has verified.

    The base is named here, node by node, so what the overlay's header says of it plays no part.
    """
    root: dict[str, object] = {
        "driver": "qcow2",
        "node-name": node,
        "discard": "unmap",
        "file": _file_node(parts, DISK),
    }
    if parts.base_format is None:
        return [root | {"backing": None}]
    base: dict[str, object] = {
        "driver": parts.base_format,
        "node-name": f"{node}-{BASE}",
        "read-only": True,
        "file": _file_node(parts, BASE, read_only=True),
    }
    return [base, root | {"backing": f"{node}-{BASE}"}]


def _channel_words(launch: Launch) -> list[str]:
    """Monitor, serial console, and the channel to a guest agent."""
    words = ["-chardev", f"socket,id=monitor,fd={launch.monitor_fd},server=on,wait=off"]
    words += ["-mon", "chardev=monitor,mode=control"]
    words += ["-chardev", f"ringbuf,id={CONSOLE_ID},size={CONSOLE_BUFFER}", "-serial", f"chardev:{CONSOLE_ID}"]
    words += ["-chardev", f"socket,id=agent,fd={launch.agent_fd},server=on,wait=off"]
    words += ["-device", _device("virtio-serial-pci", id="channels", addr=_CHANNELS_AT)]
    return [*words, "-device", json.dumps({"driver": "virtserialport", "chardev": "agent", "name": AGENT_PORT})]


def _socket_name(slot: int) -> str:
    return f"socket{slot}"


def _socket(slot: int) -> str:
    """One place to plug in: a port of its own on the bus, because only there can something come and go."""
    place = f"{_SOCKETS_AT + slot // _FUNCTIONS:#x}.{slot % _FUNCTIONS:#x}"
    port = {"driver": "pcie-root-port", "id": _socket_name(slot), "bus": "pcie.0", "addr": place, "chassis": slot + 1}
    return json.dumps({**port, "multifunction": True, "io-reserve": 0})


def _disks_words(record: GuestRecord) -> list[str]:
    """Root disk, the guest's own one as second while it is rescued, kernel, config drive."""
    parts = record.rescue.parts if record.rescue else record.parts
    words: list[str] = []
    if parts.disk:
        words += _nodes(root_blocks(parts))
        # Another host writes to the disk of a guest that it sends, until the guest goes on here.
        shared = {"share-rw": True} if record.incoming else {}
        words += ["-device", _device("virtio-blk-pci", addr=_ROOT_AT, drive=ROOT_NODE, bootindex=1, **shared)]
    if record.rescue and record.parts.disk:
        words += _nodes(root_blocks(record.parts, OWN_NODE))
        words += ["-device", _device("virtio-blk-pci", addr=_SECOND_AT, drive=OWN_NODE)]
    if parts.kernel:
        words += _kernel_words(parts)
    if parts.config_drive:
        file = _file_node(parts, CONFIG_DRIVE, read_only=True)
        words += _nodes([{"driver": "raw", "node-name": _CONFIG_NODE, "read-only": True, "file": file}])
        words += ["-device", _device("virtio-blk-pci", addr=_CONFIG_AT, drive=_CONFIG_NODE)]
    return words


def _volume_words(record: GuestRecord, volume: GuestVolume, launch: Launch) -> list[str]:
    words = ["-blockdev", json.dumps(launch.volume_nodes[volume.volume_id])]
    if not volume.boot:
        return [*words, "-device", json.dumps(volume_device(record.slots[volume.volume_id], volume))]
    if record.rescue:
        return [*words, "-device", _device("virtio-blk-pci", addr=_SECOND_AT, **_volume_properties(volume))]
    return [*words, "-device", _device("virtio-blk-pci", addr=_ROOT_AT, bootindex=1, **_volume_properties(volume))]


def _volume_properties(volume: GuestVolume) -> dict[str, object]:
    return {"drive": node_name(volume.volume_id), "serial": volume.volume_id[:_SERIAL_LENGTH]}


def _nodes(nodes: list[dict[str, object]]) -> list[str]:
    return [word for node in nodes for word in ("-blockdev", json.dumps(node))]


def _file_node(parts: Parts, filename: str, *, read_only: bool = False) -> dict[str, object]:
    return {"driver": "file", "filename": f"{parts.folder}/{filename}", "read-only": read_only}


def _kernel_words(parts: Parts) -> list[str]:
    words = ["-kernel", f"{parts.folder}/{KERNEL}"]
    if parts.ramdisk:
        words += ["-initrd", f"{parts.folder}/{RAMDISK}"]
    return [*words, "-append", f"console=ttyS0 root=/dev/vda {parts.cmdline}".strip()]


def _device(driver: str, *, addr: int, **properties: object) -> str:
    return json.dumps({"driver": driver, "bus": "pcie.0", "addr": f"{addr:#x}", **properties})
