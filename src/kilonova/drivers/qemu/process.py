"""QEMU's process: started without privileges, on its own feet, and told alive from dead without trusting process ids.

A guest's directory has a file `alive` that QEMU inherits with a lock on it. The kernel drops the lock when the process ends,
however it ends, so "is the lock held" says whether the guest runs: after a restart of Kilonova, after a crash at any moment,
and when its process id has long gone to somebody else. No process id is stored anywhere.
"""

import fcntl
import os
import signal
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kilonova.drivers.qemu.user import GuestUser

LOCK = "alive"
STDERR_BYTES = 16 * 1024

_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}
_FLOCK = "hhqqi4x"
"""`struct flock` on 64-bit Linux: type, whence, start, length, process id."""
_DETACHED = ("/bin/sh", "-c", 'exec "$@" &', "sh")
"""Leaves the command to the system's first process, so that it outlives Kilonova and nobody has to wait for it."""


class AlreadyRunning(Exception):
    """The guest's process is alive."""


def process_alive(directory: Path) -> bool:
    """Whether the process of the guest in `directory` runs. Asks without touching the lock."""
    try:
        descriptor = os.open(directory / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return _lock_type(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _lock(fcntl.F_WRLCK))) != fcntl.F_UNLCK
    finally:
        os.close(descriptor)


def process_start(command: Sequence[str], directory: Path, inherited: Sequence[int], user: GuestUser | None) -> int:
    """Start the guest in its directory, with these descriptors, and return one to read what it complains of.

    The working directory is entered before the user changes, so the directories above it may be closed to that user.

    Raises:
        AlreadyRunning: the guest runs.
        OSError: the process can't be started.
    """
    alive = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    complaints, complain = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.fcntl(alive, fcntl.F_OFD_SETLK, _lock(fcntl.F_WRLCK))
        subprocess.run(  # noqa: S603  the shell only gets the words through, as "$@"
            (*_DETACHED, *command),
            cwd=directory,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complain,
            pass_fds=(alive, *inherited),
            start_new_session=True,
            check=True,
            **_as_user(user),
        )
    except BlockingIOError as error:
        os.close(complaints)
        raise AlreadyRunning from error
    except (OSError, subprocess.SubprocessError):
        os.close(complaints)
        raise
    finally:
        os.close(complain)
        os.close(alive)
    return complaints


def run_as(
    command: Sequence[str], directory: Path, user: GuestUser | None, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a short command in `directory`, as a guest's user or as ourselves, and wait for it.

    Raises:
        OSError: it can't be started.
        subprocess.TimeoutExpired: it took longer than `timeout_s` seconds.
    """
    return subprocess.run(  # noqa: S603  a list of words, no shell
        command,
        cwd=directory,
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
        **_as_user(user),
    )


def complaints_read(descriptor: int) -> str:
    """What a process wrote to stderr until now, its last line."""
    try:
        written = os.read(descriptor, STDERR_BYTES)
    except BlockingIOError:
        written = b""
    lines = written.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it ended without a word"


def process_kill(directory: Path, server_id: str) -> bool:
    """End the guest's process at once; whether one was found."""
    found = False
    for pid in processes_of(directory, server_id):
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if _holds_lock(pid, directory):  # asked again: now the handle stands for this process and no later one
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                found = True
        except ProcessLookupError:
            continue
        finally:
            os.close(handle)
    return found


def processes_of(directory: Path, server_id: str) -> list[int]:
    """The ids of the processes that hold the guest's lock and carry its id on their command line: one at most."""
    return [pid for pid in _processes_named(server_id) if _holds_lock(pid, directory)]


def _as_user(user: GuestUser | None) -> dict[str, Any]:
    return {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": list(user.groups)}


def _lock(kind: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0)


def _lock_type(lock: bytes) -> int:
    return int(struct.unpack(_FLOCK, lock)[0])


def _processes_named(server_id: str) -> Iterator[int]:
    """Processes with this word on their command line, which anybody could have; the lock is the proof."""
    for entry in sorted(Path("/proc").iterdir()):
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if server_id.encode() in words:
                yield int(entry.name)


def _holds_lock(pid: int, directory: Path) -> bool:
    try:
        lock = (directory / LOCK).stat()
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # one of them has gone
        return False
    for descriptor in descriptors:
        with suppress(OSError):  # closed meanwhile
            opened = descriptor.stat()
            if (opened.st_dev, opened.st_ino) == (lock.st_dev, lock.st_ino):
                return True
    return False
