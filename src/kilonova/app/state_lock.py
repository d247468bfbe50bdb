"""The lock of a state directory: an advisory lock that the kernel lets go of when its holder dies, however it dies."""

import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self, TypeVar

from kilonova.app.state_errors import StateInUse
from kilonova.runtime.runtime import Runtime

WAIT_S = 20.0
"""How long is waited for another process that holds a lock."""
LOOK_EVERY_S = 0.05

Taken = TypeVar("Taken")


class StateLock:
    """The lock, held from `take` to `release`."""

    def __init__(self, descriptor: int) -> None:
        """Use `take`."""
        self._descriptor = descriptor

    @classmethod
    def take(cls, file: Path, *, shared: bool = False) -> Self:
        """Take the lock and write the own process id into its file. Raises `StateInUse`, naming the holder.

        A `shared` one is held by many at once, and by nobody alone meanwhile.
        """
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StateInUse(path=file.parent, pid=holder) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    @staticmethod
    def is_held(file: Path) -> bool:
        """Whether some process holds the lock."""
        try:
            descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def share(self) -> None:
        """Let others hold it too, if they share it."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def release(self) -> None:
        """Let go of the lock; its file stays."""
        os.close(self._descriptor)


async def patiently(take: Callable[[], Taken], runtime: Runtime) -> Taken:
    """What `take` returns, once it no longer raises `StateInUse`. Raises it when `WAIT_S` have passed."""
    give_up = runtime.monotonic() + WAIT_S
    while True:
        try:
            return take()
        except StateInUse:
            if runtime.monotonic() >= give_up:
                raise
        await runtime.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def lock_held(file: Path, runtime: Runtime) -> AsyncIterator[None]:
    """Be the only one who holds the lock `file`. Raises `StateInUse` when another one doesn't end."""
    lock = await patiently(lambda: StateLock.take(file), runtime)
    try:
        yield
    finally:
        lock.release()
