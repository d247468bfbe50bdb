"""What QEMU there is, and what it can do here.

Acceleration is tried and not guessed: `/dev/kvm` may exist and not work. A tiny machine, the same as guests get and run as
the same user, executes two instructions of a firmware of our own that end QEMU with an exit code of our choice.
"""

import re
import shutil
import subprocess
from pathlib import Path

import msgspec

from kilonova.drivers.qemu.command import machine_words
from kilonova.drivers.qemu.process import run_as
from kilonova.drivers.qemu.user import KVM, GuestUser

BINARY = "qemu-system-x86_64"
IMAGE_TOOL = "qemu-img"
PACKAGES = "qemu-system-x86 qemu-utils"
OLDEST = (7, 0, 0)
TIMEOUT_S = 10.0

_EXIT_PORT = 0xF4
_EXIT_VALUE = 0x2A
_EXIT_CODE = _EXIT_VALUE << 1 | 1
"""How QEMU's `isa-debug-exit` makes an exit code of the byte that a guest writes to its port."""
_FIRMWARE_BYTES = 64 * 1024
_RESET_VECTOR = _FIRMWARE_BYTES - 16
_INSTRUCTIONS = bytes((0xB0, _EXIT_VALUE, 0xE6, _EXIT_PORT, 0xF4))
"""`mov al, value; out port, al; hlt`, at the address where a processor begins."""


class Unusable(Exception):
    """QEMU can't be used here; the argument is a sentence that says what to do."""


class Emulator(msgspec.Struct, frozen=True, kw_only=True):
    """The QEMU that guests run in."""

    binary: str
    image_tool: str
    version: tuple[int, int, int]
    accelerator: str
    """`kvm` or `tcg`."""
    notice: str | None
    """Why there is no acceleration, for the operator."""


def emulator_find(scratch: Path, user: GuestUser | None) -> Emulator:
    """Find QEMU and try it as `user`, with a file in `scratch`. Blocks for some 0.1 s.

    Raises:
        Unusable: QEMU is missing, too old, or doesn't run.
    """
    binary, image_tool = _program(BINARY), _program(IMAGE_TOOL)
    version = _version(binary)
    scratch.mkdir(mode=0o755, exist_ok=True)
    scratch.chmod(0o755)
    firmware = scratch / "probe.rom"
    firmware.write_bytes(_firmware())
    firmware.chmod(0o644)
    refusal = _try_accelerator(binary, "kvm", firmware, user) if KVM.exists() else f"there is no {KVM}"
    if refusal is None:
        return Emulator(binary=binary, image_tool=image_tool, version=version, accelerator="kvm", notice=None)
    failure = _try_accelerator(binary, "tcg", firmware, user)
    if failure is not None:
        raise Unusable(f"{binary} can't run a guest: {failure}")
    notice = f"Guests run without hardware acceleration, several times slower: {refusal}."
    if "Permission denied" in refusal:
        notice += f" Members of the group that owns {KVM} may use it."
    return Emulator(binary=binary, image_tool=image_tool, version=version, accelerator="tcg", notice=notice)


def version_parse(text: str) -> tuple[int, int, int] | None:
    """The version in what `--version` prints."""
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Unusable(f"{name} is not installed; on Debian and Ubuntu: apt-get install {PACKAGES}")
    return path


def _version(binary: str) -> tuple[int, int, int]:
    try:
        done = run_as((binary, "--version"), Path("/"), None, TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unusable(f"{binary} doesn't run: {error}") from error
    version = version_parse(done.stdout)
    if version is None:
        raise Unusable(f"{binary} doesn't tell its version: {done.stdout or done.stderr}")
    if version < OLDEST:
        have, need = ".".join(map(str, version)), OLDEST[0]
        raise Unusable(f"{binary} is QEMU {have}, and {need} or newer is needed; upgrade {PACKAGES}")
    return version


def _firmware() -> bytes:
    image = bytearray(_FIRMWARE_BYTES)
    image[_RESET_VECTOR : _RESET_VECTOR + len(_INSTRUCTIONS)] = _INSTRUCTIONS
    return bytes(image)


def _try_accelerator(binary: str, accelerator: str, firmware: Path, user: GuestUser | None) -> str | None:
    """None when a guest ran, else why not."""
    exit_device = f"isa-debug-exit,iobase={_EXIT_PORT:#x},iosize=1"
    command = [binary, *machine_words(accelerator), "-m", "16M", "-bios", firmware.name, "-device", exit_device]
    try:
        done = run_as(command, firmware.parent, user, TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"with {accelerator.upper()} a guest was started and did nothing"
    except OSError as error:
        return str(error)
    if done.returncode == _EXIT_CODE:
        return None
    complaint = done.stderr.strip()
    last = complaint.splitlines()[-1] if complaint else f"QEMU ended with code {done.returncode}"
    return f"{accelerator.upper()} was tried and doesn't work ({last.rstrip('.')})"
