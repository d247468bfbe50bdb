"""The state directory: one place on disk that holds a whole cloud, used by one process at a time, or by roles that share it.

| path | what it is |
|---|---|
| `state.json` | the format's number, and what the cloud was made with |
| `lock` | held by the process that uses the directory; its process id |
| `roles.lock` | held by a role while it starts |
| `run.json` | address and process id while a cloud answers |
| `clouds.yaml` | how clients log in (mode 0600) |
| `secrets/` | generated passwords and keys (mode 0700) |
| `databases/` | one SQLite file for each database |
| `images/` | content of the built-in image service |
| `hypervisor/` | virtual machines: disks, consoles, sockets; or what the fake driver plays |
| `log/` | the log file |
| `backup-…/` | what an upgrade of the format kept |
"""

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from kilonova.app.state_errors import DiskFull, StateInUse, StateUnusable
from kilonova.app.state_format import FORMAT, Upgrade, upgraded
from kilonova.app.state_lock import StateLock
from kilonova.kernel.errors import Unavailable
from kilonova.runtime.runtime import Runtime

ROOM_MB = 64
"""Free disk space without which a cloud doesn't start, in MB."""
FOLDERS = {"secrets": 0o700, "databases": 0o700, "log": 0o700, "images": 0o700, "hypervisor": 0o711}
"""Modes keep other users out; `hypervisor` can be passed through, so that guests run as a user of their own."""


ROLES_LOCK = "roles.lock"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What `state.json` remembers, so that a cloud comes up again as it was."""

    format: int
    driver: str
    hosts: int
    cells: int


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What `run.json` tells while a cloud answers."""

    pid: int
    url: str
    driver: str
    tls_cert: str | None = None
    """The certificate it serves HTTPS with."""


class State:
    """An open state directory. `close` it to let others use it."""

    def __init__(
        self, path: Path, lock: StateLock, made: Made | None, notices: tuple[str, ...], *, shared: bool = False
    ) -> None:
        """Use `open_state`."""
        self.path = path
        self.made = made
        """What the cloud was made with; None for a fresh directory."""
        self.notices = notices
        """What was done to the directory on opening, a sentence each."""
        self._lock = lock
        self._announced = not shared

    def folder(self, name: str) -> Path:
        """One of `FOLDERS`."""
        return self.path / name

    def database(self, name: str) -> Path:
        """The file of a database, e.g. `api`."""
        return self.path / "databases" / f"{name}.sqlite"

    def remember(self, *, driver: str, hosts: int, cells: int) -> None:
        """Keep what the cloud is made with."""
        self.made = Made(format=FORMAT, driver=driver, hosts=hosts, cells=cells)
        write_private(self.path / "state.json", msgspec.json.encode(self.made))

    def secret(self, name: str, runtime: Runtime) -> str:
        """The secret called `name`: made when first asked for, the same ever after."""
        file = self.path / "secrets" / name
        if not file.exists():
            write_private(file, runtime.token(32).encode())
        return file.read_text(encoding="ascii")

    def announce(self, url: str, driver: str, tls_cert: str | None) -> None:
        """Tell `kilonova status` and its kind where the cloud answers."""
        self._announced = True
        running = Running(pid=os.getpid(), url=url, driver=driver, tls_cert=tls_cert)
        write_private(self.path / "run.json", msgspec.json.encode(running))

    def close(self) -> None:
        """Let go of the directory."""
        if self._announced:
            (self.path / "run.json").unlink(missing_ok=True)
        self._lock.release()


def open_state(
    path: Path, runtime: Runtime, upgrades: Mapping[int, Upgrade] | None = None, *, shared: bool = False
) -> State:
    """Open the state directory at `path`, or make it.

    Args:
        path: where it is.
        runtime: names the backup by the clock.
        upgrades: what to do to older formats; those of this version when None.
        shared: whether other processes may use it too, each of which says so; one that comes first makes it ready for all.

    Raises:
        StateInUse: another process uses it.
        StateTooNew: a newer version wrote it.
        StateUnusable: it can't be made, read or written, or is no state directory.
        DiskFull: there is too little room on its disk.
    """
    try:
        path.mkdir(mode=0o711, parents=True, exist_ok=True)
        if not (path / "state.json").exists() and _is_foreign(path):
            raise StateUnusable(path=path, reason="it holds files that are not Kilonova's")
        lock, first = _locked(path / "lock", shared=shared)
        try:
            made, notices = _made(path, runtime, upgrades if first else {})
            for name, mode in FOLDERS.items():
                (path / name).mkdir(mode=mode, exist_ok=True)
            _check_room(path)
            if shared:
                lock.share()
        except BaseException:
            lock.release()
            raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(path=path, free_mb=0, needed_mb=ROOM_MB) from error
        raise StateUnusable(path=path, reason=error.strerror or str(error)) from error
    return State(path, lock, made, notices, shared=shared)


def _locked(file: Path, *, shared: bool) -> tuple[StateLock, bool]:
    """The lock, and whether nobody else has it: then the directory may be changed. Raises `StateInUse`."""
    try:
        return StateLock.take(file), True
    except StateInUse:
        if not shared:
            raise
    return StateLock.take(file, shared=True), False


@contextmanager
def state_used(path: Path, runtime: Runtime, *, shared: bool = False) -> Iterator[State]:
    """Hold a state directory. Raises what `open_state` does, also `DiskFull` for a disk that fills up meanwhile."""
    try:
        state = open_state(path, runtime, shared=shared)
        try:
            yield state
        finally:
            state.close()
    except (OSError, Unavailable) as error:
        if _is_disk_full(error):
            raise DiskFull(path=path, free_mb=shutil.disk_usage(path).free >> 20, needed_mb=ROOM_MB) from error
        raise


def read_running(path: Path) -> Running | None:
    """Where the cloud of this state directory answers; None when none does."""
    if not is_in_use(path):
        return None
    try:
        return msgspec.json.decode((path / "run.json").read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None


def is_in_use(path: Path) -> bool:
    """Whether some process uses this state directory."""
    return StateLock.is_held(path / "lock")


def is_state(path: Path) -> bool:
    """Whether `path` is a state directory, of any format."""
    return (path / "state.json").is_file()


def write_private(file: Path, content: bytes) -> None:
    """Replace a file at once, readable for its owner only."""
    new = file.with_name(f".{file.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)


def _is_foreign(path: Path) -> bool:
    """Whether the directory holds anything but what an interrupted first start leaves behind."""
    own = {"lock", ROLES_LOCK, "run.json", "clouds.yaml", *FOLDERS}
    return any(entry.name not in own and not entry.name.endswith(".new") for entry in path.iterdir())


def _made(path: Path, runtime: Runtime, upgrades: Mapping[int, Upgrade] | None) -> tuple[Made | None, tuple[str, ...]]:
    """What `state.json` says, after bringing the directory to this version's format."""
    file = path / "state.json"
    if not file.exists():
        return None, ()
    notices = upgraded(path, runtime, upgrades)
    try:
        return msgspec.json.decode(file.read_bytes(), type=Made), notices
    except msgspec.DecodeError as error:
        raise StateUnusable(path=path, reason=f"its state.json can't be read: {error}") from error


def _check_room(path: Path) -> None:
    free_mb = shutil.disk_usage(path).free >> 20
    if free_mb < ROOM_MB:
        raise DiskFull(path=path, free_mb=free_mb, needed_mb=ROOM_MB)


def _is_disk_full(error: OSError | Unavailable) -> bool:
    """Whether the system or SQLite says that no room is left."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    return "disk is full" in error.message
