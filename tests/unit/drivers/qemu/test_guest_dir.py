"""Guests on disk."""

from pathlib import Path

import msgspec
import pytest

from kilonova.drivers.qemu.guest_dir import BeforeResize, GuestDirs, GuestRecord, Parts
from kilonova.testing.guests import SERVER, guest_spec


def parts(folder: str) -> Parts:
    return Parts(
        folder=folder,
        disk=False,
        base_format=None,
        kernel=False,
        ramdisk=False,
        cmdline="",
        config_drive=False,
        image_names=("image.0",),
    )


RECORD = GuestRecord(
    spec=guest_spec(None, config_drive={}),
    generation=1,
    running=True,
    rebooted=0,
    parts=parts("parts-1"),
    ssh_port=40022,
    uid=None,
    slots={},
)


def record_010(directory: Path) -> None:
    """Put the record of a guest as 0.1.0 left it, with a root disk over an image and a config drive, into its directory."""
    shape = {
        "spec": msgspec.to_builtins(guest_spec(None, config_drive={})),
        "generation": 3,
        "running": True,
        "rebooted": 2,
        "base_format": "raw",
        "has_config_drive": True,
        "ssh_port": 40022,
        "uid": None,
        "image_names": ["image.0"],
    }
    del shape["spec"]["volumes"]
    directory.mkdir()
    (directory / "guest.json").write_bytes(msgspec.json.encode(shape))
    for name in ("disk.qcow2", "base", "config.iso", "console.log", "alive"):
        (directory / name).touch()


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


def test_guest_dir__tidied__keeps_what_the_record_names(tmp_path: Path) -> None:
    dirs = GuestDirs(tmp_path)
    dirs.making(SERVER)
    dirs.made(RECORD)
    for name in ("parts-1", "parts-2", "parts-3", "rescue-4"):
        (tmp_path / SERVER / name).mkdir()
    for name in ("memory", "memory.part", "snapshot.qcow2", "console.log"):
        (tmp_path / SERVER / name).touch()
    before = BeforeResize(spec=RECORD.spec, parts=parts("parts-2"))
    dirs.tidy(msgspec.structs.replace(RECORD, suspended=True, before_resize=before))
    kept = {path.name for path in (tmp_path / SERVER).iterdir()}
    assert kept == {"guest.json", "parts-1", "parts-2", "memory", "console.log"}
    dirs.tidy(RECORD)
    assert not (tmp_path / SERVER / "memory").exists()


def test_guest_dir__made_by_0_1_0__is_read_with_its_files_where_they_are(tmp_path: Path) -> None:
    record_010(tmp_path / SERVER)
    dirs = GuestDirs(tmp_path)
    [record] = dirs.records()
    own = msgspec.structs.replace(parts("."), disk=True, base_format="raw", config_drive=True)
    old = {"generation": 3, "rebooted": 2, "parts": own, "slots": {"port": 0}, "old_machine": True}
    assert record == msgspec.structs.replace(RECORD, **old)
    dirs.tidy(record)
    assert (tmp_path / SERVER / "disk.qcow2").exists()
    dirs.write(record)
    assert list(dirs.records()) == [record]


def test_guest_dir__made_by_0_1_0_and_rebuilt__its_old_files_go(tmp_path: Path) -> None:
    record_010(tmp_path / SERVER)
    dirs = GuestDirs(tmp_path)
    [record] = dirs.records()
    dirs.tidy(msgspec.structs.replace(record, parts=parts("parts-4")))
    kept = {path.name for path in (tmp_path / SERVER).iterdir()}
    assert kept == {"guest.json", "console.log", "alive"}
