"""`qemu-img`, the tool for disks of guests that don't run. It is told every format and runs as the guest's user.

A guest's disk is made of nodes that are named one by one, so nothing that a file says of itself leads to another file.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from kilonova.drivers.qemu import command
from kilonova.drivers.qemu.guest_dir import Parts
from kilonova.drivers.qemu.process import run_as
from kilonova.drivers.qemu.user import GuestUser

_SHORT_S = 60.0
_COPY_S = 4 * 3600.0


class ImageTool:
    """What is done with it. Every call blocks, and raises `OSError` or `subprocess.SubprocessError` when it fails."""

    def __init__(self, path: str) -> None:
        """Run the program at `path`."""
        self._path = path

    def overlay(self, folder: Path, size: int, base_format: str | None) -> None:
        """Make a root disk of `size` bytes in `folder`, over the base there if it has a format.

        With `-u` and a size, the tool never opens the base: only the confined QEMU will.
        """
        words = ["create", "-q", "-f", "qcow2"]
        if base_format:
            words += ["-u", "-b", command.BASE, "-F", base_format]
        self._run([*words, command.DISK, str(size)], folder, None, _SHORT_S)

    def blank(self, path: Path, size: int, uid: int | None) -> None:
        """Make a qcow2 file of `size` bytes with nothing in it, which the user `uid` may write."""
        path.unlink(missing_ok=True)
        self._run(["create", "-q", "-f", "qcow2", path.name, str(size)], path.parent, None, _SHORT_S)
        _give(path, uid)

    def grow(self, folder: Path, size: int, user: GuestUser | None) -> None:
        """Make the root disk in `folder` larger. Raises `ValueError` when it is larger than `size` bytes already."""
        have = self.size(folder, user)
        if have > size:
            raise ValueError(f"the disk has {have} bytes and can't shrink to {size}")
        if have < size:
            self._run(["resize", "-q", _opened({"backing": None}, command.DISK), str(size)], folder, user, _SHORT_S)

    def size(self, folder: Path, user: GuestUser | None) -> int:
        """How many bytes the root disk in `folder` has for the guest."""
        words = ["info", "-U", "--output=json", _opened({"backing": None}, command.DISK)]
        return int(json.loads(self._run(words, folder, user, _SHORT_S))["virtual-size"])

    def copy(self, source: Path, target: Path) -> None:
        """Copy a file as it is, by reference where the file system can."""
        self._run_words(
            ["cp", "--reflink=auto", "--sparse=always", "--", str(source), str(target)], target.parent, None, _COPY_S
        )

    def flatten(self, directory: Path, parts: Parts, target: str, disk_format: str, user: GuestUser | None) -> None:
        """Write a guest's root disk with all that is beneath it to the file `target` in its directory."""
        *bases, root = command.root_blocks(parts)
        tree = {**root, "backing": bases[0] if bases else None}
        self._convert(directory, _json(tree), target, disk_format, user)

    def convert(self, directory: Path, source: str, target: str, disk_format: str, user: GuestUser | None) -> None:
        """Write a qcow2 file that stands alone to `target` in another format."""
        self._convert(directory, _opened({"backing": None}, source), target, disk_format, user)

    def _convert(self, directory: Path, source: str, target: str, disk_format: str, user: GuestUser | None) -> None:
        path = directory / target
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        _give(path, user.uid if user else None)
        self._run(["convert", "-q", "-O", disk_format, source, target], directory, user, _COPY_S)

    def _run(self, words: Sequence[str], directory: Path, user: GuestUser | None, timeout_s: float) -> str:
        return self._run_words([self._path, *words], directory, user, timeout_s)

    def _run_words(self, words: Sequence[str], directory: Path, user: GuestUser | None, timeout_s: float) -> str:
        done = run_as(words, directory, user, timeout_s)
        if done.returncode != 0:
            raise OSError(f"{Path(words[0]).name} failed: {done.stderr.strip()}")
        return done.stdout


def _opened(options: dict[str, object], filename: str) -> str:
    return _json({"driver": "qcow2", "file": {"driver": "file", "filename": filename}, **options})


def _json(node: dict[str, object]) -> str:
    """A tree of nodes as a file's name: QEMU's pseudo-protocol `json:`. Names of nodes mean nothing to the tool."""
    return f"json:{json.dumps(_unnamed(node))}"


def _unnamed(node: dict[str, object]) -> dict[str, object]:
    return {
        key: _unnamed(value) if isinstance(value, dict) else value for key, value in node.items() if key != "node-name"
    }


def _give(path: Path, uid: int | None) -> None:
    if uid is not None:
        os.chown(path, uid, uid)
