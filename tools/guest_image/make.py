"""Makes the demo guest: a kernel and an initramfs from the distribution's own packages, downloaded and unpacked, never installed.

    python tools/guest_image/make.py CACHE_DIRECTORY

prints where the three files are: `kernel`, `ramdisk` and `disk`, to be uploaded as images of the formats aki, ari and raw. The
same packages give the same bytes. What is in the cache is used again; the network is needed the first time only.
"""

import gzip
import hashlib
import json
import lzma
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
KERNELS = ("linux-image-cloud-amd64", "linux-image-virtual", "linux-image-generic")
"""Packages that lead to the newest kernel: Debian's for clouds, Ubuntu's for virtual machines, Ubuntu's."""
BUSYBOX = "busybox-static"
MODULES = (
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "isofs",
    "nls_ascii",
    "nls_utf8",
    "button",
    "evdev",
    "virtio_console",
)
"""What the guest needs where it isn't built into the kernel; what these need in turn is found in the modules themselves."""
DISK_BYTES = 4 * 1024 * 1024
"""The root disk is empty: the system lives in the initramfs."""


class Unavailable(Exception):
    """The packages can't be had; the argument says what to do."""


def image_make(cache: Path) -> dict[str, Path]:
    """Make the files below `cache`, or find them there.

    Raises:
        Unavailable: a package or tool can't be had.
    """
    files = {"kernel": cache / "vmlinuz", "ramdisk": cache / "initramfs.gz", "disk": cache / "disk.raw"}
    stamp, recipe = cache / "recipe", _recipe()
    if stamp.exists() and stamp.read_text() == recipe and all(path.exists() for path in files.values()):
        return files
    cache.mkdir(parents=True, exist_ok=True)
    tree = _packages_unpacked(cache)
    kernel = max((tree / "boot").glob("vmlinuz-*"))
    shutil.copyfile(kernel, files["kernel"])
    modules = modules_ordered(tree / _modules_folder(tree) / kernel.name.removeprefix("vmlinuz-"), MODULES)
    files["ramdisk"].write_bytes(gzip.compress(b"".join(_initramfs(tree, modules)), 6, mtime=0))
    files["disk"].write_bytes(bytes(DISK_BYTES))
    shutil.rmtree(tree)
    stamp.write_text(recipe)
    return files


def _recipe() -> str:
    """Changes whenever this program or the guest's scripts do."""
    digest = hashlib.sha256()
    for path in sorted(HERE.glob("*.*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _packages_unpacked(cache: Path) -> Path:
    tree, packages = cache / "tree", cache / "packages"
    for folder in (tree, packages):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    _run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", BUSYBOX, *_kernel_packages()], cwd=packages)
    for package in sorted(packages.glob("*.deb")):
        _run(["dpkg-deb", "-x", package.name, str(tree)], cwd=packages)
    shutil.rmtree(packages)
    return tree


def _kernel_packages() -> list[str]:
    """The packages of the newest kernel and, where they are apart, of its modules."""
    for name in KERNELS:
        images = [found for found in _depends(name) if re.match(r"linux-image-\d", found)]
        if images:
            return [images[0], *(found for found in _depends(images[0]) if found.startswith("linux-modules-"))]
    raise Unavailable(
        f"None of the packages {', '.join(KERNELS)} is known here. If the package lists are empty, run: apt-get update"
    )


def _depends(package: str) -> list[str]:
    return depends_parse(_run(["apt-cache", "depends", package], may_fail=True))


def depends_parse(text: str) -> list[str]:
    """The packages that `apt-cache depends` says one depends on."""
    return re.findall(r"^ *\|?Depends: ([^<\s]+)$", text, flags=re.MULTILINE)


def _run(command: list[str], cwd: Path | None = None, *, may_fail: bool = False) -> str:
    """What a tool of the distribution prints."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Unavailable(f"{command[0]} is missing: the guest image is made on Debian and Ubuntu only.") from error
    if done.returncode != 0 and not may_fail:
        raise Unavailable(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout


def _modules_folder(tree: Path) -> str:
    return "usr/lib/modules" if (tree / "usr/lib/modules").exists() else "lib/modules"


def modules_ordered(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The modules with those that they need, each after what it needs. Names that have no file are built into the kernel."""
    files = {_module_name(path): path for path in folder.rglob("*.ko*")}
    ordered: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in ordered or name not in files:
            return
        content = _module_content(files[name])
        for needed in module_depends(content):
            add(needed)
        ordered[name] = content

    for name in names:
        add(name)
    return ordered


def module_depends(content: bytes) -> list[str]:
    """The names that a module's own information says it needs."""
    found = re.search(rb"\0depends=([^\0]*)\0", content)
    names = found[1].decode().split(",") if found else []
    return [name.replace("-", "_") for name in names if name]


def _module_name(path: Path) -> str:
    return path.name.partition(".")[0].replace("-", "_")


def _module_content(path: Path) -> bytes:
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".zst":
        try:
            return subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=True).stdout
        except FileNotFoundError as error:
            raise Unavailable("The kernel's modules are packed with zstd; run: apt-get install zstd") from error
    return path.read_bytes()


def _initramfs(tree: Path, modules: dict[str, bytes]) -> Iterator[bytes]:
    busybox = next(path for path in (tree / "bin/busybox", tree / "usr/bin/busybox") if path.exists())
    folders = ("bin", "dev", "etc", "modules")
    files = {
        "init": (HERE / "init.sh").read_bytes(),
        "udhcpc.sh": (HERE / "udhcpc.sh").read_bytes(),
        "bin/bash": b'#!/bin/busybox sh\nexec /bin/busybox sh "$@"\n',
        "bin/busybox": busybox.read_bytes(),
        "modules/order": "".join(f"{name}.ko\n" for name in modules).encode(),
        **{f"modules/{name}.ko": content for name, content in modules.items()},
    }
    yield from cpio_archive(folders, files)


def cpio_archive(folders: Iterable[str], files: dict[str, bytes]) -> Iterator[bytes]:
    """A cpio archive as the kernel unpacks it (kernel documentation, "initramfs buffer format"): root's, without times."""
    number = 1
    entries = [(folder, 0o40755, b"") for folder in folders] + [(path, 0o100755, body) for path, body in files.items()]
    for path, mode, body in [*entries, ("TRAILER!!!", 0, b"")]:
        name = path.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        yield _padded(header + name) + _padded(body)
        number += 1


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)


def main() -> int:
    """Run the program."""
    if len(sys.argv) != 2:
        print("usage: make.py CACHE_DIRECTORY", file=sys.stderr)
        return 2
    try:
        files = image_make(Path(sys.argv[1]))
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps({name: str(path) for name, path in files.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
