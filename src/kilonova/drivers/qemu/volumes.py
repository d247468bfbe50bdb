"""Volumes as QEMU's block nodes: what kind of connection can be made here, and how.

A volume in a file of this machine is opened by us and handed over as a descriptor, so that the guest's user needs no rights to
it. Formats are what the volume service says, and nothing is probed.
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kilonova.objects.guest import GuestVolume

_FORMATS = ("raw", "qcow2")
_NODE_DIGITS = 16


class VolumeRefused(Exception):
    """The volume can't be connected here; the argument says why."""


def node_name(volume_id: str) -> str:
    """The name of a volume's block node: QEMU allows 31 characters, and ids are longer."""
    return f"volume-{hashlib.sha256(volume_id.encode()).hexdigest()[:_NODE_DIGITS]}"


def volume_open(volume: GuestVolume, allowed: Path | None) -> int | None:
    """A descriptor of the volume's file, which must lie in the directory `allowed`; None for a volume that isn't a file.

    Raises:
        VolumeRefused: it is of a kind that can't be used here, or lies elsewhere.
        OSError: there is no such file.
    """
    kind, data = _kind(volume), _data(volume)
    if kind == "nbd":
        _nbd_server(data)
        return None
    if data.get("format", "raw") not in _FORMATS:
        raise VolumeRefused(f"volumes of format {data['format']!r} can't be used here; {' and '.join(_FORMATS)} can")
    path = Path(str(data.get("path", ""))).resolve()
    _check_place(volume, path, allowed)
    descriptor = os.open(path, (os.O_RDONLY if volume.read_only else os.O_RDWR) | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:  # asked again of what was opened: somebody could have put a link in its way
        _check_place(volume, Path(f"/proc/self/fd/{descriptor}").readlink(), allowed)
    except VolumeRefused:
        os.close(descriptor)
        raise
    return descriptor


def volume_node(volume: GuestVolume, descriptor: int | None, fdset: int | None) -> dict[str, object]:
    """The block node; of a file, `descriptor` is what `volume_open` returned and QEMU has as set `fdset`."""
    data = _data(volume)
    node: dict[str, object] = {
        "node-name": node_name(volume.volume_id),
        "read-only": volume.read_only,
        "discard": "unmap",
    }
    if descriptor is None:
        return node | {"driver": "raw", "file": {"driver": "nbd", **_nbd_server(data)}}
    block = stat.S_ISBLK(os.fstat(descriptor).st_mode)
    file = {
        "driver": "host_device" if block else "file",
        "filename": f"/dev/fdset/{fdset}",
        "read-only": volume.read_only,
    }
    if data.get("format", "raw") == "qcow2":
        return node | {"driver": "qcow2", "file": file, "backing": None}
    return node | {"driver": "raw", "file": file}


def _kind(volume: GuestVolume) -> str:
    kind = volume.connection.get("driver_volume_type")
    if kind not in {"local", "nbd"}:
        raise VolumeRefused(f"volumes of type {kind!r} can't be connected here; local and nbd can")
    return str(kind)


def _check_place(volume: GuestVolume, path: Path, allowed: Path | None) -> None:
    if allowed is None or not path.is_relative_to(allowed.resolve()):
        raise VolumeRefused(f"the volume {volume.volume_id} is not in the directory for volumes")


def _data(volume: GuestVolume) -> Mapping[str, Any]:
    data = volume.connection.get("data")
    if not isinstance(data, Mapping):
        raise VolumeRefused(f"the connection of the volume {volume.volume_id} has no data")
    return data


def _nbd_server(data: Mapping[str, Any]) -> dict[str, object]:
    try:
        server = {"type": "inet", "host": str(data["host"]), "port": str(int(data["port"]))}
    except (KeyError, ValueError, TypeError) as error:
        raise VolumeRefused("the connection of an nbd volume names no host and port") from error
    return {"server": server, "export": str(data.get("export", ""))}
