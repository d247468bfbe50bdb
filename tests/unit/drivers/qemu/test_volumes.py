"""Volumes as block nodes."""

import os
from pathlib import Path
from typing import Any

import pytest

from kilonova.drivers.qemu.volumes import VolumeRefused, node_name, volume_node, volume_open
from kilonova.objects.guest import GuestVolume

ID = "8a3c1f0e-0000-4000-8000-000000000001"


def volume(kind: str, *, read_only: bool = False, **data: Any) -> GuestVolume:
    connection = {"driver_volume_type": kind, "data": data}
    return GuestVolume(volume_id=ID, attachment_id="a", connection=connection, device="/dev/vdb", read_only=read_only)


def test_local__in_the_directory__is_opened_and_its_format_is_the_one_given(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"QFI\xfb")
    descriptor = volume_open(volume("local", path=str(tmp_path / "disk"), format="raw"), tmp_path)
    assert descriptor is not None
    node = volume_node(volume("local", path=str(tmp_path / "disk"), format="raw"), descriptor, 3)
    os.close(descriptor)
    assert (node["driver"], node["node-name"], node["read-only"]) == ("raw", node_name(ID), False)
    assert node["file"] == {"driver": "file", "filename": "/dev/fdset/3", "read-only": False}
    assert len(node_name(ID)) <= 31


def test_local__qcow2__has_nothing_beneath_it(tmp_path: Path) -> None:
    (tmp_path / "disk").touch()
    given = volume("local", path=str(tmp_path / "disk"), format="qcow2", read_only=False)
    descriptor = volume_open(given, tmp_path)
    assert descriptor is not None
    node = volume_node(given, descriptor, 1)
    os.close(descriptor)
    assert (node["driver"], node["backing"]) == ("qcow2", None)


@pytest.mark.parametrize("path", ["/etc/passwd", "{inside}/../secret", "{inside}/link", ""])
def test_local__outside_of_the_directory__is_refused(tmp_path: Path, path: str) -> None:
    inside = tmp_path / "volumes"
    inside.mkdir()
    (tmp_path / "secret").touch()
    (inside / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(VolumeRefused, match="not in the directory for volumes"):
        volume_open(volume("local", path=path.format(inside=inside), format="raw"), inside)


def test_local__no_directory_was_given__is_refused(tmp_path: Path) -> None:
    with pytest.raises(VolumeRefused, match="not in the directory"):
        volume_open(volume("local", path=str(tmp_path)), None)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (volume("rbd", name="pool/volume"), "type 'rbd' can't be connected"),
        (volume("local", path="/x", format="vmdk"), "format 'vmdk' can't be used"),
        (volume("nbd", host="h"), "names no host and port"),
        (volume("nbd", host="h", port="any"), "names no host and port"),
    ],
)
def test_volume__of_another_kind__is_refused_with_a_reason(tmp_path: Path, given: GuestVolume, complaint: str) -> None:
    with pytest.raises(VolumeRefused, match=complaint):
        volume_open(given, tmp_path)


def test_nbd__host_port_and_export__make_a_node() -> None:
    given = volume("nbd", read_only=True, host="storage", port=10809, export="v")
    assert volume_open(given, None) is None
    node = volume_node(given, None, None)
    assert node["read-only"] is True
    assert node["file"] == {
        "driver": "nbd",
        "server": {"type": "inet", "host": "storage", "port": "10809"},
        "export": "v",
    }
