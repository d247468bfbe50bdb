"""The command line of a guest."""

import json
from typing import Any

import msgspec
import pytest

from kilonova.drivers.qemu.builder import slots_for
from kilonova.drivers.qemu.command import Launch, guest_command
from kilonova.drivers.qemu.guest_dir import GuestRecord, Parts, Rescue
from kilonova.drivers.qemu.machine import memory_address
from kilonova.drivers.qemu.volumes import volume_node
from kilonova.objects.guest import GuestSpec, GuestVolume
from kilonova.testing.guests import SERVER, guest_spec

PARTS = Parts(
    folder="parts-1",
    disk=True,
    base_format="raw",
    kernel=False,
    ramdisk=False,
    cmdline="",
    config_drive=True,
    image_names=(),
)
NBD = {"driver_volume_type": "nbd", "data": {"host": "storage", "port": 10809, "export": "v"}}
VOLUME = GuestVolume(volume_id="volume", attachment_id="attachment", connection=NBD, device="/dev/vdb")


def record(parts: Parts = PARTS, **changes: Any) -> GuestRecord:
    spec: GuestSpec = guest_spec(None, **changes)
    return GuestRecord(
        spec=spec,
        generation=1,
        running=True,
        rebooted=0,
        parts=parts,
        ssh_port=40022,
        uid=None,
        slots=slots_for(spec.nics, spec.volumes, {}),
    )


def command_of(guest: GuestRecord, accelerator: str = "tcg") -> list[str]:
    launch = Launch(
        binary="/usr/bin/qemu-system-x86_64",
        accelerator=accelerator,
        monitor_fd=9,
        agent_fd=10,
        volume_nodes={volume.volume_id: volume_node(volume, None, None) for volume in guest.spec.volumes},
        volume_fds={},
    )
    return guest_command(guest, launch)


def values(command: list[str], option: str) -> list[str]:
    return [command[index + 1] for index, word in enumerate(command) if word == option]


def blocks(command: list[str]) -> dict[str, dict[str, Any]]:
    return {node["node-name"]: node for node in map(json.loads, values(command, "-blockdev"))}


def devices(command: list[str], driver: str) -> list[dict[str, Any]]:
    return [found for found in map(json.loads, values(command, "-device")) if found["driver"] == driver]


def test_command__any_guest__is_sandboxed_and_has_its_size() -> None:
    command = command_of(record(vcpus=3, memory_mb=768))
    assert values(command, "-sandbox") == ["on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
    assert values(command, "-smp") == ["3"]
    assert values(command, "-m") == ["768M"]
    assert values(command, "-uuid") == [SERVER]


@pytest.mark.parametrize(("accelerator", "cpu"), [("kvm", "host"), ("tcg", "max")])
def test_command__accelerator__decides_the_processor(accelerator: str, cpu: str) -> None:
    command = command_of(record(), accelerator)
    assert values(command, "-cpu") == [cpu]
    assert values(command, "-accel")[0].startswith(accelerator)


def test_command__overlay__names_its_base_and_every_format() -> None:
    nodes = blocks(command_of(record()))
    assert (nodes["root"]["driver"], nodes["root"]["backing"]) == ("qcow2", "root-base")
    assert (nodes["root-base"]["driver"], nodes["root-base"]["read-only"]) == ("raw", True)
    assert (nodes["config"]["driver"], nodes["config"]["read-only"]) == ("raw", True)


def test_command__empty_disk__has_no_base_whatever_its_header_says() -> None:
    nodes = blocks(command_of(record(msgspec.structs.replace(PARTS, base_format=None))))
    assert nodes["root"]["backing"] is None
    assert "root-base" not in nodes


def test_command__no_disk_and_no_config_drive__has_no_blocks() -> None:
    assert blocks(command_of(record(msgspec.structs.replace(PARTS, disk=False, config_drive=False)))) == {}


def test_command__kernel__is_booted_with_the_serial_console_and_the_images_words() -> None:
    command = command_of(record(msgspec.structs.replace(PARTS, kernel=True, ramdisk=True, cmdline="quiet panic=1")))
    assert values(command, "-kernel") == ["parts-1/kernel"]
    assert values(command, "-initrd") == ["parts-1/ramdisk"]
    assert values(command, "-append") == ["console=ttyS0 root=/dev/vda quiet panic=1"]


def test_command__no_kernel__boots_from_the_disk() -> None:
    command = command_of(record())
    assert "-kernel" not in command
    assert [disk["drive"] for disk in devices(command, "virtio-blk-pci") if disk.get("bootindex") == 1] == ["root"]


def test_command__cards__have_the_ports_mac_and_mtu_and_a_socket_of_their_own() -> None:
    (card,) = devices(command_of(record()), "virtio-net-pci")
    assert card == {
        "driver": "virtio-net-pci",
        "id": "nic0",
        "bus": "socket0",
        "netdev": "net0",
        "mac": "fa:16:3e:00:00:07",
        "host_mtu": 1442,
    }


def test_command__names_and_paths_of_users__are_not_on_it() -> None:
    command = " ".join(command_of(record(name="web,readonly=off", hostname="a -b", flavor_name="x")))
    assert "web,readonly" not in command
    assert "a -b" not in command


def test_command__rescued__boots_the_rescue_and_shows_its_own_disk_second() -> None:
    rescue = Rescue(generation=2, parts=msgspec.structs.replace(PARTS, folder="rescue-2"))
    command = command_of(msgspec.structs.replace(record(), rescue=rescue))
    nodes = blocks(command)
    assert nodes["root"]["file"]["filename"] == "rescue-2/disk.qcow2"
    assert nodes["own"]["file"]["filename"] == "parts-1/disk.qcow2"
    places = {disk["drive"]: disk["addr"] for disk in devices(command, "virtio-blk-pci")}
    assert places["root"] < places["own"]


def test_command__volumes__sit_in_sockets_and_a_boot_volume_where_the_root_disk_does() -> None:
    boot = msgspec.structs.replace(VOLUME, volume_id="boot", boot=True)
    command = command_of(record(msgspec.structs.replace(PARTS, disk=False), volumes=(VOLUME, boot)))
    _, plugged, root = devices(command, "virtio-blk-pci")
    assert (plugged["bus"], plugged["serial"]) == ("socket1", "volume")
    assert (root["bus"], root["addr"], root["bootindex"]) == ("pcie.0", "0x2", 1)


def test_command__any_device__has_a_place_that_no_other_has() -> None:
    command = command_of(record(volumes=(VOLUME,)))
    found = [json.loads(value) for value in values(command, "-device")]
    places = [(device["bus"], device.get("addr")) for device in found if device["driver"] != "virtserialport"]
    assert len(set(places)) == len(places)


def test_slots__of_what_stays__stay() -> None:
    nics = guest_spec(None).nics
    first = slots_for(nics, (VOLUME,), {})
    assert first == {"port": 0, "volume": 1}
    other = msgspec.structs.replace(VOLUME, volume_id="other")
    assert slots_for((), (VOLUME, other), first) == {"volume": 1, "other": 0}
    many = tuple(msgspec.structs.replace(VOLUME, volume_id=str(number)) for number in range(24))
    with pytest.raises(ValueError, match="24 sockets"):
        slots_for(nics, many, {})


@pytest.mark.parametrize(
    ("version", "address"),
    [((7, 2, 0), "fd:12"), ((8, 1, 5), "fd:12"), ((8, 2, 0), "file:memory"), ((10, 0, 2), "file:memory")],
)
def test_memory__address__is_one_that_this_qemu_takes(version: tuple[int, int, int], address: str) -> None:
    assert memory_address(version, 12, "memory") == address
