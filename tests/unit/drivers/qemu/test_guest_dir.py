"""Guests on disk."""

from pathlib import Path

import msgspec
import pytest

from kilonova.drivers.qemu.guest_dir import GuestDirs, GuestRecord
from kilonova.testing.guests import SERVER, guest_spec

RECORD = GuestRecord(
    spec=guest_spec(None, config_drive={}),
    generation=1,
    running=True,
    rebooted=0,
    base_format=None,
    has_config_drive=False,
    ssh_port=40022,
    uid=None,
    image_names=("image.0",),
)


def test_guest_dir__made__is_found_again(tmp_path: Path) -> None:
    dirs = GuestDirs(tmp_path)
    dirs.making(SERVER)
    assert list(dirs.records()) == []
    dirs.made(RECORD)
    assert list(GuestDirs(tmp_path).records()) == [RECORD]


def test_guest_dir__written__replaces_the_record(tmp_path: Path) -> None:
    dirs = GuestDirs(tmp_path)
    dirs.making(SERVER)
    dirs.made(RECORD)
    changed = msgspec.structs.replace(RECORD, generation=2, running=False)
    dirs.write(changed)
    assert list(dirs.records()) == [changed]


def test_guest_dir__abandoned_or_removed__leaves_nothing(tmp_path: Path) -> None:
    dirs = GuestDirs(tmp_path)
    (dirs.making(SERVER) / "disk").write_bytes(b"x")
    dirs.abandon(SERVER)
    dirs.making(SERVER)
    dirs.made(RECORD)
    dirs.remove(SERVER)
    dirs.remove(SERVER)
    assert list(tmp_path.iterdir()) == []


def test_guest_dir__crashed_amid_making_and_removing__clean_removes_the_rest(tmp_path: Path) -> None:
    dirs = GuestDirs(tmp_path)
    dirs.making(SERVER)
    (tmp_path / f"{SERVER}.removing").mkdir()
    dirs.clean()
    assert list(tmp_path.iterdir()) == []


def test_guest_dir__record_is_damaged__says_which(tmp_path: Path) -> None:
    (tmp_path / SERVER).mkdir()
    (tmp_path / SERVER / "guest.json").write_text("{")
    with pytest.raises(ValueError, match=f"{SERVER}/guest.json is damaged"):
        list(GuestDirs(tmp_path).records())
