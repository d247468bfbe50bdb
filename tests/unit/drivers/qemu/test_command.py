"""The command line of a guest."""

import json
from typing import Any

import msgspec
import pytest

from kilonova.drivers.qemu.command import Launch, guest_command
from kilonova.objects.guest import GuestImage, GuestSpec
from kilonova.testing.guests import SERVER, guest_spec

IMAGE = GuestImage(id="image", disk_format="raw", size=1, sha512="0" * 128)
LAUNCH = Launch(
    binary="/usr/bin/qemu-system-x86_64",
    accelerator="tcg",
    monitor_fd=9,
    base_format="raw",
    has_disk=True,
    has_config_drive=True,
    ssh_port=40022,
)


def values(command: list[str], option: str) -> list[str]:
    return [command[index + 1] for index, word in enumerate(command) if word == option]


def blocks(command: list[str]) -> dict[str, dict[str, Any]]:
    return {node["node-name"]: node for node in map(json.loads, values(command, "-blockdev"))}


def test_command__any_guest__is_sandboxed_and_has_its_size() -> None:
    command = guest_command(guest_spec(IMAGE, vcpus=3, memory_mb=768), LAUNCH)
    assert values(command, "-sandbox") == ["on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
    assert values(command, "-smp") == ["3"]
    assert values(command, "-m") == ["768M"]
    assert values(command, "-uuid") == [SERVER]


@pytest.mark.parametrize(("accelerator", "cpu"), [("kvm", "host"), ("tcg", "max")])
def test_command__accelerator__decides_the_processor(accelerator: str, cpu: str) -> None:
    command = guest_command(guest_spec(IMAGE), msgspec.structs.replace(LAUNCH, accelerator=accelerator))
    assert values(command, "-cpu") == [cpu]
    assert values(command, "-accel")[0].startswith(accelerator)


def test_command__overlay__names_its_base_and_every_format() -> None:
    nodes = blocks(guest_command(guest_spec(IMAGE), LAUNCH))
    assert (nodes["root"]["driver"], nodes["root"]["backing"]) == ("qcow2", "base")
    assert (nodes["base"]["driver"], nodes["base"]["read-only"]) == ("raw", True)
    assert (nodes["config"]["driver"], nodes["config"]["read-only"]) == ("raw", True)


def test_command__empty_disk__has_no_base() -> None:
    nodes = blocks(guest_command(guest_spec(None), msgspec.structs.replace(LAUNCH, base_format=None)))
    assert "backing" not in nodes["root"]
    assert "base" not in nodes


def test_command__no_disk_and_no_config_drive__has_no_blocks() -> None:
    bare = msgspec.structs.replace(LAUNCH, base_format=None, has_disk=False, has_config_drive=False)
    assert blocks(guest_command(guest_spec(None), bare)) == {}


def test_command__kernel__is_booted_with_the_serial_console_and_the_images_words() -> None:
    spec = guest_spec(IMAGE, kernel=IMAGE, ramdisk=IMAGE, cmdline="quiet panic=1")
    command = guest_command(spec, LAUNCH)
    assert values(command, "-kernel") == ["kernel"]
    assert values(command, "-initrd") == ["ramdisk"]
    assert values(command, "-append") == ["console=ttyS0 root=/dev/vda quiet panic=1"]


def test_command__no_kernel__boots_from_the_disk() -> None:
    command = guest_command(guest_spec(IMAGE), LAUNCH)
    assert "-kernel" not in command
    assert any(json.loads(value).get("bootindex") == 1 for value in values(command, "-device") if value[0] == "{")


def test_command__cards__have_the_ports_mac_and_mtu() -> None:
    cards = [
        json.loads(value) for value in values(guest_command(guest_spec(IMAGE), LAUNCH), "-device") if "mac" in value
    ]
    assert cards == [
        {"driver": "virtio-net-pci", "netdev": "nic0", "mac": "fa:16:3e:00:00:07", "host_mtu": 1442},
    ]


def test_command__names_and_paths_of_users__are_not_on_it() -> None:
    spec: GuestSpec = guest_spec(IMAGE, name="web,readonly=off", hostname="a -b", flavor_name="x")
    command = " ".join(guest_command(spec, LAUNCH))
    assert "readonly" not in command
    assert "a -b" not in command
