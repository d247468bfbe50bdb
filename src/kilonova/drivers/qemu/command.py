"""QEMU's command line for one guest: a pure function of what the guest is and where its parts are.

All paths are relative to the guest's own directory, in which QEMU starts: so it needs to reach nothing above it, whoever it
runs as. Formats are explicit, nothing is probed. Values that users choose are given as JSON or not at all.
"""

import json

import msgspec

from kilonova.drivers.qemu.networking import netdev_argument, ssh_nic
from kilonova.objects.guest import GuestNic, GuestSpec

DISK = "disk.qcow2"
BASE = "base"
KERNEL = "kernel"
RAMDISK = "ramdisk"
CONFIG_DRIVE = "config.iso"

CONSOLE_ID = "console"
CONSOLE_BUFFER = 1024 * 1024
"""Bytes of serial output that QEMU itself keeps until they are fetched; older ones give way. A power of two."""

_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
_ROOT_NODE = "root"
_CONFIG_NODE = "config"


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line needs beside the guest's spec."""

    binary: str
    accelerator: str
    """`kvm` or `tcg`."""
    monitor_fd: int
    """Descriptor of the listening socket for QMP, inherited by QEMU."""
    base_format: str | None
    """Format of the file `base` under the root disk; None when the disk stands alone."""
    has_disk: bool
    has_config_drive: bool
    ssh_port: int | None


def guest_command(spec: GuestSpec, launch: Launch) -> list[str]:
    """The words of the command.

    Raises:
        ValueError: the spec's addresses don't make a network.
    """
    command = [launch.binary, *machine_words(launch.accelerator)]
    command += ["-name", f"guest={spec.server_id}", "-uuid", spec.server_id]
    command += ["-smp", str(spec.vcpus), "-m", f"{spec.memory_mb}M", "-rtc", "base=utc"]
    command += ["-sandbox", _SANDBOX, "-no-shutdown"]
    command += _monitor_words(launch.monitor_fd)
    command += ["-chardev", f"ringbuf,id={CONSOLE_ID},size={CONSOLE_BUFFER}", "-serial", f"chardev:{CONSOLE_ID}"]
    command += ["-object", "rng-random,id=rng0,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng0"]
    if launch.has_disk:
        command += _disk_words(launch.base_format)
    if launch.has_config_drive:
        command += _config_drive_words()
    if spec.kernel:
        command += _kernel_words(spec)
    for index, nic in enumerate(spec.nics):
        port = launch.ssh_port if index == ssh_nic(spec.nics) else None
        command += _nic_words(index, nic, port)
    return command


def machine_words(accelerator: str) -> list[str]:
    """Machine, processor and accelerator: what the probe tries is what guests get."""
    cpu, accel = ("host", "kvm") if accelerator == "kvm" else ("max", "tcg,tb-size=256")
    return ["-machine", "q35", "-accel", accel, "-cpu", cpu, "-nodefaults", "-no-user-config", "-display", "none"]


def _monitor_words(descriptor: int) -> list[str]:
    socket = f"socket,id=monitor,fd={descriptor},server=on,wait=off"
    return ["-chardev", socket, "-mon", "chardev=monitor,mode=control"]


def _disk_words(base_format: str | None) -> list[str]:
    """The root disk: a qcow2 overlay of the guest's own, over the base that the cache has verified.

    The base is named here, node by node, so what the overlay's header says of it plays no part.
    """
    words: list[str] = []
    root = {"driver": "qcow2", "node-name": _ROOT_NODE, "discard": "unmap", "file": _file_node(DISK)}
    if base_format is not None:
        base = {"driver": base_format, "node-name": BASE, "read-only": True, "file": _file_node(BASE, read_only=True)}
        words += ["-blockdev", json.dumps(base)]
        root["backing"] = BASE
    words += ["-blockdev", json.dumps(root)]
    return [*words, "-device", _device("virtio-blk-pci", drive=_ROOT_NODE, bootindex=1)]


def _config_drive_words() -> list[str]:
    node = {
        "driver": "raw",
        "node-name": _CONFIG_NODE,
        "read-only": True,
        "file": _file_node(CONFIG_DRIVE, read_only=True),
    }
    return ["-blockdev", json.dumps(node), "-device", _device("virtio-blk-pci", drive=_CONFIG_NODE)]


def _file_node(filename: str, *, read_only: bool = False) -> dict[str, object]:
    return {"driver": "file", "filename": filename, "read-only": read_only}


def _kernel_words(spec: GuestSpec) -> list[str]:
    words = ["-kernel", KERNEL]
    if spec.ramdisk:
        words += ["-initrd", RAMDISK]
    return [*words, "-append", f"console=ttyS0 root=/dev/vda {spec.cmdline}".strip()]


def _nic_words(index: int, nic: GuestNic, ssh_port: int | None) -> list[str]:
    card: dict[str, object] = {"netdev": f"nic{index}", "mac": nic.mac}
    if nic.mtu > 0:
        card["host_mtu"] = nic.mtu
    return ["-netdev", netdev_argument(index, nic, ssh_port), "-device", _device("virtio-net-pci", **card)]


def _device(driver: str, **properties: object) -> str:
    return json.dumps({"driver": driver, **properties})
