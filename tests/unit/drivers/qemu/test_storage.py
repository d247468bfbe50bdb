"""Disks on storage that hosts share: the newest one lies there, and only the host that has it last removes it."""

from pathlib import Path

import pytest

from kilonova.drivers.qemu.images import ImageCache
from kilonova.drivers.qemu.probe import Unusable
from kilonova.drivers.qemu.storage import Storage
from kilonova.kernel.ids import HostName, ServerId
from kilonova.runtime.real import RealRuntime

SERVER = ServerId("5a5a5a5a-0000-4000-8000-000000000001")


def storage(folder: Path, host: str) -> Storage:
    shared = Storage(folder / "storage", ImageCache(RealRuntime(), folder), HostName(host))
    shared.open(folder, f"named-by-{host}")
    return shared


def parts(folder: Path, name: str, content: str) -> Path:
    made = folder / name
    made.mkdir()
    (made / "disk.qcow2").write_text(content)
    return made


def test_open__by_several_hosts__they_agree_on_its_name(tmp_path: Path) -> None:
    assert storage(tmp_path, "a").name == storage(tmp_path, "b").name == storage(tmp_path, "a").name == "named-by-a"
    assert [path.name for path in (tmp_path / "storage").iterdir()] == ["storage-id"]


def test_open__on_another_file_system__is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="file system"):
        Storage(tmp_path / "storage", ImageCache(RealRuntime(), tmp_path), HostName("a")).open(Path("/proc"), "name")


def test_keep__again_and_by_another_host__the_newest_disk_is_there_once(tmp_path: Path) -> None:
    first, second = storage(tmp_path, "a"), storage(tmp_path, "b")
    assert first.taken(SERVER) is None
    for _ in range(2):
        first.keep(SERVER, parts_once(tmp_path, "parts-1", "old"), "raw")
    owner = second.owner(SERVER)
    assert owner
    assert (owner.host, owner.base_format) == ("a", "raw")
    second.keep(SERVER, parts(tmp_path, "parts-2", "new"), None)
    place = tmp_path / "storage" / SERVER
    assert [path.read_text() for path in place.rglob("disk.qcow2")] == ["new"]
    first.drop(SERVER)
    assert place.exists(), "it is another host's now"
    second.drop(SERVER)
    assert not place.exists()


def parts_once(folder: Path, name: str, content: str) -> Path:
    return folder / name if (folder / name).exists() else parts(folder, name, content)
