"""Version texts, user ids, image names, resources."""

from pathlib import Path

import pytest

from kilonova.drivers.qemu import resources
from kilonova.drivers.qemu.images import ImageRefused, image_name
from kilonova.drivers.qemu.probe import version_parse
from kilonova.drivers.qemu.user import FIRST_UID, range_mapped
from kilonova.objects.guest import GuestImage


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright", (7, 2, 22)),
        ("QEMU emulator version 10.0.2", (10, 0, 2)),
        ("command not found", None),
    ],
)
def test_version__as_printed__is_understood(text: str, version: tuple[int, int, int] | None) -> None:
    assert version_parse(text) == version


@pytest.mark.parametrize(
    ("uid_map", "mapped"),
    [
        ("         0          0 4294967295\n", True),
        ("         0     100000      65536\n", False),
        (f"0 1000 1\n{FIRST_UID} 200000 65536\n", True),
        ("", False),
    ],
)
def test_user_ids__of_a_namespace__are_there_or_not(uid_map: str, mapped: bool) -> None:
    assert range_mapped(uid_map) is mapped


@pytest.mark.parametrize(
    ("image_id", "sha512"),
    [("../x", "0" * 128), ("a/b", "0" * 128), (".part", "0" * 128), ("x", "0"), ("x", "Z" * 128)],
)
def test_image_name__id_or_checksum_is_a_trick__is_refused(image_id: str, sha512: str) -> None:
    with pytest.raises(ImageRefused):
        image_name(GuestImage(id=image_id, disk_format="raw", size=1, sha512=sha512))


def test_resources__this_machine__has_some(tmp_path: Path) -> None:
    assert resources.vcpus() >= 1
    assert resources.memory_mb() >= 256
    assert resources.booted_at() is not None
    assert resources.disk_gb(tmp_path) >= 0
    assert resources.cpu_info()["arch"]
