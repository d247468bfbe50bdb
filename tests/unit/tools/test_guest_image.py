"""The maker of the demo's guest image."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

MAKER = Path(__file__).resolve().parents[3] / "tools" / "guest_image" / "make.py"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("guest_image_make", MAKER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def module_file(folder: Path, name: str, depends: str) -> None:
    (folder / name).write_bytes(b"\x7fELF\0license=GPL\0depends=" + depends.encode() + b"\0name=x\0")


def test_depends__as_apt_prints_them__are_the_real_packages(maker: ModuleType) -> None:
    text = (
        "linux-image-cloud-amd64\n"
        "  Depends: linux-image-6.1.0-44-cloud-amd64\n"
        " |Depends: one\n  Depends: <virtual>\n  Recommends: firmware\n"
    )
    assert maker.depends_parse(text) == ["linux-image-6.1.0-44-cloud-amd64", "one"]


def test_modules__one_needs_others__come_after_them_once(maker: ModuleType, tmp_path: Path) -> None:
    module_file(tmp_path, "virtio_pci.ko", "virtio_ring,virtio")
    module_file(tmp_path, "virtio_ring.ko", "virtio")
    module_file(tmp_path, "virtio.ko", "")
    module_file(tmp_path, "virtio-rng.ko", "virtio")
    ordered = list(maker.modules_ordered(tmp_path, ("virtio_pci", "virtio_rng", "built_in")))
    assert ordered == ["virtio", "virtio_ring", "virtio_pci", "virtio_rng"]


def test_cpio__two_files__has_headers_names_and_an_end(maker: ModuleType) -> None:
    archive = b"".join(maker.cpio_archive(("dev",), {"init": b"#!x", "bin/y": b""}))
    assert archive.count(b"070701") == 4
    assert archive.index(b"dev\0") < archive.index(b"init\0") < archive.index(b"#!x") < archive.index(b"TRAILER!!!")
    assert len(archive) % 4 == 0


@pytest.mark.parametrize("tools", [(), ("apt-cache",)])
def test_make__packages_cannot_be_had__says_what_to_do(
    maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: tuple[str, ...]
) -> None:
    for tool in tools:
        (tmp_path / tool).write_text("#!/bin/sh\nexit 100\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    expected = "apt-get update" if tools else "Debian and Ubuntu only"
    with pytest.raises(maker.Unavailable, match=expected):
        maker.image_make(tmp_path / "cache")


def test_main__no_argument__prints_usage(
    maker: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["make.py"])
    assert maker.main() == 2
    assert "CACHE_DIRECTORY" in capsys.readouterr().err
