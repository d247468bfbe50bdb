"""`python -m tools.demo`: prepare, tell the story, leave nothing behind but the state directory."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.demo.client import Client
from tools.demo.cloud import DemoCloud
from tools.demo.problem import Problem
from tools.demo.screen import Screen
from tools.demo.story import Files, tell
from tools.guest_image.make import Unavailable, image_make

PROJECT = Path(__file__).resolve().parents[2]
CACHE = PROJECT / ".cache"
ON_FAKE_DRIVER = 3


def main() -> int:
    """Run the demo; 0 when all of it was proven, 3 when it ran on the fake driver, 1 when something failed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    screen = Screen()
    started = time.monotonic()
    state = Path(tempfile.mkdtemp(prefix="kilonova-demo-"))
    state.chmod(0o711)
    try:
        client, files = _prepare(screen, state)
        with DemoCloud(state, files.driver, screen) as cloud:
            tell(screen, client, cloud, files)
    except Problem as problem:
        screen.failed(f"{problem}\nThe state directory is {state}; its log is {state}/log/kilonova.log")
        return 1
    except KeyboardInterrupt:
        screen.failed(f"Interrupted. The state directory is {state}")
        return 1
    screen.summary(time.monotonic() - started, state)
    if files.driver == "fake":
        screen.failed("This ran on the FAKE driver: no virtual machine was involved. Exit code 3.")
        return ON_FAKE_DRIVER
    return 0


def _prepare(screen: Screen, state: Path) -> tuple[Client, Files]:
    """Install what is needed, once; the client and the files of the guest."""
    with screen.step("the openstack client, from PyPI in an environment of its own"):
        _run(["tools/setup", ".cache/clients", "requirements/clients.txt"])
    client = Client(CACHE / "clients" / "bin" / "openstack", state / "clouds.yaml", screen)
    try:
        with screen.step("QEMU"):
            _need_qemu()
        with screen.step("the guest image, from Debian's kernel and busybox"):
            made = image_make(CACHE / "guest-image")
    except (Problem, Unavailable) as reason:
        screen.failed(f"QEMU can't be had ({reason}), so the demo goes on with the FAKE driver.")
        disk = CACHE / "fake-disk.raw"
        disk.write_bytes(bytes(1 << 20))
        return client, Files(driver="fake", disk=disk, kernel=None, ramdisk=None)
    return client, Files(driver="qemu", disk=made["disk"], kernel=made["kernel"], ramdisk=made["ramdisk"])


def _need_qemu() -> None:
    if shutil.which("qemu-system-x86_64") and shutil.which("qemu-img"):
        return
    _run(["tools/install-packages", "hypervisor", "guest"])


def _run(command: list[str]) -> None:
    """Run one of the project's tools quietly. Raises `Problem` with what it said."""
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())
        raise Problem(said or f"{' '.join(command)} failed")


def _interrupted(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    os.chdir(PROJECT)
    sys.exit(main())
