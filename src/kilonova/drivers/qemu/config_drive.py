"""The config drive: an ISO 9660 disk labelled `config-2` that guests read their identity from.

Format: the Compute API guide, "Metadata service and config drives". Long names are kept by both Rock Ridge (Linux) and Joliet
(Windows).
"""

import io
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

LABEL = "config-2"


def config_drive_iso(files: Mapping[str, bytes]) -> bytes:
    """The disk with these files, given by path, e.g. `openstack/latest/meta_data.json`.

    Raises:
        ValueError: a path is empty, absolute, or leads upward.
    """
    import pycdlib  # noqa: PLC0415  costs 20 ms and is needed only where guests are made

    disk = pycdlib.PyCdlib()
    disk.new(interchange_level=4, vol_ident=LABEL, joliet=3, rock_ridge="1.09")
    for folder in _folders(files):
        disk.add_directory(f"/{folder}", rr_name=folder.name, joliet_path=f"/{folder}")
    for path, content in sorted(files.items()):
        _add_file(disk, PurePosixPath(path), content)
    out = io.BytesIO()
    disk.write_fp(out)
    disk.close()
    return out.getvalue()


def _folders(files: Mapping[str, bytes]) -> list[PurePosixPath]:
    """Every folder that the files sit in, parents first."""
    folders: set[PurePosixPath] = set()
    for path in files:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or not pure.name:
            raise ValueError(f"{path!r} is not a path that a config drive can hold")
        folders.update(parent for parent in pure.parents if parent.name)
    return sorted(folders, key=lambda folder: (len(folder.parts), folder))


def _add_file(disk: Any, path: PurePosixPath, content: bytes) -> None:
    disk.add_fp(io.BytesIO(content), len(content), f"/{path}", rr_name=path.name, joliet_path=f"/{path}")
